import pytest
from small_clips import planes

from engines.carrier import CodedPicture
from engines.codebook import Codebook
from engines.guide import GUIDE_SIZE, Guide
from engines.latent import Latent
from link.clock import unix_us
from link.nal import split_annexb
from link.sequence import rtp_timestamp
from link.side_info import SideInfo, find_side_info
from streamer.irap import INTERVAL_MIN_US, IrapGate
from streamer.side_info import SideInfoWriter

START_US = 1_700_000_000_000_000
NETWORK = bytes(range(8))
SLICE = b"\x00\x00\x00\x01\x02\x01\xd0\x00"  # TRAIL_R


class TestIrapGate:
    def test_nothing_is_made_without_a_request(self) -> None:
        assert not IrapGate().take(START_US)

    def test_a_request_is_answered_once(self) -> None:
        gate = IrapGate()
        gate.request()
        gate.request()
        assert gate.take(START_US)
        assert not gate.take(START_US + 10 * INTERVAL_MIN_US)

    def test_a_request_soon_after_an_irap_waits_and_is_not_lost(self) -> None:
        gate = IrapGate()
        gate.made(START_US)
        gate.request()
        assert not gate.take(START_US + INTERVAL_MIN_US - 1)
        assert gate.take(START_US + INTERVAL_MIN_US)

    def test_a_flood_of_requests_makes_one_irap_every_300_ms(self) -> None:
        gate = IrapGate()
        made = 0
        for n in range(250):  # ten seconds at 25 frames/s
            gate.request()
            made += gate.take(START_US + n * 40_000)
        assert made == pytest.approx(10 / 0.32, abs=1)


def _latent(number: int, captured_us: int, bits: int = 8) -> Latent:
    book = Codebook.uniform(bits)
    return Latent(planes(number), 256, 192, 2, book, 0.0, number, captured_us)


def _said(
    writer: SideInfoWriter, number: int, qp: float, *, irap: bool = False, bits: int = 8
) -> SideInfo | None:
    latent = _latent(number, START_US + number * 40_000, bits)
    unit = writer.access_unit(CodedPicture(SLICE, irap, qp, number), latent, 25.0)
    return find_side_info(split_annexb(unit.data))


class TestSideInfo:
    def test_it_says_what_the_viewer_must_know(self) -> None:
        assert _said(SideInfoWriter(NETWORK), 3, 30.13, irap=True) == SideInfo(
            source_width=256,
            source_height=192,
            scale=2,
            bits=8,
            qp=30.25,
            network_id=NETWORK,
            frame_number=3,
            captured_us=START_US + 120_000,
            fps=25.0,
            codebook=Codebook.uniform(8).to_bytes(),
        )

    def test_it_goes_with_iraps_moved_qp_and_every_second(self) -> None:
        writer = SideInfoWriter(NETWORK)
        told = [n for n in range(60) if _said(writer, n, 30.0 + (n >= 10) * 3.5, irap=n == 40)]
        assert told == [0, 10, 35, 40]

    def test_small_moves_of_the_qp_add_up(self) -> None:
        writer = SideInfoWriter(NETWORK)
        assert [n for n in range(13) if _said(writer, n, 30 + 0.5 * n)] == [0, 6, 12]

    def test_the_codebook_goes_with_iraps_and_when_it_changes(self) -> None:
        writer = SideInfoWriter(NETWORK)
        books = []
        for n, qp, irap, bits in [(0, 30, True, 8), (1, 34, False, 8), (2, 38, False, 6)]:
            info = _said(writer, n, qp, irap=irap, bits=bits)
            assert info is not None
            books.append(info.codebook)
        assert books == [Codebook.uniform(8).to_bytes(), None, Codebook.uniform(6).to_bytes()]

    def test_the_first_guide_goes_at_once_and_the_next_with_what_is_due(self) -> None:
        writer = SideInfoWriter(NETWORK)
        first, second = (Guide(b"me", 0.5, (n,) * GUIDE_SIZE) for n in (1, 2))
        held = [None, None, first, first, first, second, *[second] * 30]
        told = {}
        for n, guide in enumerate(held):
            picture = CodedPicture(SLICE, n in (0, 4), 30.0, n)
            unit = writer.access_unit(picture, _latent(n, START_US + n * 40_000), 25.0, guide)
            info = find_side_info(split_annexb(unit.data))
            if info is not None:
                told[n] = info.guide
        one, two = first.to_bytes(), second.to_bytes()
        assert told == {0: None, 2: one, 4: one, 29: two}

    def test_a_qp_out_of_range_is_held_within_it(self) -> None:
        info = _said(SideInfoWriter(NETWORK), 0, 69.0)
        assert info is not None
        assert info.qp == 51

    def test_units_without_it_are_untouched(self) -> None:
        writer = SideInfoWriter(NETWORK)
        _said(writer, 0, 30.0)
        unit = writer.access_unit(CodedPicture(SLICE, False, 30.0, 1), _latent(1, START_US), 25.0)
        assert unit.data == SLICE


class TestClock:
    def test_rtp_counts_capture_time_at_90_khz(self) -> None:
        step = rtp_timestamp(START_US + 1_000_000) - rtp_timestamp(START_US)
        assert step % (1 << 32) == 90_000
        assert 0 <= rtp_timestamp(START_US) < 1 << 32

    def test_capture_time_never_steps_back(self) -> None:
        times = [unix_us() for _ in range(1000)]
        assert times == sorted(times)
        assert times[0] > START_US
