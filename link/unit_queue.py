"""A bounded queue of access units that never hands out one whose reference was dropped."""

from collections import deque

from link.access_unit import AccessUnit

DEFAULT_MAX_UNITS = 16
DEFAULT_MAX_BYTES = 4 << 20


class UnitQueue:
    """Access units in order, at most `max_units` of them and `max_bytes` in all.

    When it is full, the oldest run of units that are no IRAP goes, up to the next IRAP: whatever
    is left can be decoded. When that run reaches the end, newcomers are refused until an IRAP
    comes (`needs_irap`). The start of a stream counts as such a break.
    """

    def __init__(
        self, max_units: int = DEFAULT_MAX_UNITS, max_bytes: int = DEFAULT_MAX_BYTES
    ) -> None:
        self.needs_irap = True
        self._max_units = max_units
        self._max_bytes = max_bytes
        self._units: deque[AccessUnit] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._units)

    @property
    def size_bytes(self) -> int:
        """Bytes of all access units waiting."""
        return self._bytes

    def put(self, unit: AccessUnit) -> int:
        """Takes a unit in; how many were lost to that, `unit` itself among them."""
        if self.needs_irap and not unit.irap:
            return 1
        self.needs_irap = False
        self._units.append(unit)
        self._bytes += len(unit.data)
        dropped = 0
        while len(self._units) > self._max_units or self._bytes > self._max_bytes:
            dropped += self._drop()
        return dropped

    def pop(self) -> AccessUnit | None:
        """The oldest unit, None when there is none."""
        if not self._units:
            return None
        unit = self._units.popleft()
        self._bytes -= len(unit.data)
        return unit

    def _drop(self) -> int:
        """Drops the oldest run between two IRAPs; among IRAPs alone, the oldest one."""
        units = list(self._units)
        first = next((i for i, unit in enumerate(units) if not unit.irap), None)
        if first is None:
            self.pop()
            self.needs_irap = not self._units
            return 1
        end = next((i for i in range(first, len(units)) if units[i].irap), len(units))
        self.needs_irap = end == len(units)
        self._units = deque(units[:first] + units[end:])
        self._bytes = sum(len(unit.data) for unit in self._units)
        return end - first
