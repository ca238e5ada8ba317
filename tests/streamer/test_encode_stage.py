from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from small_clips import H, W, frame

from daemon.bounded_queue import BoundedQueue
from daemon.errors import RunError
from daemon.figures import Figures
from engines.carrier import CarrierDecoder
from engines.codec import open_encoder
from engines.errors import CarrierError
from engines.frame import Frame
from engines.rated_carrier import RatedEncoder
from link.nal import split_annexb
from link.sequence import rtp_timestamp
from link.side_info import SideInfo, find_side_info
from streamer import carrier
from streamer.capture import Shot
from streamer.carrier import Carrier, CarrierSettings, CodedUnit
from streamer.effort import Effort
from streamer.network import LatentShot, Network, NetworkSettings
from streamer.scale_control import ScaleControl


class Run:
    """Both stages over a list of shots, one after the other in this thread."""

    def __init__(
        self,
        scale: int | None = 2,
        duration_us: int | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self.shots: BoundedQueue[Shot] = BoundedQueue(1000, waits=False)
        latents: BoundedQueue[LatentShot] = BoundedQueue(1000, waits=False)
        self.out: list[CodedUnit] = []
        self.figures = Figures()
        control = ScaleControl(scale, 200_000)
        self.network = Network(
            open_encoder("plain", threads=1),
            NetworkSettings(8, duration_us),
            control,
            self.shots,
            latents,
            self.figures,
            wanted=wanted,
        )
        self.stage = Carrier(
            bytes(8),
            CarrierSettings(200_000, "ultrafast", 1, paced=False),
            control,
            latents,
            self.out.append,
            self.figures,
        )

    def put(self, *numbers: int, size: tuple[int, int] = (W, H)) -> None:
        for number in numbers:
            self.shots.put(Shot(frame(number, *size), 25.0))

    def __call__(self) -> list[CodedUnit]:
        self.shots.close()
        self.network.run()
        self.stage.run()
        return self.out


def _noisy(number: int) -> Frame:
    """A picture that takes bits at any QP."""
    noisy = frame(number, 320, 240)
    noisy.planes.y[:] += np.random.default_rng(number).integers(0, 12, (240, 320), np.uint8)
    return noisy


def _info(coded: CodedUnit) -> SideInfo:
    info = find_side_info(split_annexb(coded.unit.data))
    assert info is not None
    return info


def test_every_shot_becomes_an_access_unit_that_decodes() -> None:
    run = Run()
    run.put(*range(10))
    coded = run()
    assert len(coded) == 10
    assert [c.unit.irap for c in coded] == [True] + 9 * [False]
    assert coded[3].unit.rtp_timestamp == rtp_timestamp(frame(3).captured_us)
    assert coded[3].captured_us == frame(3).captured_us
    decoder = CarrierDecoder()
    pictures = [p for n, c in enumerate(coded) for p in decoder.decode(c.unit.data, n)]
    assert len(pictures) == 10
    assert (pictures[0][1].width, pictures[0][1].height) == (64, 48)
    figures = run.figures.snapshot()
    assert figures["engine"] == "plain"
    assert (figures["size"], figures["scale"], figures["bits"]) == (f"{W}x{H}", 2, 8)
    assert set(figures) >= {"network_ms", "carrier_ms", "qp"}


def test_an_irap_is_made_on_request_but_not_more_often_than_every_300_ms() -> None:
    run = Run()
    iraps = []

    def deliver(coded: CodedUnit) -> None:
        if coded.unit.irap:
            iraps.append(_info(coded).frame_number)
        run.stage.request_irap()

    run.stage._deliver = deliver
    run.put(*range(25))
    run()
    assert iraps == [0, 8, 16, 24]


@pytest.mark.parametrize("size", [(65, 97), (127, 64), (64, 65)])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_odd_sizes_work_at_every_scale(size: tuple[int, int], scale: int) -> None:
    run = Run(scale=scale)
    run.put(0, 1, size=size)
    info = _info(run()[0])
    assert (info.source_width, info.source_height) == size
    assert info.scale == scale


def test_a_new_picture_size_starts_a_new_carrier_with_an_irap() -> None:
    run = Run()
    run.put(0, 1)
    run.put(2, 3, size=(2 * W, H))
    coded = run()
    assert [c.unit.irap for c in coded] == [True, False, True, False]
    assert _info(coded[2]).source_width == 2 * W


def test_nothing_is_encoded_while_nobody_wants_it() -> None:
    wanted = iter([False, False, True, True])
    run = Run(wanted=lambda: next(wanted))
    run.put(*range(4))
    assert [_info(c).frame_number for c in run() if c.unit.irap] == [2]
    assert len(run.out) == 2


def test_duration_counts_from_the_first_encoded_picture() -> None:
    wanted = iter([False] * 5 + [True] * 100)
    run = Run(wanted=lambda: next(wanted), duration_us=400_000)
    run.put(*range(50))
    assert len(run()) == 10


def test_shots_of_a_reader_that_was_given_up_are_dropped() -> None:
    run = Run()
    run.put(0, 1, 2, 1, 2, 3)
    assert len(run()) == 4


def test_auto_scale_follows_the_bitrate() -> None:
    run = Run(scale=None)
    run.put(0, size=(640, 480))
    run()
    assert run.figures.snapshot()["scale"] in (1, 2, 3, 4)


def test_auto_scale_follows_what_the_carrier_makes_of_the_picture() -> None:
    run = Run(scale=None)
    coded = []
    for number in range(150):  # an easy picture: one stage after the other, as they run live
        run.put(number, size=(800, 608))
        shot = run.shots.get()
        assert shot is not None
        run.stage._code(LatentShot(run.network._latent(shot), shot.frame, shot.fps))
        coded = run.out
    scales = [_info(c).scale for c in coded if c.unit.irap]
    assert scales[0] == 2
    assert scales[-1] == 1
    assert [c.unit.irap for c in coded].count(True) == len(scales)
    assert run.figures.snapshot()["scale"] == 1


class _Failing(RatedEncoder):
    fails: set[int]

    def encode(self, planes, number, captured_us, *, irap=False):  # type: ignore[no-untyped-def]
        if number in self.fails:
            raise CarrierError(f"picture {number} broke it")
        return super().encode(planes, number, captured_us, irap=irap)


def test_a_carrier_that_fails_starts_anew_with_an_irap(monkeypatch: pytest.MonkeyPatch) -> None:
    _Failing.fails = {3}
    monkeypatch.setattr(carrier, "RatedEncoder", _Failing)
    run = Run()
    run.put(*range(6))
    assert [c.unit.irap for c in run()] == [True, False, False, True, False]
    assert run.figures.snapshot()["carrier_errors"] == 1


def test_a_carrier_that_always_fails_ends_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    _Failing.fails = set(range(100))
    monkeypatch.setattr(carrier, "RatedEncoder", _Failing)
    run = Run()
    run.put(*range(20))
    with pytest.raises(RunError, match="broke it"):
        run()


def test_the_bitrate_is_kept() -> None:
    run = Run(scale=1)
    run.put(*range(100), size=(320, 240))
    bits = sum(8 * len(c.unit.data) for c in run())
    assert bits / 4 < 1.3 * 200_000


def test_another_bitrate_holds_at_once_and_costs_no_irap() -> None:
    run = Run(scale=1)

    def deliver(coded: CodedUnit) -> None:
        run.out.append(coded)
        if len(run.out) == 50:
            run.stage.set_bitrate(50_000)

    run.stage._deliver = deliver
    for number in range(100):
        run.shots.put(Shot(_noisy(number), 25.0))
    bits = [8 * len(coded.unit.data) for coded in run()]
    assert [coded.unit.irap for coded in run.out].count(True) == 1
    assert sum(bits[25:50]) > 2.5 * sum(bits[52:77])


def test_less_effort_is_a_new_carrier_that_begins_with_an_irap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    presets = []

    def noted(*args: Any, **kwargs: Any) -> RatedEncoder:
        presets.append(kwargs["preset"])
        return RatedEncoder(*args, **kwargs)

    monkeypatch.setattr(carrier, "RatedEncoder", noted)
    run = Run()
    run.stage._effort = effort = Effort(None, restored=True, paced=True)
    slow = iter([False] * 4 + [True])

    def took(seconds: float, fps: float) -> bool:
        late = next(slow, False)
        effort._steps_back += late
        return late

    monkeypatch.setattr(effort, "took", took)
    run.put(*range(8))
    assert [c.unit.irap for c in run()] == [n in (0, 5) for n in range(8)]
    assert presets == ["slower", "slow"]
    assert run.figures.snapshot()["preset"] == "slow"
