"""The installed weights: what is there, and that it is what the manifest says.

    weights/manifest.json             names, SHA-256, partner, licence, training data, results
    weights/NAME.safetensors          half-precision weights, the only copy
    weights/NAME-xSCALE.onnx          graphs, which take their weights from the safetensors file
    weights/NAME-fit-xSCALE.onnx      the same, for the sender's guides (`engines.guide_fitter`)

Nothing is given to a native parser before its SHA-256 fits the manifest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from engines.codebook import Codebook
from engines.errors import WeightsError
from engines.guide import RESTORER_ID_BYTES

WEIGHTS_FOLDER = Path(__file__).parent / "weights"
MANIFEST = "manifest.json"
MANIFEST_VERSION = 1
MANIFEST_MAX_BYTES = 1 << 20
ENCODER = "tinyae-encoder"
NETWORK_ID_BYTES = 8
NO_NETWORK = bytes(NETWORK_ID_BYTES)


class Task(Enum):
    """What a graph of a network is for; the values are keys of the manifest."""

    RUN = "graphs"
    FIT = "fit_graphs"


@dataclass(frozen=True)
class NetworkEntry:
    """One network of the manifest; `partner` is the id of the encoder a restorer belongs to."""

    name: str
    weights: str
    sha256: str
    graphs: Mapping[tuple[Task, int], tuple[str, str]]  # task, scale -> file, SHA-256
    partner: bytes
    codebooks: Mapping[int, Codebook]  # bits -> levels, of the encoder
    kmacs_per_pixel: float = 0.0  # of a restorer, per source pixel; 0: unknown


class WeightStore:
    """A folder of weights and its manifest."""

    def __init__(self, folder: Path = WEIGHTS_FOLDER) -> None:
        self.folder = folder
        self._networks = _read_manifest(folder / MANIFEST)
        self._checked: set[str] = set()

    @property
    def encoder_id(self) -> bytes:
        """The first bytes of the SHA-256 of the encoder's weights: what streams are marked with."""
        return self._digest(ENCODER)[:NETWORK_ID_BYTES]

    @property
    def restorers(self) -> tuple[str, ...]:
        """Names of the restorers, in the manifest's order."""
        return tuple(name for name in self._networks if name != ENCODER)

    def partner(self, restorer: str) -> bytes:
        """The id of the encoder that a restorer belongs to."""
        return self._entry(restorer).partner

    def restorers_of(self, encoder_id: bytes) -> tuple[str, ...]:
        """Names of the restorers that belong to an encoder, in the manifest's order."""
        return tuple(name for name in self.restorers if self.partner(name) == encoder_id)

    def kmacs_per_pixel(self, restorer: str) -> float:
        """What a restorer computes per source pixel: the dearer, the better; 0 if unknown."""
        return self._entry(restorer).kmacs_per_pixel

    def restorer_id(self, restorer: str) -> bytes:
        """What guides for a restorer are marked with: the first bytes of its weights' SHA-256."""
        return self._digest(restorer)[:RESTORER_ID_BYTES]

    def digest(self, network: str) -> str:
        """The first bytes of its weights' SHA-256, in hex."""
        return self._digest(network)[:NETWORK_ID_BYTES].hex()

    def has_task(self, network: str, task: Task) -> bool:
        """Whether there are graphs for a task."""
        return any(kind is task for kind, _ in self._entry(network).graphs)

    def codebook(self, bits: int) -> Codebook:
        """The encoder's codebook for a bitwidth; uniform where none was fitted."""
        return self._entry(ENCODER).codebooks.get(bits) or Codebook.uniform(bits)

    def weights(self, network: str) -> Path:
        """The checked weights file of a network."""
        entry = self._entry(network)
        return self._check(entry.weights, entry.sha256)

    def graph(self, network: str, scale: int, task: Task = Task.RUN) -> Path:
        """The checked graph of a network at a scale; its weights are checked too."""
        entry = self._entry(network)
        if (task, scale) not in entry.graphs:
            raise WeightsError(f"{network} has none of its {task.value} for scale {scale}")
        self.weights(network)
        return self._check(*entry.graphs[task, scale])

    def _digest(self, network: str) -> bytes:
        return bytes.fromhex(self._entry(network).sha256)

    def _entry(self, network: str) -> NetworkEntry:
        if network not in self._networks:
            raise WeightsError(f"{self.folder / MANIFEST} does not list {network}")
        return self._networks[network]

    def _check(self, name: str, sha256: str) -> Path:
        path = self.folder / name
        if name not in self._checked:
            try:
                found = hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError as error:
                raise WeightsError(f"cannot read {path}: {error.strerror}") from error
            if found != sha256:
                raise WeightsError(
                    f"{path} is damaged or another version (SHA-256 {found[:12]}..., the manifest "
                    f"says {sha256[:12]}...); install denc again"
                )
            self._checked.add(name)
        return path


def _read_manifest(path: Path) -> dict[str, NetworkEntry]:
    try:
        if path.stat().st_size > MANIFEST_MAX_BYTES:
            raise WeightsError(f"{path} is larger than {MANIFEST_MAX_BYTES} bytes")
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["version"] != MANIFEST_VERSION:
            raise WeightsError(
                f"{path} has version {document['version']}; this denc reads {MANIFEST_VERSION}"
            )
        return {name: _entry(name, value) for name, value in document["networks"].items()}
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{path} is not a manifest of weights: {error!r}") from error


def _entry(name: str, value: Mapping[str, Any]) -> NetworkEntry:
    value["graphs"]  # every network has them
    graphs = {
        (task, int(scale)): (_file_name(graph["file"]), _sha256(graph["sha256"]))
        for task in Task
        for scale, graph in value.get(task.value, {}).items()
    }
    codebooks = {
        int(bits): Codebook.from_bytes(bytes.fromhex(data))
        for bits, data in value.get("codebooks", {}).items()
    }
    partner = bytes.fromhex(value.get("partner", ""))
    weights = value["weights"]
    return NetworkEntry(
        name,
        _file_name(weights["file"]),
        _sha256(weights["sha256"]),
        graphs,
        partner,
        codebooks,
        float(value.get("kmacs_per_pixel", 0)),
    )


def _file_name(value: object) -> str:
    if not isinstance(value, str) or Path(value).name != value or not value.isprintable():
        raise ValueError(f"{value!r} is not a file name")
    return value


def _sha256(value: object) -> str:
    if not isinstance(value, str) or len(bytes.fromhex(value)) != hashlib.sha256().digest_size:
        raise ValueError(f"{value!r} is not a SHA-256")
    return value
