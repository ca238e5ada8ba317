"""RTP payload format for H.265 (RFC 7798): access unit to packet payloads and back.

Without DONL and DOND fields: WebRTC leaves `sprop-max-don-diff` at 0. Payload structures:

    single NAL unit (4.4.1)   the NAL unit itself
    AP, type 48     (4.4.2)   header(2) { size(2) NAL unit }...
    FU, type 49     (4.4.3)   header(2) |S|E| type(6) | fragment
    PACI, type 50   (4.4.4)   ignored
"""

from collections.abc import Sequence

from link.errors import WireError
from link.nal import NAL_HEADER_BYTES, NalType, nal_type

DEFAULT_MAX_PAYLOAD_BYTES = 1200
MIN_MAX_PAYLOAD_BYTES = 4  # a fragment of one byte behind its headers
MAX_NAL_BYTES = 8 << 20
_SIZE_BYTES = 2
_FU_HEADER_BYTES = NAL_HEADER_BYTES + 1
_LEADING_BYTES = NAL_HEADER_BYTES + 1
_FU_START = 0x80
_FU_END = 0x40
_TYPE_MASK = 0x3F
_NOT_TYPE_MASK = 0x81  # F and the high bit of the layer id, in the first header byte


def packetize(
    nals: Sequence[bytes], max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES
) -> list[bytes]:
    """Packet payloads of one access unit, in order; the last one gets the marker bit.

    Neighbours that fit into one payload share an AP, SEI aside: receivers exist that know no APs,
    and they shall not lose the side information to one. Larger units are cut into FUs. Raises
    WireError for a unit without header or of a type that RFC 7798 takes for itself (48 to 63).
    """
    if max_payload_bytes < MIN_MAX_PAYLOAD_BYTES:
        raise ValueError(f"payloads of {max_payload_bytes} bytes are too small for FUs")
    payloads: list[bytes] = []
    group: list[bytes] = []
    for nal in nals:
        kind = nal_type(nal)
        if kind >= NalType.AGGREGATION_PACKET:
            raise WireError(f"NAL unit type {kind} cannot travel over RTP")
        alone = kind in (NalType.PREFIX_SEI, NalType.SUFFIX_SEI)
        if alone or _aggregate_bytes([*group, nal]) > max_payload_bytes:
            payloads += _flush(group)
            group = []
        if alone or len(nal) > max_payload_bytes:
            payloads += _fragment(nal, max_payload_bytes)
        else:
            group.append(nal)
    return payloads + _flush(group)


def _aggregate_bytes(nals: Sequence[bytes]) -> int:
    return NAL_HEADER_BYTES + sum(_SIZE_BYTES + len(nal) for nal in nals)


def _flush(group: Sequence[bytes]) -> list[bytes]:
    return [_aggregate(group)] if len(group) > 1 else list(group)


def _aggregate(nals: Sequence[bytes]) -> bytes:
    """An AP: F is set if any F is, layer and temporal id are the lowest inside (4.4.2)."""
    forbidden = max(nal[0] & 0x80 for nal in nals)
    layer = min((nal[0] & 1) << 5 | nal[1] >> 3 for nal in nals)
    temporal = min(nal[1] & 7 for nal in nals)
    header = bytes(
        [
            forbidden | NalType.AGGREGATION_PACKET << 1 | layer >> 5,
            (layer & 0x1F) << 3 | temporal,
        ]
    )
    return header + b"".join(len(nal).to_bytes(_SIZE_BYTES, "big") + nal for nal in nals)


