"""Both halves of the codec with the installed weights, as the daemons use them."""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from engines import codec
from engines.codebook import Codebook
from engines.errors import UnknownEngineError, WeightsError
from engines.frame import Frame, Planes
from engines.latent import Latent, latent_size, padding_multiple
from engines.runtimes import Array
from engines.runtimes.onnx import OnnxRuntime
from engines.scale import choose_scale
from engines.weight_store import MANIFEST, NO_NETWORK, WEIGHTS_FOLDER, WeightStore

PLAIN_WITHIN_S = 2.0


def photo(width: int, height: int, number: int = 0) -> Frame:
    """A smooth picture with some structure, so that restoring it is a fair test."""
    x, y = np.meshgrid(np.arange(width) + 3 * number, np.arange(height))
    luma = 120 + 50 * np.sin(x / 13) * np.cos(y / 17) + 20 * np.sin((x + y) / 5)
    half = ((height + 1) // 2, (width + 1) // 2)
    return Frame(
        Planes(luma.astype(np.uint8), np.full(half, 120, np.uint8), np.full(half, 135, np.uint8)),
        number,
        1000 * number,
    )


@pytest.mark.parametrize("size", [(64, 64), (65, 67), (320, 180), (853, 481), (1280, 720)])
@pytest.mark.parametrize("engine", ["auto", "plain"])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_any_size_goes_through_at_every_scale(
    size: tuple[int, int], engine: str, scale: int
) -> None:
    encoder = codec.open_encoder(engine, threads=2)
    restorer = codec.open_restorer(engine, encoder.network_id, threads=2)
    frame = photo(*size, number=7)
    latent = encoder.encode(frame, scale=scale, bits=8)
    assert (latent.planes.width, latent.planes.height) == latent_size(*size, scale)
    (restored,) = restorer.restore([latent])
    assert (restored.width, restored.height) == size
    assert (restored.number, restored.captured_us) == (7, 7000)
    error = np.abs(restored.planes.y.astype(int) - frame.planes.y)
    assert error.mean() < (2 if scale == 1 else 16)


@pytest.mark.parametrize("bits", range(4, 9))
def test_every_bitwidth_is_restored(bits: int) -> None:
    encoder = codec.open_encoder("auto", threads=2)
    latent = encoder.encode(photo(192, 96), scale=2, bits=bits)
    assert latent.codebook.bits == bits
    assert len(np.unique(latent.planes.y)) <= 1 << bits
    (restored,) = codec.open_restorer("auto", encoder.network_id, threads=2).restore([latent])
    assert np.abs(restored.planes.y.astype(int) - photo(192, 96).planes.y).mean() < 16


def test_batch_gives_the_same_pictures_as_one_by_one() -> None:
    encoder = codec.open_encoder("auto", threads=2)
    restorer = codec.open_restorer("auto", encoder.network_id, threads=2)
    latents = [encoder.encode(photo(160, 96, n), scale=2 + n // 3, bits=8) for n in range(6)]
    together = restorer.restore(latents)
    assert [frame.number for frame in together] == list(range(6))
    for latent, frame in zip(latents, together, strict=True):
        (alone,) = restorer.restore([latent])
        assert np.abs(alone.planes.y.astype(int) - frame.planes.y).max() <= 1


class Watched(OnnxRuntime):
    """Keeps what went in and what came out."""

    inputs: Mapping[str, Array]
    outputs: tuple[Array, ...]

    def run(self, inputs: Mapping[str, Array]) -> tuple[Array, ...]:
        self.inputs, self.outputs = inputs, super().run(inputs)
        return self.outputs


def test_planes_are_copied_nowhere_around_the_runtime() -> None:
    encoder = codec.open_encoder("auto", threads=2)
    restorer = codec.open_restorer("auto", encoder.network_id, threads=2)
    seen: list[Watched] = []
    restorer.run_on(lambda store, threads: seen.append(Watched(store, threads)) or seen[-1])  # type: ignore[func-returns-value]
    latents = [encoder.encode(photo(160, 96, n), scale=2, bits=8) for n in range(2)]
    frames = restorer.restore(latents)
    for name in "yuv":  # as ONNX Runtime takes them without a copy
        assert seen[0].inputs[name].flags.c_contiguous
        assert seen[0].inputs[name].dtype == np.float32
    for output in seen[0].outputs:
        assert not output.flags.owndata, "ONNX Runtime copied what it gave out"
    for number, frame in enumerate(frames):
        for plane, output in zip(frame.planes.channels, seen[0].outputs, strict=True):
            assert np.shares_memory(plane, output[number])


def test_fidelity_chooses_between_close_and_good_looking() -> None:
    encoder = codec.open_encoder("auto", threads=2)
    latent = replace(encoder.encode(photo(192, 96), scale=2, bits=8), qp=35.0)
    shown = {}
    for fidelity in (0.0, 1.0):
        restorer = codec.open_restorer("auto", encoder.network_id, threads=2, fidelity=fidelity)
        (frame,) = restorer.restore([latent])
        restorer.fidelity = 1 - fidelity  # it may change between pictures
        (other,) = restorer.restore([latent])
        shown[fidelity] = frame.planes.y, other.planes.y
    assert np.array_equal(shown[0.0][0], shown[1.0][1])
    assert np.array_equal(shown[1.0][0], shown[0.0][1])
    assert np.any(shown[0.0][0] != shown[1.0][0])


def test_latent_is_a_natural_small_picture() -> None:
    frame = photo(320, 192)
    latent = codec.open_encoder("auto", threads=2).encode(frame, scale=2, bits=8)
    shown = latent.codebook.expand(0, latent.planes.y)
    plain = frame.planes.y.reshape(96, 2, 160, 2).mean((1, 3))
    assert np.corrcoef(shown.ravel(), plain.ravel())[0, 1] > 0.9


def test_stream_without_partner_gets_plain_upscaling_and_a_reason() -> None:
    restorer = codec.open_restorer("auto", b"\x01" * 8, threads=1)
    assert restorer.name == "plain"
    assert "no partner here" in restorer.reason
    assert "0101010101010101" in restorer.reason
    latent = codec.open_encoder("plain", threads=1).encode(photo(128, 64), scale=2, bits=8)
    assert restorer.restore([latent])[0].width == 128


def test_stream_made_without_a_network_says_so() -> None:
    assert "without a network" in codec.open_restorer("auto", NO_NETWORK, threads=1).reason


def test_unknown_engine_names_the_known_ones() -> None:
    for opened in (
        lambda: codec.open_encoder("magic", threads=1),
        lambda: codec.open_restorer("magic", b"\x01" * 8, threads=1),
    ):
        with pytest.raises(UnknownEngineError, match=r"'magic'; known: auto, lite.*plain"):
            opened()
    assert codec.engine_names()[0] == "auto"
    assert codec.engine_names()[-1] == "plain"


def test_installed_network_is_the_encoder_s() -> None:
    encoder = codec.open_encoder("auto", threads=1)
    assert encoder.network_id in codec.installed_network_ids()


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the installed weights that the codec uses."""
    folder = tmp_path / "weights"
    shutil.copytree(WEIGHTS_FOLDER, folder)
    monkeypatch.setattr(codec, "WeightStore", lambda: WeightStore(folder))
    return folder


def damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif how == "another model":
        path.write_bytes((path.parent / f"tinyae-encoder{path.name[4:]}").read_bytes())
    elif how == "another version":
        path.write_bytes(data + b" ")
    else:
        data[len(data) // 3] ^= 4
        path.write_bytes(data)


def test_partners_are_told_the_best_first_whatever_their_place_in_the_manifest(
    copied: Path,
) -> None:
    network_id = codec.open_encoder("auto", threads=1).network_id
    manifest = json.loads((copied / MANIFEST).read_text())
    networks = manifest["networks"]
    networks["lite"]["kmacs_per_pixel"] = 13.3
    networks["dear"] = networks["lite"] | {"kmacs_per_pixel": 130}
    unknown = {k: v for k, v in networks["lite"].items() if k != "kmacs_per_pixel"}
    networks["unknown"] = unknown
    (copied / MANIFEST).write_text(json.dumps(manifest))
    partners = codec.partners_of(network_id)
    assert [(p.name, p.kmacs_per_pixel) for p in partners] == [
        ("dear", 130), ("lite", 13.3), ("unknown", 0),
    ]  # fmt: skip
    assert partners[0].digest in manifest["networks"]["lite"]["weights"]["sha256"]
    assert codec.partners_of(b"\x01" * 8) == ()


@pytest.mark.parametrize("how", ["missing", "cut", "flipped", "another model", "another version"])
@pytest.mark.parametrize("name", ["lite.safetensors", "lite-x2.onnx"])
def test_damaged_weights_are_refused_or_replaced_by_plain(
    copied: Path, name: str, how: str
) -> None:
    network_id = codec.open_encoder("auto", threads=1).network_id
    damage(copied / name, how)
    with pytest.raises(WeightsError, match=name):
        codec.open_restorer("lite", network_id, threads=1)
    restorer = codec.open_restorer("auto", network_id, threads=1)
    assert restorer.name == "plain"
    assert name in restorer.reason


@pytest.mark.parametrize("name", ["lite.safetensors", "lite-x2.onnx"])
def test_any_flipped_bit_is_refused_before_anything_native_reads_it(
    copied: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def native(*given: object, **more: object) -> None:
        raise AssertionError("ONNX Runtime was given a file that nobody vouches for")

    network_id = codec.open_encoder("auto", threads=1).network_id
    monkeypatch.setattr("onnxruntime.InferenceSession", native)
    whole = (copied / name).read_bytes()
    for bit in Random(1).sample(range(8 * len(whole)), 20):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        (copied / name).write_bytes(changed)
        started = time.monotonic()
        restorer = codec.open_restorer("auto", network_id, threads=1)
        assert restorer.name == "plain", f"bit {bit}"
        assert name in restorer.reason
        latent = codec.open_encoder("plain", threads=1).encode(photo(128, 64), scale=2, bits=8)
        assert restorer.restore([latent])
        assert time.monotonic() - started < PLAIN_WITHIN_S


@pytest.mark.parametrize("name", ["tinyae-encoder.safetensors", "tinyae-encoder-x2.onnx"])
def test_damaged_encoder_falls_back_to_plain_downscale(copied: Path, name: str) -> None:
    damage(copied / name, "flipped")
    encoder = codec.open_encoder("auto", threads=1)
    assert (encoder.name, encoder.network_id) == ("plain", NO_NETWORK)
    assert name in encoder.reason
    with pytest.raises(WeightsError, match=name):
        codec.open_encoder("lite", threads=1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"version": 1}',
        '{"version": 9, "networks": {}}',
        '{"version": 1, "networks": {"x": {}}}',
    ],
)
def test_broken_manifest_is_a_weights_error(copied: Path, text: str) -> None:
    (copied / MANIFEST).write_text(text)
    with pytest.raises(WeightsError, match=MANIFEST):
        WeightStore(copied)
    assert codec.engine_names() == ["auto", "plain"]
    assert codec.installed_network_ids() == ()


def test_manifest_cannot_name_files_elsewhere(copied: Path) -> None:
    document = json.loads((copied / MANIFEST).read_text())
    document["networks"]["lite"]["weights"]["file"] = "../lite.safetensors"
    (copied / MANIFEST).write_text(json.dumps(document))
    with pytest.raises(WeightsError, match="not a file name"):
        WeightStore(copied)


def test_lower_rates_choose_smaller_latents() -> None:
    rates = (4_000_000, 800_000, 400_000, 200_000, 100_000, 50_000, 20_000)
    scales = [choose_scale(1280, 720, 25, rate) for rate in rates]
    assert scales == sorted(scales)
    assert scales[0] == 1
    assert scales[-1] == 4


def test_padding_is_a_whole_number_of_latent_pixels() -> None:
    for scale in (1, 2, 3, 4):
        assert padding_multiple(scale) % (2 * scale) == 0
        for side in (64, 65, 97, 1080, 2304, 4096):
            width, height = latent_size(side, side, scale)
            assert width % 2 == height % 2 == 0
            assert width * scale >= side


def test_latent_without_companding_is_enlarged_as_it_is() -> None:
    gradient = np.tile(np.linspace(20, 220, 32).astype(np.uint8), (32, 1))
    half = np.full((16, 16), 128, np.uint8)
    latent = Latent(Planes(gradient, half, half), 64, 64, 2, Codebook.uniform(8), 30.0, 1, 2)
    (frame,) = codec.open_restorer("plain", NO_NETWORK, threads=1).restore([latent])
    assert np.abs(frame.planes.y[:, ::2].astype(int)[:, 4:-4] - gradient[0, 4:-4]).max() <= 4
