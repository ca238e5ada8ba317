"""The window, on a screen of Xvfb: what is to be seen, and what the keys do."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from made_pictures import decoded, shown
from made_streams import coded, frame, stream_file
from screen import XVFB, Screen, screen

from daemon.errors import UsageError
from daemon.figures import Figures
from engines.codec import PLAIN, Restorer
from engines.frame import Frame, Planes, planes_to_video_frame
from viewer.pace import Pace
from viewer.picture import Shown
from viewer.restorers import Restorers
from viewer.sinks.snapshot import save_snapshot

try:
    from viewer.sinks.canvas import Canvas, CanvasError
    from viewer.sinks.window import Window  # first: it keeps SDL's remark on its version quiet
    import sdl2  # isort: skip
except ImportError:
    pytest.skip("SDL is not installed (extra `window`)", allow_module_level=True)

needs_screen = pytest.mark.skipif(XVFB is None, reason="Xvfb is not installed (Debian: xvfb)")
WAIT_S = 20.0


@pytest.fixture
def display(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    folder = tmp_path / "screen"
    folder.mkdir()
    with screen(folder) as made:
        monkeypatch.setenv("DISPLAY", made.name)
        monkeypatch.setenv("SDL_VIDEODRIVER", "x11")
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        yield made


class Knob:
    fidelity = 0.5

    def set_fidelity(self, fidelity: float) -> None:
        self.fidelity = fidelity


class Opened:
    """A window and what it does to the rest."""

    def __init__(self, folder: Path, streams: int) -> None:
        self.streams = [Figures() for _ in range(streams)]
        self.figures, self.knob, self.quits = self.streams[0], Knob(), threading.Event()
        self.broke: list[BaseException] = []
        self.window = Window(self.streams, self.knob, self.quits.set, self.broke.append, folder)

    def press(self, *symbols: int) -> None:
        for symbol in symbols:
            event = sdl2.SDL_Event()
            event.type = sdl2.SDL_KEYDOWN
            event.key.keysym.sym = symbol
            sdl2.SDL_PushEvent(ctypes.byref(event))


@contextmanager
def window(folder: Path, streams: int = 1) -> Iterator[Opened]:
    opened = Opened(folder, streams)
    try:
        yield opened
    finally:
        opened.window.close()


def until(holds: Callable[[], bool]) -> bool:
    """Wait for it, but not for ever."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False


def rgb(planes: Planes) -> np.ndarray:
    """What a monitor is to show: BT.709, limited range."""
    picture = planes_to_video_frame(planes).reformat(
        format="rgb24", src_colorspace="ITU709", src_color_range="MPEG", dst_color_range="JPEG"
    )
    return picture.to_ndarray().astype(float)


