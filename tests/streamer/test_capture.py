import threading
import time
from collections.abc import Callable, Iterator

import pytest
from small_clips import frame

from daemon.bounded_queue import BoundedQueue
from daemon.errors import UsageError
from daemon.figures import Figures
from daemon.stage import Stage
from engines.frame import Frame
from streamer.capture import LIVE, NO_SIGNAL, Capture, Patience, Shot
from streamer.sources.source import Source, SourceError

QUICK = Patience(no_signal_s=0.1, hang_s=0.3, retry_s=0.02)
HANG = object()


class Script:
    """A source that does what it is told, step by step: a frame, an error, a hang, None = end."""

    name, size, live, fps = "script", (128, 96), True, 25.0

    def __init__(self, steps: list[object]) -> None:
        self.steps: Iterator[object] = iter(steps)
        self.closed = False
        self.released = threading.Event()

    def read(self) -> Frame | None:
        step = next(self.steps, HANG)
        if step is HANG:
            self.released.wait(10)
            return None
        if isinstance(step, Exception):
            raise step
        time.sleep(0.005)
        return step  # type: ignore[return-value]

    def close(self) -> None:
        self.closed = True


class Box:
    """A capture stage over scripts, one for each time that the source is opened."""

    def __init__(self, openings: list[object], *, live: bool = True, capacity: int = 100) -> None:
        self.openings = iter(openings)
        self.asked: list[tuple[tuple[int, int] | None, float | None]] = []
        self.error: BaseException | None = None
        self.figures = Figures()
        self.shots: BoundedQueue[Shot] = BoundedQueue(capacity, waits=False)
        self.capture = Capture(
            "script", self._open, self.shots, self.figures, live=live, patience=QUICK
        )
        self.stage = Stage("capture", self.capture.run, self._failed)

    def _open(self, size: tuple[int, int] | None, fps: float | None) -> Source:
        self.asked.append((size, fps))
        opening = next(self.openings)
        if isinstance(opening, Exception):
            raise opening
        return opening  # type: ignore[return-value]

    def _failed(self, error: BaseException) -> None:
        self.error = error

    def state(self) -> object:
        return self.figures.snapshot().get("source")


def _until(happened: Callable[[], bool], timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def _taken(box: Box) -> list[int]:
    numbers = []
    while (shot := box.shots.get()) is not None:
        numbers.append(shot.frame.number)
    return numbers


def test_the_end_of_the_source_ends_the_stage() -> None:
    script = Script([frame(0), frame(1), None])
    box = Box([script], live=False)
    assert _taken(box) == [0, 1]
    assert box.stage.join(2)
    assert script.closed
    assert box.error is None


def test_a_source_that_cannot_be_opened_at_all_ends_the_stage_with_its_message() -> None:
    box = Box([UsageError("there is no camera /dev/video9")])
    assert _taken(box) == []
    assert box.stage.join(2)
    assert str(box.error) == "there is no camera /dev/video9"


def test_a_camera_that_goes_away_comes_back_with_rising_numbers_and_its_size() -> None:
    back = Script([frame(0), frame(1)])
    box = Box(
        [
            Script([frame(0), frame(1), SourceError("No such device")]),
            UsageError("there is no camera /dev/video0"),
            SourceError("busy"),
            back,
        ]
    )
    _until(lambda: len(box.shots) == 4)
    assert box.state() == LIVE
    box_size = [(None, None), *(3 * [((128, 96), 25.0)])]
    assert box.asked == box_size
    assert [box.shots.get().frame.number for _ in range(4)] == [0, 1, 2, 3]  # type: ignore[union-attr]
    box.capture.stop()
    back.released.set()
    assert box.stage.join(2)


def test_a_rate_that_a_camera_says_once_does_not_stay() -> None:
    """A source opens at the wanted rate, or what it says itself where that is less."""
    openings = []
    for said in (30.0, 4.0, 30.0, 30.0):
        opening = Script([frame(0), SourceError("lost")])
        opening.fps = said
        openings.append(opening)
    box = Box([*openings, Script([HANG])])
    _until(lambda: len(box.asked) == 5)
    assert [fps for _, fps in box.asked] == [None, 30, 30, 30, 30]
    box.capture.stop()


def test_a_network_camera_that_is_not_up_yet_is_waited_for() -> None:
    script = Script([frame(0)])
    box = Box([SourceError("refused"), SourceError("refused"), script])
    _until(lambda: len(box.shots) == 1)
    assert box.error is None
    box.capture.stop()
    script.released.set()


def test_silence_means_no_signal_and_a_hang_is_left_behind() -> None:
    hung, fresh = Script([frame(0)]), Script([frame(0)])
    box = Box([hung, fresh])
    _until(lambda: box.state() == NO_SIGNAL)
    _until(lambda: box.state() == LIVE and len(box.asked) == 2)
    hung.released.set()
    _until(lambda: hung.closed)
    box.capture.stop()
    fresh.released.set()
    assert box.stage.join(2)


def test_no_signal_is_told_within_two_seconds_by_default() -> None:
    assert Patience().no_signal_s <= 2


def test_a_file_that_pauses_is_not_a_camera_that_hangs() -> None:
    script = Script([frame(0)])
    box = Box([script], live=False)
    time.sleep(QUICK.hang_s + 0.15)
    assert box.state() == LIVE
    assert len(box.asked) == 1
    script.released.set()
    box.capture.stop()


def test_the_newest_shot_wins_and_the_others_are_counted() -> None:
    box = Box([Script([frame(n) for n in range(10)] + [None])], live=False, capacity=1)
    assert box.stage.join(5)
    assert _taken(box) == [9]
    figures = box.figures.snapshot()
    assert (figures["frames_captured"], figures["frames_skipped"]) == (10, 9)


def test_stop_ends_the_stage_though_the_source_hangs() -> None:
    script = Script([])
    box = Box([script])
    box.capture.stop()
    assert box.stage.join(2)
    script.released.set()


def test_state_changes_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    script = Script([frame(0), frame(1)])
    errors = [SourceError("unplugged")] * 4

    def events() -> list[str]:
        return [r.getMessage() for r in caplog.records if r.name == "streamer.capture"]

    with caplog.at_level("INFO"):
        box = Box([Script([frame(0), errors[0]]), *errors, script])
        _until(lambda: box.state() == LIVE and len(box.asked) == 6 and len(events()) >= 3)
    assert events() == ["source opened", "no signal: unplugged", "the source is back"]
    box.capture.stop()
    script.released.set()
