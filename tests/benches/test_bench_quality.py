"""The quality bench end to end, on a small clip without a network."""

import json

import numpy as np
import pytest
from scipy import ndimage

from benches.channels import DENC, LANCZOS, X265, X265_HALF, DencChannel, X265Channel
from benches.picture import Panel, rgb_from_planes, stacked, telling_box
from benches.quality import Plan, main, run
from engines.codec import open_encoder, open_restorer
from engines.evaluation.clips import Clip, ClipEntry
from engines.frame import Planes, planes_to_video_frame

WIDTH, HEIGHT, FRAMES, FPS = 130, 98, 6, 25.0


def moving(number: int) -> Planes:
    random = np.random.default_rng(3)
    texture = ndimage.gaussian_filter(random.normal(size=(HEIGHT, WIDTH + 40)), 1.5) * 200 + 120
    luma = np.clip(texture[:, 3 * number : 3 * number + WIDTH], 16, 235).astype(np.uint8)
    chroma = np.full(((HEIGHT + 1) // 2, (WIDTH + 1) // 2), 120, np.uint8)
    return Planes(luma, chroma, chroma)


CLIP = Clip("moving", FPS, tuple(moving(number) for number in range(FRAMES)))


def plain_channel(scale: int) -> DencChannel:
    encoder = open_encoder("plain", threads=1)
    restorer = open_restorer("plain", encoder.network_id, threads=1)
    return DencChannel(CLIP, encoder, restorer, scale, 8)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_denc_shows_every_frame_at_source_size_through_the_viewers_decoder(scale):
    channel = plain_channel(scale)
    stream = channel.encode(20)
    shown = channel.show(stream, DENC)
    assert [(p.width, p.height) for p in shown] == [(WIDTH, HEIGHT)] * FRAMES
    assert stream.bits == 8 * sum(len(unit.data) for unit in stream.units)


def test_side_information_is_counted_in_the_bits():
    denc, x265 = plain_channel(1).encode(30), X265Channel(CLIP).encode(30)
    assert 20 < (denc.bits - x265.bits) / 8 < 80 * FRAMES


def test_half_size_x265_costs_less_and_shows_full_size():
    half, full = X265Channel(CLIP, 2), X265Channel(CLIP)
    stream = half.encode(25)
    assert stream.bits < full.encode(25).bits
    assert half.show(stream, X265_HALF)[0].y.shape == (HEIGHT, WIDTH)


@pytest.fixture
def video(tmp_path):
    import av

    path = tmp_path / "moving.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25, width=WIDTH, height=HEIGHT)
        stream.pix_fmt = "yuv420p"
        for planes in CLIP.pictures:
            container.mux(stream.encode(planes_to_video_frame(planes)))
        container.mux(stream.encode())
    return path


def test_every_point_is_measured_once_and_the_pictures_are_there(video, tmp_path):
    entry = ClipEntry("moving", video, FPS, FRAMES)
    plan = Plan(rates_kbps=(9000.0, 18000.0), scale=2)
    encoder = open_encoder("plain", threads=1)
    restorer = open_restorer("plain", encoder.network_id, threads=1)
    told: list[str] = []
    out = tmp_path / "out"
    points = run([entry], plan, encoder, restorer, out, progress=told.append)
    assert {p.method for p in points} == {X265, X265_HALF, LANCZOS, DENC}
    assert len(points) == len(told) == 8
    by_method = {p.method: p for p in points if p.target_kbps == 9000}
    assert by_method[DENC].psnr_y == by_method[LANCZOS].psnr_y  # no network: the same picture
    for name in ("mean.png", "moving.png", "crops.png", "crops/moving-source.png"):
        assert (out / name).stat().st_size > 0
    document = json.loads((out / "results.json").read_text())
    assert document["summary"]["bd_rate_of_denc"]["lanczos"]["psnr_y"]["percent"] == 0
    video.unlink()  # nothing is left to measure, so nothing is read
    assert run([entry], plan, encoder, restorer, out) == points


def test_missing_manifest_is_one_line_and_exit_code_1(tmp_path, capsys):
    arguments = ["--manifest", str(tmp_path / "none.yaml"), "--out", str(tmp_path / "out")]
    assert main(arguments) == 1
    assert "none.yaml" in capsys.readouterr().err


def test_white_is_white_in_rgb_and_odd_widths_have_no_padding():
    half = np.full((3, 3), 128, np.uint8)
    rgb = rgb_from_planes(Planes(np.full((5, 5), 235, np.uint8), half, half))
    assert rgb.shape == (5, 5, 3)
    assert rgb.min() >= 253


def test_telling_box_is_where_the_detail_is():
    luma = np.full((160, 240), 100, np.uint8)
    luma[100:140, 150:200] = np.random.default_rng(1).integers(16, 235, (40, 50))
    left, top, width, height = telling_box(luma, 64, 48)
    assert (width, height) == (64, 48)
    assert left <= 150 + 16
    assert left + width >= 200 - 16
    assert top <= 100 + 16
    assert top + height >= 140 - 16


def test_stacked_panels_keep_their_pixels():
    red = np.full((10, 20, 3), (200, 0, 0), np.uint8)
    sheet = stacked([[Panel(red, "a"), Panel(red, "b")], [Panel(red, "c")]], "title")
    assert (sheet == (200, 0, 0)).all(axis=2).sum() == 3 * 200
