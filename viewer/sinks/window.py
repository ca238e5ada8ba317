"""The restored pictures in a window of the desktop, or on the whole screen."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

from daemon.errors import UsageError
from daemon.figures import Figures
from daemon.log import event
from daemon.stage import Stage
from engines.frame import Planes
from viewer.picture import Shown
from viewer.sinks.canvas import CLOSE, Canvas, CanvasError
from viewer.sinks.snapshot import save_snapshot
from viewer.summary import figure_lines, state_words

TITLE = "denc-view"
TICK_MS = 200  # at least this often the text is drawn anew
NOTE_S = 3.0  # that a note stays
OPEN_TIMEOUT_S = 20.0
FIDELITY_STEP = 0.1
QUIT = ("q", "escape", CLOSE)
STEPS = {"right": 1, "up": 1, "left": -1, "down": -1}
KEYS = "f full screen, i figures, s snapshot, arrows fidelity, q quit"
KEYS_OF_SEVERAL = "tab next stream, " + KEYS

_log = logging.getLogger(__name__)


class Fidelity(Protocol):
    """What the arrow keys turn: `viewer.restorers.Restorers`."""

    @property
    def fidelity(self) -> float: ...

    def set_fidelity(self, fidelity: float) -> None: ...


class Window:
    """A sink with a thread of its own for the window, which also lives between pictures."""

    name = "window"
    capacity = 1

    def __init__(
        self,
        streams: Sequence[Figures],
        knob: Fidelity,
        quit_: Callable[[], None],
        broke: Callable[[BaseException], None],
        folder: Path,
    ) -> None:
        """`streams` are the figures of each; `quit_` is called when the user has seen enough,
        `broke` when the window cannot go on; snapshots go to `folder`.

        Raises UsageError where no window can be opened.
        """
        self._streams = streams
        self._watched = 0  # the stream
        self._knob = knob
        self._quit = quit_
        self._broke = broke
        self._folder = folder
        self._newest: dict[int, Planes] = {}  # by stream
        self._drawn: Planes | None = None
        self._is_sized = False  # as the first picture is
        self._with_figures = False
        self._note = KEYS if len(streams) == 1 else KEYS_OF_SEVERAL
        self._note_until_s = time.monotonic() + 2 * NOTE_S
        self._closing = threading.Event()
        self._opened: Future[Canvas] = Future()
        self._stage = Stage("window", self._run, self._failed)
        self._canvas = self._opened.result(OPEN_TIMEOUT_S)

    def show(self, value: Shown) -> None:
        place = value.decoded.place
        self._newest[place] = value.frame.planes
        if place == self._watched:
            self._canvas.poke()

    def close(self) -> None:
        if not self._closing.is_set():
            self._closing.set()
            self._canvas.poke()
            self._stage.join(OPEN_TIMEOUT_S)

    def _run(self) -> None:
        try:
            canvas = Canvas(TITLE)
        except CanvasError as error:
            self._opened.set_exception(_no_window(error))
            return
        self._opened.set_result(canvas)
        try:
            while not self._closing.is_set():
                for key in canvas.wait(TICK_MS):
                    self._press(key, canvas)
                self._draw(canvas)
        finally:
            self._closing.set()
            canvas.close()

    def _failed(self, error: BaseException) -> None:
        event(_log, f"the window broke: {error}", level=logging.ERROR)
        self._broke(error)

    def _press(self, key: str, canvas: Canvas) -> None:
        if key in QUIT:
            self._quit()
        elif key == "f":
            canvas.toggle_full_screen()
        elif key == "i":
            self._with_figures = not self._with_figures
        elif key == "s":
            self._snapshot()
        elif key == "\t" and len(self._streams) > 1:
            self._watch((self._watched + 1) % len(self._streams), canvas)
        elif key in STEPS:
            wanted = self._knob.fidelity + STEPS[key] * FIDELITY_STEP
            self._knob.set_fidelity(round(min(1.0, max(0.0, wanted)), 3))
            self._tell(
                f"fidelity {self._knob.fidelity:.1f}: 0 closest to the source, 1 best looking"
            )

    def _watch(self, stream: int, canvas: Canvas) -> None:
        self._watched = stream
        self._drawn = None
        canvas.clear()
        name = self._streams[stream].snapshot().get("peer", "nobody yet")
        self._tell(f"stream {stream}, the last is {len(self._streams) - 1}: {name}")

    def _draw(self, canvas: Canvas) -> None:
        newest = self._newest.get(self._watched)
        if newest is not None and newest is not self._drawn:
            if not self._is_sized:
                canvas.resize_for(newest.width, newest.height)
                self._is_sized = True
            canvas.put(newest)
            self._drawn = newest
        figures = self._streams[self._watched].snapshot()
        note = self._note if time.monotonic() < self._note_until_s else ""
        canvas.draw(
            figure_lines(figures) if self._with_figures else [],
            [line for line in (state_words(figures), note) if line],
        )

    def _snapshot(self) -> None:
        planes = self._drawn
        if planes is None:
            self._tell("no picture to keep yet")
            return
        self._tell("keeping a snapshot ...")
        Stage("snapshot", lambda: self._keep(planes), self._not_kept)

    def _keep(self, planes: Planes) -> None:
        path = save_snapshot(planes, self._folder)
        event(_log, "snapshot", file=path)
        self._tell(f"kept as {path}")

    def _not_kept(self, error: BaseException) -> None:
        event(_log, f"no snapshot: {error}", level=logging.ERROR)
        self._tell(f"not kept: {error}")

    def _tell(self, note: str) -> None:
        self._note, self._note_until_s = note, time.monotonic() + NOTE_S


def _no_window(error: CanvasError) -> UsageError:
    return UsageError(
        f"--window finds no display ({error}): run it in a desktop session, set DISPLAY or "
        "WAYLAND_DISPLAY (such as DISPLAY=:0 over ssh), or watch the page with --web 8890"
    )
