"""The quality bench end to end, on a small clip without a network."""

import importlib.util
import json
import re

import numpy as np
import pytest
from small_clip import CLIP, FPS, FRAMES, HEIGHT, WIDTH, write_video

from benches import quality
from benches.channels import CoderChannel, DencChannel
from benches.cli import main
from benches.clip_bench import ClipBench
from benches.coders import X265
from benches.methods import ANCHORS, CRF28, LANCZOS, X265_NATIVE, Variant
from benches.picture import Panel, rgb_from_planes, stacked, telling_box
from benches.plan import Plan
from benches.points import hd_factor
from benches.views import View, open_views
from engines.evaluation.clips import ClipEntry
from engines.frame import Planes

FACTOR = hd_factor(WIDTH, HEIGHT)
NEEDS_TORCH = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch is not installed (make setup-train)"
)


def plain_views(*fidelities: float) -> tuple[View, ...]:
    (view,) = open_views([Variant("plain", 0.0)], threads=1)
    names = [Variant("plain", fidelity).method for fidelity in fidelities]
    return tuple(
        View(name, view.encoder, view.restorer, fidelity, view.network)
        for name, fidelity in zip(names, fidelities, strict=True)
    )


def plain_channel(scale: int) -> DencChannel:
    views = plain_views(0.0, 1.0)
    return DencChannel(CLIP, views[0].encoder, views, scale, 8)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_denc_shows_every_frame_at_source_size_through_the_viewers_decoder(scale):
    channel = plain_channel(scale)
    stream = channel.encode(20)
    shown = channel.show(stream, "plain@1")
    assert [(p.width, p.height) for p in shown] == [(WIDTH, HEIGHT)] * FRAMES
    assert stream.bits == 8 * sum(len(unit.data) for unit in stream.units)


def test_side_information_is_counted_in_the_bits():
    denc, x265 = plain_channel(1).encode(30), CoderChannel(CLIP, X265()).encode(30)
    assert 20 < (denc.bits - x265.bits) / 8 < 80 * FRAMES


@pytest.fixture
def encodings(monkeypatch):
    """How many times the carrier of denc coded the clip."""
    made = []
    encode = DencChannel.encode

    def counted(self, setting):
        made.append(setting)
        return encode(self, setting)

    monkeypatch.setattr(DencChannel, "encode", counted)
    return made


def test_one_stream_serves_every_fidelity_and_lanczos(encodings):
    plan = Plan(plain_views(0.0, 0.5, 1.0), scale=2)
    bench = ClipBench(CLIP, plan)
    methods = [LANCZOS, "plain@0", "plain@0.5", "plain@1"]
    points = [bench.measure(method, 18000.0, "")[0] for method in methods]
    assert len({point.bits for point in points}) == 1
    assert len(encodings) == len(set(encodings))


def test_what_a_codec_cannot_reach_is_measured_once(monkeypatch):
    bench = ClipBench(CLIP, Plan(plain_views(0.0)))
    first, _ = bench.measure(X265_NATIVE, 1.0, "")
    monkeypatch.setattr(CoderChannel, "show", None)
    second, _ = bench.measure(X265_NATIVE, 2.0, "")
    assert (first.quality, first.measures) == (51, second.measures)


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "moving.mkv")


def test_every_point_is_measured_once_and_the_pictures_are_there(video, tmp_path, monkeypatch):
    entry = ClipEntry("moving", video, FPS, FRAMES)
    plan = Plan(plain_views(0.0, 1.0), (9000.0, 18000.0), scale=2)
    told: list[str] = []
    out = tmp_path / "out"
    points = quality.measure_all([entry], plan, [], out, told.append)
    methods = {p.method for p in points}
    assert {*ANCHORS, "x265-1/2", CRF28, LANCZOS, "plain@0", "plain@1"} - methods == {"x265-scales"}
    assert len(points) == len(told) == 2 * len(plan.methods) + 1
    by_method = {p.method: p for p in points if p.target_kbps == 9000}
    assert by_method["plain@0"].measures == by_method[LANCZOS].measures  # no network
    assert by_method["plain@0"].kbps_720p == pytest.approx(by_method["plain@0"].kbps * FACTOR)
    for name in ("mean.png", "moving.png", "crops.png", "crops/moving-source.png"):
        assert (out / name).stat().st_size > 0
    document = json.loads((out / "results.json").read_text())
    assert document["summary"]["bd_rates"][LANCZOS]["plain@1"]["psnr_y"]["percent"] == 0
    assert set(document["bd_rate_mean"]) == set(document["bd_rate_mean_hull"]) == {
        "plain@0", "plain@1",
    }  # fmt: skip
    assert "CRF" in document["settings"]["anchors"]["svt-av1"]

    monkeypatch.setattr(quality, "read_clip", None)  # nothing is left to measure
    assert quality.measure_all([entry], plan, [], out) == points


def test_anchors_do_not_depend_on_the_networks(video):
    entry = ClipEntry("moving", video, FPS, FRAMES)
    (view,) = plain_views(0.0)
    other = View(view.method, view.encoder, view.restorer, 0.0, "lite of tomorrow")
    plans = Plan((view,)), Plan((other,))
    assert len({plan.source_of(X265_NATIVE, entry, "") for plan in plans}) == 1
    assert len({plan.source_of(LANCZOS, entry, "") for plan in plans}) == 2


def test_command_line_measures_a_video_and_the_report_needs_nothing_else(video, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["quality", str(video), "--engines", "plain", "--anchors", "x265-zerolatency"]
    rest = ["--rates", "9000,18000", "--frames", "4", "--scale", "2", "--out", str(out)]
    assert main(arguments + rest) == 0
    assert "against x265 medium zerolatency" in capsys.readouterr().out
    html = (out / "report.html").read_text()
    links = re.findall(r"""(?:src|href)=["']?([^"'>]{0,22})""", html)
    assert links
    assert all(link.startswith("data:image/png;base64") for link in links)
    assert "http" not in re.sub(r"base64,[^\"]*", "", html)
    assert "width=device-width" in html
    assert "prefers-color-scheme: dark" in html
    assert json.loads((out / "results.json").read_text())["points"][0]["frames"] == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "either a --manifest or video files"),
        (["--manifest", "none.yaml"], "none.yaml"),
        (["none.mp4"], "cannot read none.mp4"),
        (["VIDEO", "--engines", "huge"], "unknown engine 'huge'"),
        (["VIDEO", "--engines", "lite@3"], "from 0 to 1"),
        (["VIDEO", "--anchors", "h264"], "no h264"),
        (["VIDEO", "--rates", "80,fast"], "--rates"),
        (["VIDEO", "--rates=-3"], "--rates"),
        (["VIDEO", "--clips", "other"], "no other"),
        (["VIDEO", "VIDEO"], "two clips have the name moving"),
        pytest.param(["VIDEO", "--pyiqa", "fvd"], "no fvd", marks=NEEDS_TORCH),
        (["VIDEO", "--out", "VIDEO"], "--out"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(video, capsys, arguments, said):
    given = [str(video) if argument == "VIDEO" else argument for argument in arguments]
    assert main(["quality", *given]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[-1].startswith("denc-bench quality: ")
    assert said in told[-1]


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
