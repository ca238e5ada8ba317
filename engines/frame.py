"""Pictures as they flow through denc: 8-bit YUV 4:2:0, limited range, BT.709.

Everything between a source and a sink stays in this form: it is what cameras, decoders and
encoders speak, it is half the size of RGB, and the networks read and write it directly.
"""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace, Interpolation

Plane = npt.NDArray[np.uint8]

# ITU-T H.273 matrix_coefficients that are known and not BT.709's: FCC, BT.601 twice, SMPTE 240M,
# BT.2020. What is not said is left alone: guesses by size are wrong as often as right.
OTHER_MATRICES = {4, 5, 6, 7, 9}
# What swscale refuses: BT.2020 with constant luminance counts as the other BT.2020, the rest
# (YCgCo, ICtCp, ...) as not said (2).
_INSTEAD = {10: 9, **dict.fromkeys((3, 8, *range(11, 18)), 2)}


@dataclass(frozen=True, eq=False)
class Planes:
    """Three 8-bit planes: `y` (H, W), `u` and `v` (ceil(H / 2), ceil(W / 2))."""

    y: Plane
    u: Plane
    v: Plane

    def __post_init__(self) -> None:
        half = ((self.height + 1) // 2, (self.width + 1) // 2)
        if self.u.shape != half or self.v.shape != half:
            raise ValueError(
                f"chroma planes {self.u.shape} and {self.v.shape} do not fit luma {self.y.shape}"
            )

    @property
    def width(self) -> int:
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        return int(self.y.shape[0])

    @property
    def channels(self) -> tuple[Plane, Plane, Plane]:
        return self.y, self.u, self.v


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture at source size, with its place in time.

    `number` counts the frames of the source (a frame that was skipped leaves a gap);
    `captured_us` is Unix time in microseconds.
    """

    planes: Planes
    number: int
    captured_us: int

    @property
    def width(self) -> int:
        return self.planes.width

    @property
    def height(self) -> int:
        return self.planes.height


def planes_from_video_frame(
    picture: av.VideoFrame,
    size: tuple[int, int] | None = None,
    interpolation: Interpolation = Interpolation.LANCZOS,
) -> Planes:
    """The planes of a decoded picture, converted and, with `size` (width, height), resized.

    Full range, as webcams send Motion JPEG, becomes limited, and another matrix that the picture
    names becomes BT.709's.
    """
    width, height = size or (picture.width, picture.height)
    if not picture.format.is_rgb and picture.colorspace in _INSTEAD:
        picture.colorspace = _INSTEAD[picture.colorspace]
    matrix = None if picture.format.is_rgb else picture.colorspace
    form = (picture.width, picture.height, picture.format.name)
    if form != (width, height, "yuv420p") or picture.color_range == ColorRange.JPEG:
        picture = picture.reformat(
            width=width,
            height=height,
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709 if matrix is None else None,
            dst_color_range=ColorRange.MPEG,
            interpolation=interpolation,
        )
    if matrix in OTHER_MATRICES:  # in the same step as a new size it would darken by 3 levels
        picture = picture.reformat(dst_colorspace=Colorspace.ITU709)
    half = ((height + 1) // 2, (width + 1) // 2)
    shapes = ((height, width), half, half)
    y, u, v = (_plane_array(picture.planes[i], *shape) for i, shape in enumerate(shapes))
    return Planes(y, u, v)


def planes_to_video_frame(planes: Planes) -> av.VideoFrame:
    """A `yuv420p` picture that holds a copy of the planes."""
    picture = av.VideoFrame(planes.width, planes.height, "yuv420p")
    for target, source in zip(picture.planes, planes.channels, strict=True):
        rows = np.frombuffer(memoryview(target), np.uint8).reshape(-1, target.line_size)
        rows[: source.shape[0], : source.shape[1]] = source
    return picture


def resized(
    planes: Planes, size: tuple[int, int], interpolation: Interpolation = Interpolation.LANCZOS
) -> Planes:
    """The picture at another size (width, height)."""
    if (planes.width, planes.height) == size:
        return planes
    return planes_from_video_frame(planes_to_video_frame(planes), size, interpolation)


def _plane_array(plane: av.video.plane.VideoPlane, height: int, width: int) -> Plane:
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    out: Plane = rows[:height, :width].copy()
    return out
