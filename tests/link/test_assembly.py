"""Access units of more NAL units than any encoder makes are refused before they cost anything."""

import pytest

from link.assembly import MAX_NALS, assemble
from link.nal import NalType


def sei(count: int) -> bytes:
    """An aggregation packet of tiny NAL units."""
    unit = bytes([NalType.PREFIX_SEI << 1, 1])
    return bytes([NalType.AGGREGATION_PACKET << 1, 1]) + count * (b"\0\2" + unit)


@pytest.mark.parametrize(
    "payloads",
    [
        [sei(200)] * 6,
        [bytes([NalType.PREFIX_SEI << 1, 1]) + b"\0\0\1\x4e\1" * MAX_NALS],
    ],
)
def test_more_nal_units_than_a_picture_has_are_no_access_unit(payloads: list[bytes]) -> None:
    assert assemble(payloads) is None


def test_as_many_as_a_picture_may_have_are_one() -> None:
    nals = assemble([sei(200)] * 5)
    assert nals is not None
    assert len(nals) == 1000