def _fragment(nal: bytes, max_payload_bytes: int) -> list[bytes]:
    """The NAL unit whole when it fits, otherwise FUs: S on the first, E on the last (4.4.3)."""
    if len(nal) <= max_payload_bytes:
        return [nal]
    indicator = bytes([nal[0] & _NOT_TYPE_MASK | NalType.FRAGMENTATION_UNIT << 1, nal[1]])
    body = len(nal) - NAL_HEADER_BYTES
    pieces = -(-body // (max_payload_bytes - _FU_HEADER_BYTES))
    step = -(-body // pieces)  # of one size: a repair packet is as long as the longest
    payloads = []
    for start in range(NAL_HEADER_BYTES, len(nal), step):
        flags = _FU_START if start == NAL_HEADER_BYTES else 0
        if start + step >= len(nal):
            flags |= _FU_END
        header = indicator + bytes([flags | nal_type(nal)])
        payloads.append(header + nal[start : start + step])
    return payloads


def leading_nal(payload: bytes) -> bytes:
    """Header and first byte of the NAL unit that a payload begins with: enough to tell slices.

    Empty for a payload that continues an earlier unit, and for one that does not parse.
    """
    if len(payload) < NAL_HEADER_BYTES:
        return b""
    kind = nal_type(payload)
    if kind == NalType.AGGREGATION_PACKET:
        start = NAL_HEADER_BYTES + _SIZE_BYTES
        return payload[start : start + _LEADING_BYTES]
    if kind == NalType.FRAGMENTATION_UNIT:
        starts = len(payload) > _FU_HEADER_BYTES and payload[NAL_HEADER_BYTES] & _FU_START
        return _rebuilt_header(payload) + payload[_FU_HEADER_BYTES:][:1] if starts else b""
    return payload[:_LEADING_BYTES]


def _rebuilt_header(fragment: bytes) -> bytes:
    kind = fragment[NAL_HEADER_BYTES] & _TYPE_MASK
    return bytes([fragment[0] & _NOT_TYPE_MASK | kind << 1, fragment[1]])


class Depayloader:
    """Packet payloads in sequence order to NAL units.

    `damaged` turns true when a fragmented NAL unit does not come out whole.
    """

    def __init__(self) -> None:
        self.damaged = False
        self._fragments: list[bytes] = []
        self._fragment_bytes = 0

    @property
    def is_open(self) -> bool:
        """Whether the last fragment of a NAL unit is still to come."""
        return bool(self._fragments)

    def lost(self) -> None:
        """A packet is missing here: the fragmented NAL unit under way is discarded with it."""
        self.damaged |= self.is_open
        self._fragments = []
        self._fragment_bytes = 0

    def push(self, payload: bytes) -> list[bytes]:
        """NAL units that this payload completes, possibly none.

        Raises WireError for a payload that does not parse; the unit under way is discarded, and
        the next payload is taken as usual.
        """
        try:
            kind = nal_type(payload)
            if kind == NalType.FRAGMENTATION_UNIT:
                return self._push_fragment(payload)
            self.lost()
            if kind == NalType.AGGREGATION_PACKET:
                return _split_aggregate(payload)
        except WireError:
            self.lost()
            raise
        return [payload] if kind < NalType.AGGREGATION_PACKET else []

    def _push_fragment(self, payload: bytes) -> list[bytes]:
        if len(payload) <= _FU_HEADER_BYTES:
            raise WireError("FU without payload")
        flags = payload[NAL_HEADER_BYTES]
        starts, ends = bool(flags & _FU_START), bool(flags & _FU_END)
        if starts and ends:
            raise WireError("FU is both first and last of its NAL unit")
        if flags & _TYPE_MASK >= NalType.AGGREGATION_PACKET:
            raise WireError(f"FU of type {flags & _TYPE_MASK}")
        if starts:
            self.lost()
            self._fragments.append(_rebuilt_header(payload))
        elif not self._fragments:
            self.damaged = True
            return []
        elif self._fragments[0] != _rebuilt_header(payload):
            raise WireError("FU of another NAL unit inside a fragmented one")
        self._fragments.append(payload[_FU_HEADER_BYTES:])
        self._fragment_bytes += len(payload) - _FU_HEADER_BYTES
        if self._fragment_bytes > MAX_NAL_BYTES:
            raise WireError(f"NAL unit of more than {MAX_NAL_BYTES} bytes")
        return self._close() if ends else []

    def _close(self) -> list[bytes]:
        nal = b"".join(self._fragments)
        self._fragments = []
        self._fragment_bytes = 0
        return [nal]


def _split_aggregate(payload: bytes) -> list[bytes]:
    nals = []
    position = NAL_HEADER_BYTES
    while position < len(payload):
        start = position + _SIZE_BYTES
        size = int.from_bytes(payload[position:start], "big")
        position = start + size
        if position > len(payload):
            raise WireError("AP is cut off")
        nal = payload[start:position]
        if nal_type(nal) >= NalType.AGGREGATION_PACKET:
            raise WireError(f"NAL unit of type {nal_type(nal)} inside an AP")
        nals.append(nal)
    if not nals:
        raise WireError("AP without NAL units")
    return nals
