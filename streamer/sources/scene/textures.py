"""Surfaces of the yard, coloured and laid out from scikit-image's grey textures."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from streamer.sources.scene.pictures import (
    Grey,
    blurred,
    clouds,
    photograph,
    resized,
)

Colour = npt.NDArray[np.floating[Any]]  # (..., 3), 0..255
Line = npt.NDArray[np.floating[Any]]  # one value a row or column

# the paving of brick.png is seen at an angle: width of a brick at the upper and the lower border
BRICK_TOP, BRICK_BOTTOM = 30.5, 41.5  # pixels
BRICK_AXIS = 220  # the column that stands upright
COURSES = (10, 511)  # columns at the lower border, from joint to joint
FADE = 96  # pixels over which a texture goes over into its repetition

CLAY = ((84, 46, 38), (152, 98, 80))
MORTAR = ((120, 112, 102), (186, 178, 166))
STONE = ((52, 48, 46), (206, 198, 188))
LEAF = ((24, 34, 16), (168, 182, 108))


def brick_wall(width: int, height: int, brick_scale: float) -> Colour:
    """A brick wall (height, width, 3); `brick_scale` is in pixels per pixel of brick.png."""
    tile = _straightened(photograph("brick.png")[..., 0])
    tile = resized(tile, round(tile.shape[1] * brick_scale), round(tile.shape[0] * brick_scale))
    value = _tiled(tile, width, height)
    grain = _tiled(photograph("gravel.png")[..., 0], width, height) - 0.45
    mortar = np.clip((blurred(value, 1, 1) - 0.47) / 0.14, 0, 1)[..., None]
    clay = _tinted(np.clip((value - 0.3) * 2.2 + grain * 0.5, 0, 1), CLAY)
    joint = _tinted(np.clip((value - 0.4) * 2 + grain * 0.4, 0, 1), MORTAR)
    stains = 0.72 + 0.5 * clouds(width, height, max(height // 3, 8), 1)
    stains *= 0.9 + 0.2 * clouds(width, height, max(height // 14, 4), 2)
    wall: Colour = (clay + (joint - clay) * mortar) * stains[..., None]
    return wall


def gravel(value: Grey) -> Colour:
    """Grey stones of a texture."""
    return _tinted(np.clip((value - 0.5) * 1.25 + 0.5, 0, 1), STONE)


def grass(value: Grey) -> Colour:
    """Green blades of a texture."""
    return _tinted(np.clip((value - 0.45) * 1.3 + 0.4, 0, 1), LEAF)


def texture(name: str) -> Grey:
    """A grey texture (H, W), 0..1, whose borders fade into each other so that it tiles."""
    image = photograph(name)[..., 0].astype(np.float32) / 255
    fade = np.linspace(0, 1, FADE, dtype=np.float32)
    for _ in range(2):
        image = image.T
        image[-FADE:] += (image[:FADE] - image[-FADE:]) * fade[:, None]
        image = image[FADE:]
    return image


def patches(size: int, seed: int) -> Grey:
    """Where one ground gives way to another: a tileable mask (size, size), 0..1."""
    half = size // 2
    field = clouds(half, half, half // 3, seed) + 0.5 * clouds(half, half, half // 12, seed + 1)
    field = np.concatenate((field, field[:, ::-1]), axis=1)
    return np.concatenate((field, field[::-1]), axis=0) / 1.5


def in_perspective(tile: Grey, rows: Line, speeds: Line, width: int) -> Grey:
    """A ground seen from above it: (len(speeds), width).

    Row r shows the tile's rows from `rows[r + 1]` to `rows[r]` (they fall), and
    1 / `speeds[r]` of its columns per pixel, counted from the middle. Both are averaged over
    the pixel, so that nothing shimmers.
    """
    height, period = tile.shape
    out = np.empty((len(speeds), width), np.float32)
    total = np.concatenate((np.zeros((1, period)), np.cumsum(tile, axis=0, dtype=np.float64)))
    borders = np.arange(width + 1) - width / 2
    for r, speed in enumerate(speeds):
        low, high = rows[r + 1], rows[r]
        line = (_integral(total, high, height) - _integral(total, low, height)) / (high - low)
        along = np.concatenate(((0.0,), np.cumsum(np.tile(line, 2))))
        at = borders / speed
        whole = np.floor(at / period)
        sums = np.interp(at - whole * period, np.arange(2 * period + 1), along)
        out[r] = np.diff(sums + whole * along[period]) * speed
    return out


def _integral(total: Grey, at: float, height: int) -> Line:
    """The sum of a tile's rows from 0 to `at`, rows repeating for ever."""
    rounds, rest = divmod(at, height)
    whole = min(int(rest), height - 1)
    part = total[whole] + (total[whole + 1] - total[whole]) * (rest - whole)
    return np.asarray(total[height] * rounds + part)


def _straightened(paving: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The paving seen from above, turned so that its bricks lie in level courses."""
    size = paving.shape[0]
    ratio = BRICK_TOP / BRICK_BOTTOM
    length = round(size / ratio)
    # distance goes with 1 / scale
    scale = 1 / np.linspace(1 / ratio, 1, length)
    y = (scale - ratio) / (1 - ratio) * (size - 1)
    x = BRICK_AXIS + scale[:, None] * (np.arange(*COURSES) - BRICK_AXIS)
    return np.ascontiguousarray(_bilinear(paving, y[:, None], x).T)


def _bilinear(image: npt.NDArray[np.uint8], y: Line, x: Line) -> npt.NDArray[np.uint8]:
    y = np.clip(y, 0, image.shape[0] - 1.001)
    x = np.clip(x, 0, image.shape[1] - 1.001)
    top, left = y.astype(int), x.astype(int)
    fy, fx = y - top, x - left
    upper = image[top, left] * (1 - fx) + image[top, left + 1] * fx
    lower = image[top + 1, left] * (1 - fx) + image[top + 1, left + 1] * fx
    return np.asarray(np.rint(upper * (1 - fy) + lower * fy), np.uint8)


def _tiled(tile: npt.NDArray[np.uint8], width: int, height: int) -> Grey:
    """The tile mirrored to the right, repeated downwards."""
    pair = np.concatenate((tile, tile[:, ::-1]), axis=1)
    across, down = -(-width // pair.shape[1]), -(-height // pair.shape[0])
    return np.tile(pair, (down, across))[:height, :width].astype(np.float32) / 255


def _tinted(value: Grey, colours: tuple[tuple[int, ...], tuple[int, ...]]) -> Colour:
    dark, bright = (np.array(colour, np.float32) for colour in colours)
    tinted: Colour = dark + value[..., None] * (bright - dark)
    return tinted