def colourful(width: int = 320, height: int = 240) -> Planes:
    y = frame(0, width, height).planes.y
    rows, columns = np.mgrid[0 : height // 2, 0 : width // 2]
    u, v = 255 * rows // (height // 2), 255 * columns // (width // 2)
    return Planes(y, (64 + u // 2).astype(np.uint8), (64 + v // 2).astype(np.uint8))


def picture(planes: Planes, stream: int = 0) -> Shown:
    made = shown(0, width=planes.width, height=planes.height)
    return replace(made, frame=Frame(planes, 0, 0), decoded=replace(made.decoded, place=stream))


def difference(
    display: Screen, planes: Planes, at: tuple[int, int], part: tuple[int, int] | None = None
) -> float:
    """Of a part (width, height) of the picture; else the upper three quarters, above the notes."""
    x, y = at
    width, height = part or (planes.width, planes.height * 3 // 4)
    there = display.rgb()[y : y + height, x : x + width].astype(float)
    return float(np.abs(there - rgb(planes)[:height, :width]).mean())


@needs_screen
def test_the_picture_is_shown_in_its_colours_at_its_size(display: Screen, tmp_path: Path) -> None:
    planes = colourful()
    with window(tmp_path) as opened:
        opened.window.show(picture(planes))
        centre = ((800 - 320) // 2, (600 - 240) // 2)
        assert until(lambda: difference(display, planes, centre) < 4)
        assert display.rgb()[0, 0].tolist() == [0, 0, 0]  # outside of the window


@needs_screen
def test_the_whole_screen_keeps_the_shape_and_shows_the_newest(
    display: Screen, tmp_path: Path
) -> None:
    with window(tmp_path) as opened:
        opened.window.show(picture(colourful(320, 240)))
        opened.press(sdl2.SDLK_f)
        wide = frame(9, 400, 150).planes  # twice as large it is as wide as the screen
        opened.window.show(picture(wide))

        def fills() -> bool:
            seen = display.rgb().astype(float)
            middle = seen[150:449:2, ::2].copy()
            bars = max(seen[:140].max(), 0)
            return bool(bars < 1 and np.abs(middle - rgb(wide))[:100].mean() < 6)

        assert until(fills)


@needs_screen
def test_keys_change_fidelity_show_figures_keep_pictures_and_quit(
    display: Screen, tmp_path: Path
) -> None:
    planes = colourful()
    with window(tmp_path) as opened:
        opened.figures.set("engine", "lite")
        opened.figures.set("source_size", "320x240")
        opened.window.show(picture(planes))
        centre = (240, 180)
        text = (60, 12)  # where the figures stand
        assert until(lambda: difference(display, planes, centre, text) < 4)
        opened.press(sdl2.SDLK_RIGHT, sdl2.SDLK_UP, sdl2.SDLK_LEFT, sdl2.SDLK_UP)
        assert until(lambda: opened.knob.fidelity == 0.7)
        opened.press(*[sdl2.SDLK_DOWN] * 9)
        assert until(lambda: opened.knob.fidelity == 0.0)
        opened.press(sdl2.SDLK_i)
        assert until(lambda: difference(display, planes, centre, text) > 20)
        opened.press(sdl2.SDLK_i)
        assert until(lambda: difference(display, planes, centre, text) < 4)
        opened.press(sdl2.SDLK_s)
        assert until(lambda: any(path.suffix == ".png" for path in tmp_path.iterdir()))
        assert not opened.quits.is_set()
        opened.press(sdl2.SDLK_q)
        assert opened.quits.wait(WAIT_S)


@needs_screen
def test_the_tab_key_goes_round_the_streams(display: Screen, tmp_path: Path) -> None:
    first = colourful()
    second = Planes(255 - first.y, first.v, first.u)
    centre = (240, 180)
    with window(tmp_path, streams=3) as opened:
        opened.streams[1].set("peer", "drone")
        opened.window.show(picture(first))
        opened.window.show(picture(second, stream=1))
        assert until(lambda: difference(display, first, centre) < 4)
        opened.press(sdl2.SDLK_TAB)
        assert until(lambda: difference(display, second, centre) < 4)
        later = Planes(first.y[::-1].copy(), first.u, first.v)
        opened.window.show(picture(later))  # of a stream that nobody watches now
        time.sleep(0.5)
        assert difference(display, second, centre) < 4
        opened.press(sdl2.SDLK_TAB)  # the third, of which nothing came
        assert until(lambda: float(display.rgb()[180:300, 240:560].mean()) < 1)
        opened.press(sdl2.SDLK_TAB)
        assert until(lambda: difference(display, later, centre) < 4)
        assert opened.broke == []


@needs_screen
@pytest.mark.parametrize("key", ["SDLK_ESCAPE", None])
def test_escape_and_the_button_of_the_window_quit(
    display: Screen, tmp_path: Path, key: str | None
) -> None:
    with window(tmp_path) as opened:
        if key is None:
            event = sdl2.SDL_Event()
            event.type = sdl2.SDL_QUIT
            sdl2.SDL_PushEvent(ctypes.byref(event))
        else:
            opened.press(getattr(sdl2, key))
        assert opened.quits.wait(WAIT_S)


@needs_screen
def test_a_file_is_watched_in_the_window_to_its_end(display: Screen, tmp_path: Path) -> None:
    file = stream_file(tmp_path / "s.mkv", coded(75))
    command = [sys.executable, "-m", "viewer.cli", "--input", str(file), "--window"]
    run = subprocess.Popen(
        [*command, "--engine", "plain", "--figures-port", "0"], stderr=subprocess.PIPE
    )
    with run:
        lit = until(lambda: bool(display.rgb().max() > 200))
        assert run.wait(WAIT_S) == 0
    assert lit


@needs_screen
def test_a_window_that_breaks_is_told_of_and_no_more_drawn(
    display: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(canvas: Canvas, planes: Planes) -> None:
        raise CanvasError("the graphics card is gone")

    monkeypatch.setattr(Canvas, "put", breaks)
    with window(tmp_path) as opened:
        opened.window.show(picture(colourful()))
        assert until(lambda: bool(opened.broke))
        opened.window.show(picture(colourful()))
        assert not opened.quits.is_set()


@needs_screen
def test_ctrl_c_ends_a_viewer_with_a_window(display: Screen, tmp_path: Path) -> None:
    keys = ["--listen", "127.0.0.1:0", "--window", "--engine", "plain", "--figures-port", "0"]
    command = [sys.executable, "-m", "viewer.cli", *keys, "--state", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as viewer:
        assert viewer.stderr is not None
        for line in viewer.stderr:
            if b"listening" in line:
                break
        viewer.send_signal(signal.SIGINT)
        assert viewer.wait(WAIT_S) == 0


def test_without_a_display_the_message_says_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")
    monkeypatch.setenv("SDL_VIDEODRIVER", "x11")
    with pytest.raises(UsageError, match=r"no display .*DISPLAY=:0.*--web"), window(tmp_path):
        pass


def test_without_sdl_the_message_says_what_to_install(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['sdl2'] = None; from viewer.cli import main; sys.exit(main())"
    file = stream_file(tmp_path / "s.mkv", coded(2))
    run = subprocess.run(
        [sys.executable, "-c", hide, "--input", str(file), "--window", "--figures-port", "0"],
        capture_output=True, timeout=60, check=False, env={**os.environ},
    )  # fmt: skip
    assert run.returncode == 2
    assert b"pip install 'denc[window]'" in run.stderr
    assert b"Traceback" not in run.stderr


def test_snapshots_never_replace_a_file_and_hold_the_picture(tmp_path: Path) -> None:
    planes = colourful()
    paths = [save_snapshot(planes, tmp_path, lambda: time.gmtime(0)) for _ in range(3)]
    assert [path.name for path in paths] == [
        "denc-19700101-000000.png", "denc-19700101-000000-1.png", "denc-19700101-000000-2.png",
    ]  # fmt: skip
    with av.open(str(paths[2])) as container:
        kept = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(kept - rgb(planes)).mean() < 1


def test_fidelity_is_turned_while_running() -> None:
    def opener(engine: str, network_id: bytes, *, threads: int, fidelity: float) -> Restorer:
        return Restorer(PLAIN, None, threads, "as asked for", fidelity)

    restorers = Restorers(PLAIN, threads=1, fidelity=0.5, opener=opener)
    first, _ = restorers.for_picture(decoded(0, network_id=bytes(8)), Pace())
    restorers.set_fidelity(0.8)
    other, _ = restorers.for_picture(decoded(1, network_id=bytes([1] * 8)), Pace())
    assert (restorers.fidelity, first.fidelity, other.fidelity) == (0.8, 0.5, 0.8)
