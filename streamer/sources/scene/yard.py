"""What stands where in the yard, and how the camera moves along it.

Lengths are those of a picture 720 rows high; another size is the same scene, scaled.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from engines.frame import Plane, Planes
from streamer.sources.scene.cutouts import astronaut, motorcycle
from streamer.sources.scene.layers import Backdrop, Ground, Sprite, moved_rows
from streamer.sources.scene.pictures import (
    Grey,
    Rgb,
    blurred,
    photograph,
    planes,
    resized,
    resized_mask,
)
from streamer.sources.scene.textures import (
    Colour,
    Line,
    brick_wall,
    grass,
    gravel,
    in_perspective,
    patches,
    texture,
)

ROWS = 720
WALL_FOOT = 440  # row where the wall meets the ground
EYE = 322  # row of the horizon, were there no wall
PAN = 330  # of the camera, to either side
SHAKE = 3  # rows
FOCAL = 1280
POSTERS = (  # picture, centre x, top, width; x from the middle of the wall
    ("rocket.jpg", -640, 96, 330),
    ("coffee.png", -205, 78, 330),
    ("chelsea.png", 215, 92, 300),
    ("hubble_deep_field.jpg", 560, 84, 270),
    ("rocket.jpg", 905, 110, 270),
)
BIKE_FOOT, BIKE_SCALE, BIKE_X = 612, 0.98, -330
WOMAN_DISTANCE, WOMAN_SCALE, WOMAN_X = 2.9, 0.98, 190
NOISE_SIGMA = 1.1  # of luma, as a good camera has it by day
NOISE_SAMPLES = 1 << 19


class Yard:
    """The scene at one size; `picture` is a pure function of the time."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._unit = unit = height / ROWS
        self._foot = _even(WALL_FOOT * unit)
        self._margin = _even(SHAKE * unit) + 2
        self._canvas_width = width + width % 2
        rows = height + height % 2 + 2 * self._margin
        self._rows = rows
        reach = PAN + 60
        self._wall_width = _even(self._canvas_width + 2 * reach * unit) + 2
        speeds = (np.arange(rows - self._foot) + 0.5) / (unit * (WALL_FOOT - EYE)) + 1
        self._wall = Backdrop(planes(_wall(self._wall_width, self._foot, unit)))
        ground_width = _even(self._canvas_width + 2 * reach * unit * speeds[-1]) + 4
        self._ground = Ground(planes(_ground(speeds, ground_width, unit)), self._foot, speeds)
        self._bike = _sprite(*_with_shadow(*motorcycle()), BIKE_SCALE * unit)
        self._bike_speed = (BIKE_FOOT - EYE) / (WALL_FOOT - EYE)
        self._woman = _sprite(*astronaut(), WOMAN_SCALE * unit)
        noise = np.random.default_rng(7).normal(0, NOISE_SIGMA, NOISE_SAMPLES + width * height)
        self._noise = np.rint(noise).astype(np.int8).view(np.uint8)

    def picture(self, time_s: float, number: int) -> Planes:
        """The scene at a time; `number` seeds the sensor's noise."""
        unit = self._unit
        pan = (PAN * math.sin(time_s / 4.3 - 0.8) + 40 * math.sin(time_s / 1.37)) * unit
        canvas = _canvas(self._canvas_width, self._rows)
        self._wall.draw(canvas, (self._wall_width - self._canvas_width) / 2 - 1 + pan)
        self._ground.draw(canvas, pan)
        middle = self._canvas_width / 2
        self._bike.draw(
            canvas,
            middle + (BIKE_X * unit - pan) * self._bike_speed - self._bike.width / 2,
            self._margin + BIKE_FOOT * unit - self._bike.height,
        )
        zoom = 1 + 0.035 * math.sin(time_s / 2.1)
        sway = 14 * math.sin(time_s / 1.9 + 1) * unit
        self._woman.draw(
            canvas,
            middle + (WOMAN_X * unit - pan) * WOMAN_DISTANCE + sway - zoom * self._woman.width / 2,
            self._rows + 8 * unit - self._woman.height * zoom + 5 * math.sin(time_s * 1.7) * unit,
            zoom,
        )
        return self._filmed(canvas, time_s, number)

    def _filmed(self, canvas: Planes, time_s: float, number: int) -> Planes:
        """What the camera in a hand makes of it: a little shake, a little noise."""
        shake = SHAKE * (0.6 * math.sin(time_s * 2.9) + 0.4 * math.sin(time_s * 4.7 + 2))
        top = self._margin + shake * self._unit
        width, height = self._width, self._height
        half = ((width + 1) // 2, (height + 1) // 2)
        y = moved_rows(canvas.y[:, :width], top, height)
        start = number * 40_503 % NOISE_SAMPLES
        y += self._noise[start : start + width * height].reshape(height, width)
        u, v = (moved_rows(p[:, : half[0]], top / 2, half[1]) for p in (canvas.u, canvas.v))
        return Planes(y, u, v)


@lru_cache(maxsize=2)
def yard(width: int, height: int) -> Yard:
    """The yard at a size; it takes about a second to build, so the last ones are kept."""
    return Yard(width, height)


def _wall(width: int, height: int, unit: float) -> Rgb:
    wall = brick_wall(width, height, 0.62 * unit)
    for name, x, top, wide in POSTERS:
        _hang(wall, photograph(name), round(width / 2 + x * unit), round(top * unit), wide * unit)
    light = np.linspace(1.08, 0.9, height, dtype=np.float32)[:, None]
    light = light * (1 + 0.14 * np.cos(np.arange(width, dtype=np.float32) / (190 * unit)))
    foot = np.clip((height - np.arange(height, dtype=np.float32)) / (26 * unit), 0, 1)[:, None]
    return _bytes(wall * (light * (0.55 + 0.45 * foot))[..., None])


def _hang(wall: Colour, picture: Rgb, x: int, top: int, width: float) -> None:
    """A framed print, with the shadow that it throws on the wall."""
    frame = max(round(width / 28), 1)
    inner = round(width) - 2 * frame
    print_ = resized(picture, inner, round(inner * picture.shape[0] / picture.shape[1]))
    framed = np.full(
        (print_.shape[0] + 2 * frame, print_.shape[1] + 2 * frame, 3), (226, 222, 212), np.float32
    )
    framed[frame:-frame, frame:-frame] = print_ * 0.92 + 6
    rows, columns = framed.shape[:2]
    left = x - columns // 2
    if left < 2 * frame or left + columns + 3 * frame > wall.shape[1]:
        return
    near = wall[top : top + rows + 3 * frame, left - frame : left + columns + 2 * frame]
    shadow = np.zeros(near.shape[:2], np.float32)
    shadow[frame : rows + frame, frame : columns + 2 * frame] = 1
    near *= (1 - 0.5 * blurred(shadow, frame))[..., None]
    wall[top : top + rows, left : left + columns] = framed


def _ground(speeds: Line, width: int, unit: float) -> Rgb:
    """Gravel along the wall, a lawn towards the camera."""
    depth = FOCAL * unit / np.append(speeds, 2 * speeds[-1] - speeds[-2])
    fine = 2.6 / unit  # pixels of a texture per pixel at the wall

    def seen(tile: Grey, pixels: float) -> Grey:
        return in_perspective(tile, depth * pixels, speeds / pixels, width)

    stone = gravel(seen(texture("gravel.png"), fine))
    lawn = grass(seen(texture("grass.png"), fine * 0.8))
    edge = seen(patches(1024, 3), 1.1 / unit)
    towards = np.linspace(-0.35, 1.15, len(speeds), dtype=np.float32)[:, None]
    share = np.clip((edge - 0.5 + towards - 0.42) * 6 + 0.5, 0, 1)[..., None]
    light = np.clip(np.arange(len(speeds), dtype=np.float32) / (22 * unit), 0, 1)[:, None, None]
    return _bytes((stone + (lawn - stone) * share) * (0.6 + 0.4 * light))


def _with_shadow(image: Rgb, mask: Grey) -> tuple[Rgb, Grey]:
    """The bike with its shadow on the ground, which is black and half transparent."""
    height, width = mask.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    line = 398 + (x - 200) * (445 - 398) / 420  # from the rear wheel to the front wheel
    shadow = np.exp(-(((y - line) / 16) ** 2)) * np.clip(np.minimum(x - 95, 700 - x) / 60, 0, 1)
    shadow = blurred((0.8 * shadow).astype(np.float32), 4)
    alpha = mask + (1 - mask) * shadow
    solid = (mask / np.maximum(alpha, 1e-3))[..., None]
    return _bytes(image * solid + 14 * (1 - solid)), alpha


def _sprite(image: Rgb, mask: Grey, scale: float) -> Sprite:
    width, height = (max(_even(side * scale), 2) for side in (image.shape[1], image.shape[0]))
    alpha = np.zeros((height + 4, width + 4), np.float32)
    alpha[2:-2, 2:-2] = resized_mask(mask, width, height)
    picture = np.pad(resized(image, width, height), ((2, 2), (2, 2), (0, 0)), mode="edge")
    return Sprite(planes(picture), np.rint(alpha * 255).astype(np.uint8))


def _canvas(width: int, height: int) -> Planes:
    y: Plane = np.empty((height, width), np.uint8)
    u: Plane = np.empty((height // 2, width // 2), np.uint8)
    return Planes(y, u, np.empty_like(u))


def _even(length: float) -> int:
    return 2 * round(length / 2)


def _bytes(colour: Colour) -> Rgb:
    return np.asarray(np.clip(np.rint(colour), 0, 255), np.uint8)
