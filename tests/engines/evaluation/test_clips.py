"""Reference clips: the manifest, and what FFmpeg makes of a file."""

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from engines.evaluation import EvaluationError
from engines.evaluation.clips import (
    EVEN_SIDES,
    ClipEntry,
    read_clip,
    read_manifest,
    shortened,
    video_entry,
)
from engines.evaluation.ffmpeg import ffmpeg_binary

MANIFEST = """
clips:
  - {name: one, file: one.mkv, filter: "crop=64:48", start: 2, frames: 60, fps: 30, fast: true}
  - {name: two, file: two.mkv, frames: 96, fps: 25, kind: face}
"""


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Eight lossless pictures of 80x60 whose luma is 20 + 10 * number, tagged BT.709."""
    path = tmp_path / "one.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(30), width=80, height=60)
        stream.pix_fmt = "yuv420p"
        for number in range(8):
            planes = np.full((90, 80), 128, np.uint8)
            planes[:60] = 20 + 10 * number
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, "yuv420p")))
        container.mux(stream.encode())
    return path


def test_manifest_gives_every_clip_and_fast_only_its_subset(tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_text(MANIFEST)
    one, two = read_manifest(path)
    assert (one.file, one.start, one.frames, one.fps) == (tmp_path / "one.mkv", 2, 60, 30)
    assert (two.filter, two.start, two.kind, two.fast) == ("", 0, "face", False)
    assert [(clip.name, clip.frames) for clip in read_manifest(path, fast=True)] == [("one", 48)]


@pytest.mark.parametrize(
    "text",
    [
        "clips: [{name: x}]",
        "{",
        "clips: [{file: a, colour: 1}]",
        "[]",
        "\udcfe",
        "[" * 5000,
        "!!float ''",
        "clips: [{name: a, file: b, fps: 30, frames: many}]",
        "clips: [{name: a, file: b, fps: 30, frames: 0}]",
        "clips: [{name: a, file: b, fps: .nan, frames: 1}]",
        "clips: [{name: a, file: b, fps: x, frames: 1}]",
        "clips: [{name: a, file: b, fps: 30, frames: 1, start: -1}]",
        "clips: [{name: null, file: b, fps: 30, frames: 1}]",
        "clips: [{name: [a], file: b, fps: 30, frames: 1}]",
        "clips: [7]",
    ],
)
def test_broken_manifest_names_its_file(tmp_path, text):
    path = tmp_path / "manifest.yaml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(EvaluationError, match=r"manifest\.yaml"):
        read_manifest(path)


def test_reference_is_the_filtered_pictures_from_start(video):
    entry = ClipEntry("one", video, fps=30, frames=5, start=2, filter="crop=64:48")
    clip = read_clip(entry)
    assert (clip.width, clip.height, clip.seconds) == (64, 48, 5 / 30)
    assert [int(picture.y.mean()) for picture in clip.pictures] == [40, 50, 60, 70, 80]
    assert all(np.ptp(picture.y) == 0 for picture in clip.pictures)


def test_odd_sizes_keep_their_last_row_and_column(video):
    clip = read_clip(ClipEntry("odd", video, fps=30, frames=1, filter="crop=63:47:exact=1"))
    assert clip.pictures[0].y.shape == (47, 63)
    assert clip.pictures[0].u.shape == (24, 32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"file": Path("/nowhere.mp4")}, "there is no file /nowhere.mp4"),
        ({"frames": 9}, "has 8 of 9 frames"),
        ({"filter": "nonsense"}, "has 0 of 8 frames.*nonsense"),
    ],
)
def test_clip_that_cannot_be_read_says_why(video, changes, message):
    entry = {"name": "one", "file": video, "fps": 30, "frames": 8} | changes
    with pytest.raises(EvaluationError, match=message):
        read_clip(ClipEntry(**entry))


def test_file_that_is_no_video_says_so(tmp_path):
    path = tmp_path / "noise.mp4"
    path.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(EvaluationError, match="0 of 3 frames"):
        read_clip(ClipEntry("noise", path, fps=30, frames=3))


def test_shortened_never_lengthens():
    entry = ClipEntry("one", Path("one.mkv"), fps=30, frames=40)
    assert (shortened(entry, 48).frames, shortened(entry, 8).frames) == (40, 8)


def test_a_video_file_is_a_reference_of_even_sides_at_its_own_rate(video):
    entry = video_entry(video, 96)
    assert entry == ClipEntry("one", video, 30.0, 8, filter=EVEN_SIDES)
    assert video_entry(video, 5).frames == 5
    assert len(read_clip(entry).pictures) == 8


@pytest.mark.parametrize("content", [None, b"no video at all"])
def test_what_is_no_video_is_one_sentence(tmp_path, content):
    path = tmp_path / "yard.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EvaluationError, match=r"cannot read .*yard\.mp4"):
        video_entry(path, 96)


def test_what_says_full_range_or_another_matrix_becomes_what_is_streamed(tmp_path):
    """As `denc-stream` sends it; a measure of brightness would be blind beyond 16 and 235."""
    path = tmp_path / "phone.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=Fraction(30), width=64, height=64)
        stream.pix_fmt, stream.options = "yuvj420p", {"qmin": "1", "qmax": "1"}
        for luma, u, v in ((255, 128, 128), (0, 128, 128), (76, 85, 255)):
            planes = np.full((96, 64), luma, np.uint8)
            planes[64:80], planes[80:] = u, v
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, "yuvj420p")))
        container.mux(stream.encode())
    pictures = read_clip(ClipEntry("phone", path, 30, 3)).pictures
    middles = [[int(plane[12, 12]) for plane in picture.channels] for picture in pictures]
    expected = ([235, 128, 128], [16, 128, 128], [63, 102, 240])
    for middle, wanted in zip(middles, expected, strict=True):
        assert middle == pytest.approx(wanted, abs=3)


def test_a_clip_that_was_cut_without_coding_anew_has_the_pictures_that_it_shows(tmp_path):
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    with av.open(str(whole), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), width=64, height=48)
        stream.pix_fmt, stream.gop_size, stream.options = "yuv420p", 250, {"bf": "0"}
        for number in range(50):
            planes = np.full((72, 64), 20 + 4 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, "yuv420p")))
        container.mux(stream.encode())
    cutting = ["-ss", "1", "-i", str(whole), "-t", "0.6", "-c", "copy", str(cut)]
    subprocess.run([ffmpeg_binary(), "-v", "error", "-nostdin", *cutting], check=True)
    entry = video_entry(cut, 96)
    assert entry.frames < 25
    assert len(read_clip(entry).pictures) == entry.frames
