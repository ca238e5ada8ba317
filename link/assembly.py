"""From the packets of one access unit to its NAL units, and what a unit is good for."""

from collections.abc import Iterable, Sequence

from link.errors import WireError
from link.nal import NalType, first_slice, is_irap, is_parameter_set, nal_type
from link.payload import Depayloader, leading_nal

MAX_NALS = 1024  # of an access unit; H.265 allows 600 slices (table A.8), five bytes make a unit
_STARTS_OF_IRAP = (NalType.AUD, NalType.VPS)
_START_CODE = b"\0\0\1"


def assemble(payloads: Iterable[bytes]) -> list[bytes] | None:
    """NAL units of an access unit whose payloads are all here; None when they are not well formed,
    or more than MAX_NALS, those behind start codes inside of them counted too.

    Packets without payload are padding (RFC 3550, 5.1): they take a sequence number, no more.
    """
    depayloader = Depayloader()
    nals: list[bytes] = []
    try:
        for payload in payloads:
            if payload:
                nals += depayloader.push(payload)
            if len(nals) > MAX_NALS:
                return None
    except WireError:
        return None
    if depayloader.damaged or depayloader.is_open:
        return None
    inside = sum(nal.count(_START_CODE) for nal in nals)
    return None if len(nals) + inside > MAX_NALS else nals


def may_begin_irap(payload: bytes) -> bool:
    """Whether a packet may be the first of an IRAP with parameter sets: begins with AUD or VPS."""
    leading = leading_nal(payload)
    return len(leading) > 1 and nal_type(leading) in _STARTS_OF_IRAP


def can_start_decoding(nals: Sequence[bytes]) -> bool:
    """Whether a decoder that has seen nothing yet can use this access unit."""
    return any(is_irap(nal) or is_parameter_set(nal) for nal in nals)


def seems_whole(nals: Sequence[bytes]) -> bool:
    """Whether a unit behind a hole has lost nothing to the hole that its picture needs.

    An IRAP must begin with AUD or VPS; another picture must have its first slice.
    """
    if nal_type(nals[0]) in _STARTS_OF_IRAP:
        return True
    return any(first_slice(nal) for nal in nals) and not any(is_irap(nal) for nal in nals)
