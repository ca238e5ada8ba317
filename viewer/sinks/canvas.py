"""A window of SDL: one picture as large as fits, text over it, and the keys that are pressed.

The one file that knows SDL. Planes go to the graphics card as they are; it turns YUV into RGB and
scales. Everything but `poke` is called from the thread that made the canvas.
"""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

with warnings.catch_warnings():  # it tells, as a warning, which of the installed SDLs it took
    warnings.simplefilter("ignore")
    import sdl2
    from sdl2 import sdlgfx

from engines.frame import Plane, Planes
from viewer.sinks.fit import inner

FIRST_SIZE = (960, 540)
ROOM = 0.9  # of the screen, that a window may take when it opens
BT709 = 2  # SDL_YUV_CONVERSION_BT709, which PySDL2 does not name
CHARACTER = 8  # pixels each way, of the font that SDL2_gfx has built in
LINES_PER_HEIGHT = 36  # how large the text is
PADDING = 4  # around it, in pixels of the font
CLOSE = "close"
_KEYS = {
    sdl2.SDLK_LEFT: "left",
    sdl2.SDLK_RIGHT: "right",
    sdl2.SDLK_UP: "up",
    sdl2.SDLK_DOWN: "down",
    sdl2.SDLK_ESCAPE: "escape",
}


class CanvasError(Exception):
    """There is no window to be had; the message is SDL's."""


