"""The ablation, on a clip that is small enough for a test."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from benches import BenchError
from benches.ablation import measuring
from benches.ablation.carried import STUB, CarriedChannel
from benches.ablation.configurations import (
    DEFAULT,
    UNGUIDED,
    UNRESTORED,
    Configuration,
    Levels,
    Part,
    Reduction,
    configurations,
)
from benches.ablation.makers import Maker
from benches.ablation.measuring import Ablation, measure_all
from benches.ablation.plot import ablation_plot
from benches.ablation.rows import rows_of
from benches.ablation.table import markdown, text
from benches.cli import main
from benches.coders import X265, SvtAv1, Vp9
from benches.methods import X265_NATIVE, Variant
from benches.points import Point
from benches.views import open_views
from engines.codebook import Codebook
from engines.evaluation.clips import Clip, ClipEntry
from engines.evaluation.measures import psnr
from engines.frame import Frame, Planes
from engines.weight_store import WeightStore

WIDTH, HEIGHT, FRAMES, FPS = 194, 130, 3, 25.0


def moving(number: int) -> Planes:
    random = np.random.default_rng(3)
    texture = ndimage.gaussian_filter(random.normal(size=(HEIGHT, WIDTH + 40)), 2.5) * 300 + 120
    luma = np.clip(texture[:, 3 * number : 3 * number + WIDTH], 16, 235).astype(np.uint8)
    chroma = np.full((HEIGHT // 2, WIDTH // 2), 120, np.uint8)
    return Planes(luma, chroma, chroma)


CLIP = Clip("moving", FPS, tuple(moving(number) for number in range(FRAMES)))
FRAME = Frame(CLIP.pictures[0], 0, 0)


@pytest.fixture(scope="module")
def view():
    return open_views([Variant("auto", 0.0)], 1)[0]


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("reduction", list(Reduction))
def test_every_reduction_makes_the_same_small_picture(view, reduction, scale):
    own = view.encoder.encode(FRAME, scale=scale, bits=8)
    latent = Maker(view.encoder, reduction, Levels.KMEANS).encode(FRAME, scale=scale, bits=8)
    assert latent.shape == own.shape
    rows, columns = HEIGHT // scale, WIDTH // scale  # the padding differs where sides are cut
    assert psnr(latent.planes.y[:rows, :columns], own.planes.y[:rows, :columns]) > 28
    assert (latent.planes.y.shape, latent.planes.u.shape) == (
        own.planes.y.shape,
        own.planes.u.shape,
    )


@pytest.mark.parametrize("bits", [4, 7])
def test_levels_are_even_or_fitted(view, bits):
    even = Maker(view.encoder, Reduction.TINYAE, Levels.UNIFORM).encode(FRAME, scale=2, bits=bits)
    fitted = Maker(view.encoder, Reduction.AREA, Levels.KMEANS).encode(FRAME, scale=2, bits=bits)
    assert even.codebook == Codebook.uniform(bits)
    assert fitted.codebook == WeightStore().codebook(bits)
    assert len(np.unique(even.planes.y)) <= 2**bits


@pytest.mark.parametrize("coder", [X265(), SvtAv1(), Vp9()], ids=["x265", "svt-av1", "vp9"])
def test_latents_come_through_other_codecs_with_their_side_information_counted(view, coder):
    channel = CarriedChannel(CLIP, view, coder, 2, 8)
    stream = channel.encode(20)
    shown = channel.show(stream, view.method)
    assert [planes.y.shape for planes in shown] == [(HEIGHT, WIDTH)] * FRAMES
    assert psnr(shown[1].y, CLIP.pictures[1].y) > 25
    packets = sum(len(packet.data) for packet in stream.packets)
    assert 30 < stream.bits / 8 - packets < 120
    assert stream.units[0].data.endswith(stream.packets[0].data)
    assert STUB not in stream.units[0].data


def test_the_qp_that_a_restorer_is_told_is_that_of_x265_with_the_same_error(view):
    channel = CarriedChannel(CLIP, view, X265(), 2, 8)
    qps = [channel._qp_at(error) for error in (1.0, 10.0, 100.0)]
    assert qps == sorted(qps)
    assert 10 < qps[0] < qps[2] < 52


def test_rows_are_what_the_paper_compresses_and_each_is_there_once():
    rows = configurations(Codebook.uniform(8))
    assert rows[0].method == DEFAULT
    assert len({row.method for row in rows}) == len(rows)
    assert {row.part for row in rows} == set(Part)
    bits = [row.label for row in rows if row.part is Part.BITS]
    assert bits == [f"{n} bits, {kind}" for n in (7, 6, 5, 4) for kind in ("k-means", "uniform")]
    fitted = replace(Codebook.uniform(8), levels=(np.arange(256, dtype=np.float32) / 4,) * 3)
    assert "8 bits, uniform" in [row.label for row in configurations(fitted)]


@pytest.fixture
def video(tmp_path):
    header = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F25:1 C420jpeg\n".encode()
    pictures = [b"".join(p.tobytes() for p in planes.channels) for planes in CLIP.pictures]
    path = tmp_path / "moving.y4m"
    path.write_bytes(header + b"".join(b"FRAME\n" + picture for picture in pictures))
    return path


def test_points_are_measured_once_at_the_scale_of_denc(view, video, tmp_path, monkeypatch):
    entry = ClipEntry("moving", video, FPS, FRAMES)
    rows = (
        Configuration(DEFAULT, Part.DEFAULT, "denc"),
        Configuration(UNRESTORED, Part.RESTORATION, "Lanczos", restored=False),
        Configuration("area", Part.TINYAE, "area", reduction=Reduction.AREA),
        Configuration("scale-3", Part.SCALE, "3", scale=3),
        Configuration("vp9", Part.CARRIER, "vp9", guided=False, coder=Vp9()),
    )
    ablation = Ablation(view, rows, (4000.0,))
    told: list[str] = []
    points = measure_all(ablation, [entry], tmp_path / "out", told.append)
    by_method = {point.method: point for point in points}
    assert set(by_method) == {X265_NATIVE, *(row.method for row in rows)}
    assert len(told) == len(points) == 6
    denc = by_method[DEFAULT]
    assert by_method[UNRESTORED].bits == denc.bits
    assert by_method["area"].scale == by_method["vp9"].scale == denc.scale
    assert by_method["scale-3"].scale == 3
    monkeypatch.setattr(measuring, "read_clip", None)  # nothing is left to measure
    assert measure_all(ablation, [entry], tmp_path / "out") == points


def test_without_a_network_there_is_nothing_to_take_away():
    (plain,) = open_views([Variant("plain", 0.0)], 1)
    with pytest.raises(BenchError, match="no network"):
        Ablation(plain, (Configuration(DEFAULT, Part.DEFAULT, "denc"),), (100.0,))


def point(method: str, rate: float, vmaf_neg: float) -> Point:
    measures = {"vmaf_neg": vmaf_neg}
    sizes = {"bits": 1, "kbps": rate, "kbps_720p": rate, "frames": 1, "scale": 2}
    times = {"quality": 1.0, "qp": None, "encode_ms": 1.0, "show_ms": 1.0, "measure_s": 1.0}
    return Point("clip", method, "", rate, **sizes, **times, measures=measures)


def test_the_table_says_what_a_change_costs_and_against_what(tmp_path):
    points = [
        point(method, factor * rate, rate / 10)
        for method, factor in ((DEFAULT, 1), (X265_NATIVE, 2), (UNGUIDED, 1.1), ("vp9", 2.2))
        for rate in (100, 200, 400)
    ]
    wanted = (
        Configuration(DEFAULT, Part.DEFAULT, "denc as it sends"),
        Configuration(UNGUIDED, Part.GUIDE, "without guides", guided=False),
        Configuration("vp9", Part.CARRIER, "VP9", against=UNGUIDED),
    )
    rows = rows_of(points, wanted)
    assert rows[1].bd_rate["vmaf_neg"].percent == pytest.approx(10)
    assert rows[2].bd_rate["vmaf_neg"].percent == pytest.approx(100)
    assert rows[0].bd_rate_x265["vmaf_neg"].percent == pytest.approx(-50)
    table = markdown(rows, 1)
    assert "| without guides | +10.0% | -45.0% |" in table
    assert "| VP9 * | +100.0% | +10.0% |" in table
    assert 'marked *: against the row "without guides"' in table
    assert "VMAF-NEG over x265" in text(rows, 1)
    ablation_plot(rows, tmp_path / "ablation.png")
    assert (tmp_path / "ablation.png").stat().st_size > 0


def test_the_command_writes_its_three_files(video, tmp_path, capsys):
    out = tmp_path / "out"
    options = ["--parts", "restoration", "--frames", "2", "--rates", "3000", "9000"]
    assert main(["ablate", str(video), *options, "--out", str(out)]) == 0
    document = json.loads((out / "ablation.json").read_text())
    assert document["schema"] == 1
    assert [row["method"] for row in document["rows"]] == [DEFAULT, UNRESTORED]
    assert (out / "ablation.md").read_text().startswith("|")
    assert (out / "ablation.png").stat().st_size > 0
    assert "over x265" in capsys.readouterr().out
    assert main(["ablate", str(video), "--parts", "colour"]) == 2
    assert "colour" in capsys.readouterr().err
