"""Manifests of weights that are none: one WeightsError, whatever is in them."""

import json
from pathlib import Path

import pytest

from engines.errors import WeightsError
from engines.weight_store import WeightStore

SHA = "ab" * 32


def manifest(file: object) -> str:
    network = {"graphs": {}, "weights": {"file": file, "sha256": SHA}}
    return json.dumps({"version": 1, "networks": {"tinyae-encoder": network}})


@pytest.mark.parametrize(
    "text",
    ["", "[]", "[" * 10_000, '{"version": 1}', '{"version": 1, "networks": []}', "\x00", "NaN"]
    + [manifest(name) for name in (1, "a/b", "../a", "a\0b", "a\nb", "\ud800", None)],
)
def test_a_broken_manifest_is_a_weights_error_that_names_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(WeightsError, match=r"manifest\.json"):
        WeightStore(tmp_path)


def test_weights_that_are_no_file_are_a_weights_error(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(manifest(".."))
    with pytest.raises(WeightsError, match="cannot read"):
        WeightStore(tmp_path).weights("tinyae-encoder")