class Canvas:
    """A window that can be resized and keeps the shape of its picture."""

    def __init__(self, title: str) -> None:
        """Raises CanvasError, for example without a display."""
        for hint, value in (
            (sdl2.SDL_HINT_NO_SIGNAL_HANDLERS, b"1"),  # Ctrl-C is the daemon's
            (sdl2.SDL_HINT_RENDER_SCALE_QUALITY, b"linear"),
            (sdl2.SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, b"0"),
        ):
            sdl2.SDL_SetHint(hint, value)
        self._window: Any = None  # pointers of SDL
        self._renderer: Any = None
        self._texture: Any = None
        self._texture_size: tuple[int, int] | None = None
        if sdl2.SDL_Init(sdl2.SDL_INIT_VIDEO):
            raise CanvasError(_reason())
        sdl2.SDL_SetYUVConversionMode(BT709)
        flags = sdl2.SDL_WINDOW_RESIZABLE | sdl2.SDL_WINDOW_ALLOW_HIGHDPI
        centre = sdl2.SDL_WINDOWPOS_CENTERED
        self._window = sdl2.SDL_CreateWindow(title.encode(), centre, centre, *FIRST_SIZE, flags)
        if self._window:
            self._renderer = sdl2.SDL_CreateRenderer(self._window, -1, 0)
        if not self._renderer:
            reason = _reason()
            self.close()
            raise CanvasError(reason)
        self._poke_event: int = sdl2.SDL_RegisterEvents(1)
        self._windowed: tuple[int, int, int, int] | None = None  # where it was, if full screen

    def poke(self) -> None:
        """End a `wait`; callable from any thread."""
        event = sdl2.SDL_Event()
        event.type = self._poke_event
        sdl2.SDL_PushEvent(ctypes.byref(event))

    def wait(self, timeout_ms: int) -> list[str]:
        """Wait until something happens; the keys pressed, `close` for the window's button."""
        event, keys = sdl2.SDL_Event(), []
        more = sdl2.SDL_WaitEventTimeout(ctypes.byref(event), timeout_ms)
        while more:
            if event.type == sdl2.SDL_QUIT:
                keys.append(CLOSE)
            elif event.type == sdl2.SDL_KEYDOWN:
                symbol = event.key.keysym.sym
                keys.append(_KEYS.get(symbol) or (chr(symbol) if symbol < 128 else ""))
            more = sdl2.SDL_PollEvent(ctypes.byref(event))
        return [key for key in keys if key]

    def resize_for(self, width: int, height: int) -> None:
        """Make the window as large as the picture, or as large as the screen has room."""
        if self._windowed is not None:
            return
        bounds = sdl2.SDL_Rect()
        if sdl2.SDL_GetDisplayUsableBounds(0, ctypes.byref(bounds)) == 0 and bounds.w > 0:
            room = (round(bounds.w * ROOM), round(bounds.h * ROOM))
            if width > room[0] or height > room[1]:
                _, _, width, height = inner((width, height), room)
        self._move(sdl2.SDL_WINDOWPOS_CENTERED, sdl2.SDL_WINDOWPOS_CENTERED, width, height)

    def toggle_full_screen(self) -> None:
        """Fill the screen, or go back; also where no window manager is there to do it (a kiosk)."""
        if self._windowed is None:
            bounds = sdl2.SDL_Rect()
            sdl2.SDL_GetDisplayBounds(
                max(0, sdl2.SDL_GetWindowDisplayIndex(self._window)), ctypes.byref(bounds)
            )
            self._windowed = self._place()
            self._move(bounds.x, bounds.y, bounds.w, bounds.h)
            sdl2.SDL_SetWindowFullscreen(self._window, sdl2.SDL_WINDOW_FULLSCREEN_DESKTOP)
        else:
            sdl2.SDL_SetWindowFullscreen(self._window, 0)
            self._move(*self._windowed)
            self._windowed = None
        sdl2.SDL_ShowCursor(int(self._windowed is None))

    def put(self, planes: Planes) -> None:
        """The picture to draw from now on."""
        size = (planes.width, planes.height)
        if self._texture_size != size:
            self._drop_texture()
            self._texture = sdl2.SDL_CreateTexture(
                self._renderer, sdl2.SDL_PIXELFORMAT_IYUV, sdl2.SDL_TEXTUREACCESS_STREAMING, *size
            )
            if not self._texture:
                raise CanvasError(_reason())
            self._texture_size = size
        kept = [np.ascontiguousarray(plane) for plane in planes.channels]
        sdl2.SDL_UpdateYUVTexture(self._texture, None, *_pointers(kept))

    def clear(self) -> None:
        """No picture to draw, until the next."""
        self._drop_texture()
        self._texture_size = None

    def draw(self, top: Sequence[str], bottom: Sequence[str]) -> None:
        """Show the picture, and lines of text over its upper and its lower edge."""
        sdl2.SDL_SetRenderDrawColor(self._renderer, 0, 0, 0, 255)
        sdl2.SDL_RenderClear(self._renderer)
        width, height = _two_of(sdl2.SDL_GetRendererOutputSize, self._renderer)  # real pixels
        if self._texture is not None and self._texture_size is not None:
            place = sdl2.SDL_Rect(*inner(self._texture_size, (width, height)))
            sdl2.SDL_RenderCopy(self._renderer, self._texture, None, ctypes.byref(place))
        widest = max((_text_width(lines) for lines in (top, bottom) if lines), default=1)
        scale = max(1, min(round(height / LINES_PER_HEIGHT / CHARACTER), width // widest))
        sdl2.SDL_RenderSetScale(self._renderer, scale, scale)
        self._text(top, 0)
        self._text(bottom, height // scale - _text_height(bottom))
        sdl2.SDL_RenderSetScale(self._renderer, 1, 1)
        sdl2.SDL_RenderPresent(self._renderer)

    def close(self) -> None:
        self._drop_texture()
        if self._renderer:
            sdlgfx.gfxPrimitivesSetFont(None, CHARACTER, CHARACTER)  # lets its textures go
            sdl2.SDL_DestroyRenderer(self._renderer)
        if self._window:
            sdl2.SDL_DestroyWindow(self._window)
        self._window = self._renderer = None
        sdl2.SDL_Quit()

    def _text(self, lines: Sequence[str], y: int) -> None:
        if not lines:
            return
        sdl2.SDL_SetRenderDrawBlendMode(self._renderer, sdl2.SDL_BLENDMODE_BLEND)
        sdl2.SDL_SetRenderDrawColor(self._renderer, 0, 0, 0, 160)
        box = sdl2.SDL_Rect(0, y, _text_width(lines), _text_height(lines))
        sdl2.SDL_RenderFillRect(self._renderer, ctypes.byref(box))
        for number, line in enumerate(lines):
            at = y + PADDING + number * (CHARACTER + PADDING)
            text = line.encode("ascii", "replace")
            sdlgfx.stringRGBA(self._renderer, PADDING, at, text, 255, 255, 255, 255)

    def _place(self) -> tuple[int, int, int, int]:
        x, y = _two_of(sdl2.SDL_GetWindowPosition, self._window)
        return x, y, *_two_of(sdl2.SDL_GetWindowSize, self._window)

    def _move(self, x: int, y: int, width: int, height: int) -> None:
        sdl2.SDL_SetWindowSize(self._window, width, height)
        sdl2.SDL_SetWindowPosition(self._window, x, y)

    def _drop_texture(self) -> None:
        if self._texture is not None:
            sdl2.SDL_DestroyTexture(self._texture)
        self._texture = None


def _text_width(lines: Sequence[str]) -> int:
    return CHARACTER * max(map(len, lines)) + 2 * PADDING


def _text_height(lines: Sequence[str]) -> int:
    return PADDING + len(lines) * (CHARACTER + PADDING)


def _two_of(asked: Callable[..., object], whose: object) -> tuple[int, int]:
    """What SDL writes into two integers."""
    first, second = ctypes.c_int(), ctypes.c_int()
    asked(whose, ctypes.byref(first), ctypes.byref(second))
    return first.value, second.value


def _pointers(planes: Sequence[Plane]) -> list[object]:
    """Address and bytes a row of each plane, as SDL takes them."""
    kind = ctypes.POINTER(ctypes.c_ubyte)
    return [part for p in planes for part in (p.ctypes.data_as(kind), p.strides[0])]


def _reason() -> str:
    return str(sdl2.SDL_GetError().decode(errors="replace")) or "SDL gave no reason"
