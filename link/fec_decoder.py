"""The receiver's side of forward error correction: equations over packets that did not come.

media packets, also those sent again -> known -+
                                               +-> elimination -> restored packets
repair packets -> equations -------------------+
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from link.errors import WireError
from link.fec import (
    SYMBOL_MAX_BYTES,
    Repair,
    coefficient,
    from_symbol,
    to_symbol,
)
from link.galois import added, inverse, product, scaled
from link.packet import MediaPacket
from link.sequence import unwrap_sequence

KNOWN_MAX_PACKETS = 256
EQUATIONS_MAX = 64  # the oldest go


@dataclass
class _Equation:
    """Sum of coefficient times unknown symbol = data."""

    factors: dict[int, int]
    data: bytes

    def subtract(self, factor: int, other: _Equation) -> None:
        """Takes a multiple of another one away."""
        for unknown, value in other.factors.items():
            left = self.factors.get(unknown, 0) ^ product(factor, value)
            if left:
                self.factors[unknown] = left
            else:
                self.factors.pop(unknown, None)
        self.data = added(self.data, scaled(other.data, factor))


class FecDecoder:
    """Bounded: KNOWN_MAX_PACKETS packets and EQUATIONS_MAX equations of a datagram's size each.

    For one run of sequence numbers. What is further back than KNOWN_MAX_PACKETS is ignored: a
    sender that begins anew, at any number, needs a new decoder.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[int, bytes] = OrderedDict()  # by unwrapped sequence number
        self._equations: OrderedDict[int, _Equation] = OrderedDict()  # reduced, by their pivot
        self._newest: int | None = None

    def __len__(self) -> int:
        """Equations that are not solved."""
        return len(self._equations)

    def add(self, packet: MediaPacket) -> list[MediaPacket]:
        """A packet of the stream came, first or again; those that it helps to restore."""
        sequence = self._unwrapped(packet.sequence)
        try:
            symbol = to_symbol(packet)
        except ValueError:
            return []
        if sequence in self._known or sequence <= self._oldest():
            return []
        self._learn(sequence, symbol)
        return self._solved()

    def add_repair(self, repair: Repair) -> list[MediaPacket]:
        """A repair packet came; the packets that are restored by it."""
        first = self._unwrapped(repair.base)
        self._newest = max(self._newest or 0, first + repair.count - 1)
        equation = _Equation({}, repair.data)
        for sequence in range(first, first + repair.count):
            factor = coefficient(repair.number, sequence)
            symbol = self._known.get(sequence)
            if symbol is not None:
                equation.data = added(equation.data, scaled(symbol, factor))
            elif sequence <= self._oldest():
                return []  # what is missing of it is not of use to anybody
            else:
                equation.factors[sequence] = factor
        self._insert(equation)
        return self._solved()

    def _unwrapped(self, sequence: int) -> int:
        if self._newest is None:
            self._newest = sequence + (1 << 16)  # room below: no negative numbers
        number = unwrap_sequence(sequence, self._newest)
        if number - self._newest > KNOWN_MAX_PACKETS:  # nothing held is of use any more
            self._known.clear()
            self._equations.clear()
        self._newest = max(self._newest, number)
        return number

    def _oldest(self) -> int:
        return (self._newest or 0) - KNOWN_MAX_PACKETS

    def _learn(self, sequence: int, symbol: bytes) -> None:
        self._known[sequence] = symbol
        known = _Equation({sequence: 1}, symbol)
        touched = [p for p, e in self._equations.items() if sequence in e.factors]
        for pivot in touched:
            equation = self._equations[pivot]
            equation.subtract(equation.factors[sequence], known)
            if pivot == sequence:
                self._insert(self._equations.pop(pivot))

    def _insert(self, equation: _Equation) -> None:
        """Takes it in, reduced by the others, and the others by it (Gauss and Jordan)."""
        for pivot in [unknown for unknown in equation.factors if unknown in self._equations]:
            equation.subtract(equation.factors[pivot], self._equations[pivot])
        if not equation.factors:
            return
        pivot = min(equation.factors)
        scale = inverse(equation.factors[pivot])
        equation.factors = {u: product(scale, value) for u, value in equation.factors.items()}
        equation.data = scaled(equation.data, scale)
        for other in self._equations.values():
            if pivot in other.factors:
                other.subtract(other.factors[pivot], equation)
        self._equations[pivot] = equation
        while len(self._equations) > EQUATIONS_MAX:
            self._equations.popitem(last=False)

    def _solved(self) -> list[MediaPacket]:
        packets = []
        oldest = self._oldest()
        for pivot, equation in list(self._equations.items()):
            if len(equation.factors) == 1:
                del self._equations[pivot]
                self._known[pivot] = equation.data[:SYMBOL_MAX_BYTES]
                try:
                    packets.append(from_symbol(pivot, equation.data))
                except WireError:
                    continue  # a sender that adds up otherwise than it says
            elif min(equation.factors) <= oldest:
                del self._equations[pivot]
        while len(self._known) > KNOWN_MAX_PACKETS:
            self._known.popitem(last=False)
        return packets
