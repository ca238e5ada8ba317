"""Training: a step learns, a stop is no loss, and what it leaves can be installed."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (make setup-train)")

from engines.networks.presets import build_viewer
from engines.networks.quantized import QuantizedConv2d
from engines.training import export, ranges, streams, train
from engines.training.batches import ClipBatches, StreamBatches
from engines.training.clips import FRAMES, SIZE, pack, photo_clip, unpack
from engines.training.joint import joint_loss, natural_distance, round_to_levels
from engines.training.losses import relative_error, structural_error
from engines.training.ranges import fit_ranges
from engines.training.real_carrier import RealCarrier
from engines.training.train import Settings, Trainer, streams_loss
from engines.weight_store import ENCODER, WEIGHTS_FOLDER, Task, WeightStore

SHIFTS = ((0, 9), (9, 0), (0, -9), (-9, 0))  # latent samples
CPU = torch.device("cpu")
SETTINGS = Settings(crop=96, batch=2, total_steps=40)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small clips of a made picture, and their real streams."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(3)
    coarse = rng.normal(0, 1, (3, 40, 60))
    planes = [
        np.kron(c, np.ones((16, 16)))[: 600 // p, : 900 // p]
        for c, p in zip(coarse, (1, 2, 2), strict=True)
    ]
    from engines.frame import Planes

    picture = Planes(*((p * 30 + 128).clip(0, 255).astype(np.uint8) for p in planes))
    clips = np.stack([np.stack(list(photo_clip(picture, rng))) for _ in range(3)])
    np.save(folder / "clips.npy", clips)
    streams.make(folder, WEIGHTS_FOLDER, rounds=4, seed=1, workers=1)
    return folder


def test_packed_planes_come_back() -> None:
    packed = np.random.default_rng(1).integers(0, 255, (SIZE * 3 // 2, SIZE), dtype=np.uint8)
    assert np.array_equal(pack(unpack(packed)), packed)


def test_clips_move(data: Path) -> None:
    clips = np.load(data / "clips.npy")
    assert clips.shape == (3, FRAMES, SIZE * 3 // 2, SIZE)
    assert np.any(clips[:, 0] != clips[:, -1])


def test_steps_lower_the_loss_and_resume_goes_on(data: Path, tmp_path: Path) -> None:
    settings = replace(SETTINGS, rate=1e-2)  # the warm-up makes little of it
    trainer = Trainer("streams", tmp_path, settings, CPU)
    batch = StreamBatches(data, 96, 4, seed=1).next()

    def loss(of: Trainer) -> float:
        torch.manual_seed(5)
        return float(streams_loss(of, batch, None)["loss"].detach())

    before = loss(trainer)
    for step in range(20):
        torch.manual_seed(step)
        trainer.learn(streams_loss(trainer, batch, None)["loss"])
    assert loss(trainer) < before - 0.03
    trainer.save()
    again = Trainer("streams", tmp_path, settings, CPU)
    assert again.resume()
    assert again.step == 20
    assert loss(again) == pytest.approx(loss(trainer), rel=1e-3)


def test_joint_steps_change_both_halves_and_resume_goes_on(data: Path, tmp_path: Path) -> None:
    trainer = Trainer("joint", tmp_path, SETTINGS, CPU)
    before = {k: v.clone() for k, v in trainer.networks.state_dict().items()}
    batches = ClipBatches(data, 96, 2, frames=2, seed=1)
    for _ in range(3):
        trainer.learn(joint_loss(trainer, batches.next())["loss"])
    changed = {k for k, v in trainer.networks.state_dict().items() if not torch.equal(v, before[k])}
    assert {"streamer.encoder.head.weight", "viewer.decoder.head.weight"} <= changed
    trainer.save()
    again = Trainer("joint", tmp_path, SETTINGS, CPU)
    assert again.resume()
    batch = batches.next()
    losses = []
    for one in (trainer, again):
        torch.manual_seed(5)
        losses.append(float(joint_loss(one, batch)["loss"].detach()))
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_streams_are_taken_up_as_they_are_made(data: Path, tmp_path: Path) -> None:
    for name in ("clips.npy", "streams.npy"):
        (tmp_path / name).symlink_to(data / name)
    document = json.loads((data / "streams.json").read_text())
    made, rows = tmp_path / "streams.json", document["rows"]
    made.write_text(json.dumps(document | {"rows": rows[:6]}))
    batches = StreamBatches(tmp_path, 96, 2, seed=2)
    assert len(batches._rows) == 6
    made.write_text(json.dumps(document))
    os.utime(made, ns=(1, 1))
    batches._take_up()
    assert len(batches._rows) == len(rows) > 6


def test_a_joint_step_through_real_x265_teaches_both_halves(data: Path, tmp_path: Path) -> None:
    trainer = Trainer("joint", tmp_path, SETTINGS, CPU)
    batch = ClipBatches(data, 96, 2, frames=3, seed=1).next()
    torch.manual_seed(5)
    joint_loss(trainer, batch, real=RealCarrier(2))["loss"].backward()
    for head in (trainer.streamer.encoder.head, trainer.viewer.decoder.head):
        assert head.weight.grad is not None
        assert torch.any(head.weight.grad != 0)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_what_an_untrained_encoder_sends_is_natural(data: Path, tmp_path: Path, scale: int) -> None:
    trainer = Trainer("joint", tmp_path, SETTINGS, CPU)
    batch = ClipBatches(data, 96, 2, frames=1, seed=1).next()
    y, u, v = (plane[:, 0] for plane in batch.source)
    sent = trainer.streamer(y, u, v, scale)
    away = (sent[0] + 5, sent[1], sent[2])
    near = natural_distance(sent, (y, u, v), scale)
    assert torch.all(near < 0.003)  # the Charbonnier terms' own floor
    assert torch.all(natural_distance(away, (y, u, v), scale) > 5 * near)


def test_bitwidth_lets_gradients_through() -> None:
    plane = (torch.rand(1, 1, 16, 16) * 255).requires_grad_()
    rounded = round_to_levels(plane, 5)
    assert len(rounded.unique()) <= 32
    rounded.mean().backward()
    assert plane.grad is not None
    assert torch.all(plane.grad != 0)


def test_stream_batches_line_up_with_their_source(data: Path) -> None:
    batches = StreamBatches(data, 192, 4, seed=2)
    for _ in range(6):
        batch = batches.next()
        assert batch.latent is not None
        small = torch.nn.functional.avg_pool2d(batch.source[0].float(), batch.scale)
        latent = batch.latent[0].float()
        assert small.shape == latent.shape
        for crop in range(4):  # the coarsest stream is nearer to its source than to a shifted one
            away = [(small.roll(by, (2, 3)) - latent)[crop].abs().mean() for by in SHIFTS]
            assert (small - latent)[crop].abs().mean() < min(away)


def test_contrast_of_stream_batches_comes_with_its_qp_and_error(data: Path) -> None:
    """Raised contrast has the QP and the error that x265 would have made of it."""
    batches = StreamBatches(data, 192, 8, seed=2)
    beyond, errors, plain = 0, [], []
    for _ in range(30):
        batch = batches.next()
        assert batch.latent is not None
        assert batch.plain is not None
        luma = batch.source[0].float()
        beyond += int((luma.amax((1, 2, 3)) > 255).sum())
        if batch.scale == 1:
            errors += (luma - batch.latent[0]).square().mean((1, 2, 3)).div(255**2).tolist()
            plain += batch.plain.tolist()
    assert beyond > 0
    assert np.corrcoef(np.log(errors), np.log(plain))[0, 1] > 0.9


def test_streams_stage_leaves_the_encoder_alone(data: Path, tmp_path: Path) -> None:
    trainer = Trainer("streams", tmp_path, SETTINGS, CPU)
    before = {k: v.clone() for k, v in trainer.streamer.state_dict().items()}
    figures = streams_loss(trainer, StreamBatches(data, 96, 2, seed=3).next(), None)
    trainer.learn(figures["loss"])
    assert all(torch.equal(v, before[k]) for k, v in trainer.streamer.state_dict().items())


def test_a_curve_goes_on_with_other_figures(tmp_path: Path) -> None:
    trainer = Trainer("streams", tmp_path, SETTINGS, CPU)
    trainer.note({"loss": 0.3, "error": 0.3})
    trainer.step = 50
    trainer.note({"loss": 0.2, "error": 0.2, "lpips_sq": 0.4})
    with (tmp_path / "streams.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert first == {
        "step": "0", "loss": "0.300000", "error": "0.300000", "structure": "", "lpips_sq": ""
    }  # fmt: skip
    assert second["lpips_sq"] == "0.400000"


def test_error_of_crops_is_that_of_their_pictures() -> None:
    """The mean over a picture's crops moves as half the logarithm of the picture's error does."""
    generator = torch.Generator().manual_seed(4)
    source = torch.rand(4, 6, 24, 24, generator=generator)
    noise = torch.randn(source.shape, generator=generator)
    noise *= torch.tensor([0.01, 0.02, 0.05, 0.1]).view(4, 1, 1, 1)
    noise[:, 4:] = 0  # the errors of pictures are those of their luma
    whole = noise.square()[:, :4].mean().expand(4)  # of four crops of one picture
    losses = [float(relative_error(source + g * noise, source, whole).mean()) for g in (1, 0.99)]
    assert losses[0] - losses[1] == pytest.approx(-np.log(0.99), rel=0.05)


def test_structural_error_asks_for_contrast() -> None:
    """Of two pictures with the same squared error, the one that kept its contrast is nearer."""
    generator = torch.Generator().manual_seed(4)
    source = 0.5 + 0.1 * torch.randn(2, 6, 48, 48, generator=generator)
    flat = 0.5 + 0.6 * (source - 0.5)
    raised = 0.5 + 1.4 * (source - 0.5)
    near, away = (structural_error(x, source) for x in (raised, flat))
    assert near.shape == (2,)
    assert torch.all(near < away)
    assert torch.all(structural_error(source, source) < near)


def test_streams_are_kept_from_deep_in_the_chain(data: Path) -> None:
    packed = np.load(data / "clips.npy")[0]
    rows, pictures = zip(
        *(
            streams.code_clip(streams.StreamRow(0, lead, 0, 0, 2, 8), packed, 30.0)
            for lead in range(3)
        ),
        strict=True,
    )
    assert [row.lead for row in rows] == [0, 1, 2]
    assert all(len(row.qps) == len(row.errors) == FRAMES for row in rows)
    assert rows[0].qps[0] < rows[0].qps[1]  # only a stream's first picture is an IRAP
    assert min(row.qps[0] for row in rows[1:]) > rows[0].qps[0]
    source = packed[:, : SIZE // 2 * 2 : 2, ::2].astype(float)  # luma at scale 2, roughly
    for picture in pictures:
        side = SIZE // 2
        errors = [
            np.abs(picture[0, :side] - source[frame, :side]).mean() for frame in (0, FRAMES - 1)
        ]
        assert errors[0] < errors[1]  # the clip plays forwards at the end


def test_export_can_be_installed(data: Path, tmp_path: Path) -> None:
    trainer = Trainer("joint", tmp_path, SETTINGS, CPU)
    trainer.save()
    out = tmp_path / "weights"
    export.main(
        [str(tmp_path / "joint.pt"), str(data), "--name", "lite",
         "--encoder", str(tmp_path / "joint.pt"), "--out", str(out)]
    )  # fmt: skip
    store = WeightStore(out)
    assert store.restorers == ("lite",)
    assert store.partner("lite") == store.encoder_id
    assert store.codebook(5).bits == 5
    assert store.kmacs_per_pixel("lite") == pytest.approx(13.7, abs=0.1)
    for scale in (2, 3, 4):
        assert store.graph("lite", scale).stat().st_size < 500_000  # no second copy of the weights
        store.graph("lite", scale, Task.FIT)
        store.graph(ENCODER, scale)


def test_whitening_keeps_what_the_directions_can_do(data: Path) -> None:
    torch.manual_seed(8)
    viewer = build_viewer("lite")
    before = viewer.guidance.directions.detach().flatten(1).double()
    export.whiten_guidance(viewer, data)
    after = viewer.guidance.directions.detach().flatten(1).double()
    assert not torch.allclose(before, after)
    both = torch.linalg.lstsq(after.T, before.T)
    assert torch.allclose(after.T @ both.solution, before.T, atol=1e-4)
    batch = StreamBatches(data, 192, 8, seed=1).next()
    assert batch.latent is not None
    assert batch.condition is not None
    with torch.no_grad():
        _, features = viewer.unguided(*batch.latent, batch.condition, batch.scale)
        normal, _ = viewer.guidance.equations(features, features[:, :4])
    diagonal = normal.mean(0).diagonal() / (4 * features[0, 0].numel())
    assert 0.2 < diagonal.mean() < 5


def test_training_starts_from_installed_weights(tmp_path: Path) -> None:
    trainer = Trainer("streams", tmp_path, SETTINGS, CPU)
    trainer.start_from(WEIGHTS_FOLDER)
    head = trainer.viewer.decoder.head.weight
    assert torch.any(head != 0)
    assert torch.equal(trainer.average["viewer.decoder.head.weight"], head)


def test_a_batch_of_half_a_stream_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["train", "streams", "DATA", "RUN", "--batch", "3"])
    with pytest.raises(SystemExit, match="2"):
        train.main()
    assert "multiple of 2" in capsys.readouterr().err


def test_a_part_learns_alone(data: Path, tmp_path: Path) -> None:
    trainer = Trainer("streams", tmp_path, replace(SETTINGS, part="guidance", guided=1.0), CPU)
    before = {k: v.clone() for k, v in trainer.networks.state_dict().items()}
    batch = StreamBatches(data, 96, 2, seed=4).next()
    trainer.viewer.decoder.head.bias.data += 0.01  # an error that features explain
    before["viewer.decoder.head.bias"] += 0.01
    trainer.learn(streams_loss(trainer, batch, None)["loss"])
    changed = [k for k, v in trainer.networks.state_dict().items() if not torch.equal(v, before[k])]
    assert changed == ["viewer.guidance.directions"]


def test_ranges_hold_what_the_layers_see(data: Path) -> None:
    viewer = build_viewer("lite").eval()
    fit_ranges(viewer, data, batches=6)
    layers = [m for m in viewer.modules() if isinstance(m, QuantizedConv2d)]
    assert len(layers) == 5
    for layer in layers:
        for least, greatest in (layer.input_range.tolist(), layer.output_range.tolist()):
            assert least <= 0 < greatest
    assert viewer.unet.stages[0].lfb.second.input_range[0] == 0  # behind a ReLU
    assert viewer.unet.stages[0].lfb.first.input_range[0] < 0


def test_ranges_of_another_network_are_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = build_viewer("lite").state_dict()
    state["decoder.tail.weight"] = state.pop("decoder.head.weight")
    torch.save({"streamer": {}, "viewer": state, "preset": "lite"}, tmp_path / "other.pt")
    with pytest.raises(SystemExit, match="2"):
        ranges.main([str(tmp_path / "other.pt"), str(tmp_path), str(tmp_path / "run.pt")])
    assert "decoder.head.weight, decoder.tail.weight" in capsys.readouterr().err
    assert not (tmp_path / "run.pt").exists()


OTHER_SHAPE, OTHER_PRESET, NO_CHECKPOINT = "size mismatch", "preset 720p", "not a checkpoint"


@pytest.mark.parametrize("wrong", [OTHER_SHAPE, OTHER_PRESET, NO_CHECKPOINT, "No such file"])
def test_weights_of_another_network_are_a_usage_error(
    wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start = tmp_path / "other.pt"
    if wrong == OTHER_SHAPE:
        state = build_viewer("lite").state_dict()
        state["decoder.head.bias"] = state["decoder.head.bias"][:6]
        torch.save({"streamer": {}, "viewer": state, "preset": "lite"}, start)
    elif wrong == OTHER_PRESET:
        torch.save({"streamer": {}, "viewer": {}, "preset": "720p"}, start)
    elif wrong == NO_CHECKPOINT:
        start.write_bytes(b"a text, by mistake")
    given = ["train", "streams", "DATA", str(tmp_path / "run"), "--start-from", str(start)]
    monkeypatch.setattr("sys.argv", given)
    with pytest.raises(SystemExit, match="2"):
        train.main()
    told = capsys.readouterr().err
    assert str(start) in told
    assert wrong in told or wrong == OTHER_SHAPE
    if wrong != OTHER_PRESET:  # export takes the preset that the checkpoint names
        with pytest.raises(SystemExit, match="2"):
            export.main([str(start), "DATA", "--name", "lite", "--out", str(tmp_path / "out")])
        assert wrong in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
