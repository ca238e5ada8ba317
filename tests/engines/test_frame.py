"""Pictures of any kind come in as limited range BT.709 4:2:0."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange

from engines.frame import Planes, planes_from_video_frame, planes_to_video_frame

SIDE = 64
WHITE, GREY, BLACK = (235, 128, 128), (126, 128, 128), (16, 128, 128)
RED = (63, 102, 240)
GREEN = (173, 42, 26)


def filled(*values: int, form: str) -> av.VideoFrame:
    """A picture of one colour."""
    picture = av.VideoFrame(SIDE, SIDE, form)
    for plane, value in zip(picture.planes, values, strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return picture


def through_motion_jpeg(picture: av.VideoFrame) -> av.VideoFrame:
    """As a webcam sends it: full range, BT.601."""
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = SIDE, SIDE, picture.format.name
    encoder.color_range, encoder.options = (
        ColorRange.JPEG,
        {"qmin": "1", "qmax": "1", "strict": "-1"},
    )
    encoder.framerate, encoder.time_base = Fraction(25), Fraction(1, 25)
    packets = [*encoder.encode(picture), *encoder.encode(None)]
    decoder = av.CodecContext.create("mjpeg", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    (decoded,) = decoder.decode(packets[0])
    return decoded


def middle(planes: Planes) -> tuple[int, ...]:
    return tuple(int(plane[plane.shape[0] // 2, plane.shape[1] // 2]) for plane in planes.channels)


@pytest.mark.parametrize("form", ["yuvj420p", "yuvj422p"])
@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        ((255, 128, 128), WHITE),
        ((128, 128, 128), GREY),
        ((0, 128, 128), BLACK),
        ((76, 85, 255), RED),
        ((149, 43, 21), GREEN),
    ],
)
def test_a_webcam_with_motion_jpeg_keeps_its_contrast_and_colours(
    form: str, sent: tuple[int, ...], wanted: tuple[int, ...]
) -> None:
    picture = through_motion_jpeg(filled(*sent, form=form))
    for size in (None, (48, 32)):
        assert middle(planes_from_video_frame(picture, size)) == pytest.approx(wanted, abs=3)


@pytest.mark.parametrize(
    ("colour", "wanted"), [((255, 255, 255), WHITE), ((255, 0, 0), RED), ((0, 255, 0), GREEN)]
)
def test_rgb_becomes_bt709(colour: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    image = np.full((SIDE, SIDE, 3), colour, np.uint8)
    picture = av.VideoFrame.from_ndarray(image, format="rgb24")
    assert middle(planes_from_video_frame(picture)) == pytest.approx(wanted, abs=2)


def test_a_grey_camera_keeps_its_contrast() -> None:
    for sent, wanted in ((255, WHITE), (128, GREY), (0, BLACK)):
        picture = filled(sent, form="gray")
        assert middle(planes_from_video_frame(picture)) == pytest.approx(wanted, abs=1)


@pytest.mark.parametrize("matrix", [1, 2])  # BT.709, not said
@pytest.mark.parametrize("span", [ColorRange.UNSPECIFIED, ColorRange.MPEG])
def test_what_is_as_wanted_stays_as_it_is(matrix: int, span: ColorRange) -> None:
    random = np.random.default_rng(1)
    y, u, v = (random.integers(0, 256, (s, s), np.uint8) for s in (SIDE, SIDE // 2, SIDE // 2))
    picture = planes_to_video_frame(Planes(y, u, v))
    picture.colorspace, picture.color_range = matrix, span
    for out, plane in zip(planes_from_video_frame(picture).channels, (y, u, v), strict=True):
        assert np.array_equal(out, plane)


@pytest.mark.parametrize("form", ["yuv420p", "yuvj420p", "yuv422p10le"])
@pytest.mark.parametrize("matrix", range(18))
def test_every_matrix_of_h273_is_taken(matrix: int, form: str) -> None:
    picture = av.VideoFrame(SIDE, SIDE, form)
    for plane in picture.planes:
        plane.update(bytes(plane.buffer_size))
    picture.colorspace = matrix
    assert planes_from_video_frame(picture, (48, 32)).width == 48


def test_a_matrix_that_cannot_be_converted_leaves_colours_alone() -> None:
    for matrix, same in ((8, 1), (14, 2), (10, 9)):
        pictures = [filled(*RED, form="yuv420p") for _ in range(2)]
        pictures[0].colorspace, pictures[1].colorspace = matrix, same
        one, other = map(planes_from_video_frame, pictures)
        assert middle(one) == middle(other)
