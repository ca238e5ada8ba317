"""Files that a person may have got from somewhere: configurations, manifests, weights, streams."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import av
import safetensors

from daemon.config import load
from daemon.errors import UsageError
from daemon.figures import Figures
from engines.errors import WeightsError
from engines.evaluation import EvaluationError
from engines.evaluation.clips import read_manifest
from engines.weight_store import ENCODER, WeightStore
from link.errors import IdentityError
from link.identity import FINGERPRINT_CHARS, load_or_create
from streamer.config import StreamerConfig
from tests.fuzz.loop import quiet
from tests.fuzz.on.media import units
from tests.fuzz.target import SEQUENCE_LIMIT_MS, Form, Run, Target
from viewer.config import ViewerConfig
from viewer.playback import StreamFile
from viewer.sinks.stream_record import StreamRecord
from viewer.timeline import Timeline

# PyYAML takes some us a byte, and libavformat opens a file twice and looks far into it.
FILE_LIMIT_MS = 50.0
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a file for each input: not on a disk
_NOW_US = 1_700_000_000_000_000


def _in_file(name: str, read: Callable[[Path], None]) -> Callable[[], AbstractContextManager[Run]]:
    """`open` of a target that reads a file of that name, in a folder of its own."""

    @contextmanager
    def opened() -> Iterator[Run]:
        av.logging.set_level(None)
        with quiet(), tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
            path = Path(folder, name)

            def run(data: bytes) -> None:
                path.write_bytes(data)
                read(path)

            yield run

    return opened


def _config(path: Path) -> None:
    """One of the daemons reads it."""
    load((ViewerConfig, StreamerConfig)[path.stat().st_size % 2], path, {})


def _manifest(path: Path) -> None:
    for entry in read_manifest(path, fast=bool(path.stat().st_size % 2)):
        assert entry.name
        assert entry.frames > 0
        assert entry.fps > 0


def _weights(path: Path) -> None:
    store = WeightStore(path.parent)
    assert store.encoder_id
    for bits in range(4, 9):
        store.codebook(bits)
    for name in store.restorers:
        store.restorers_of(store.partner(name))
    for name in (*store.restorers[:4], ENCODER):
        store.weights(name)


def _safetensors(path: Path) -> None:
    """The native parser, which in the product sees only files whose SHA-256 fits."""
    safetensors.deserialize(path.read_bytes())  # type: ignore[no-untyped-call]


def _stream(path: Path) -> None:
    for unit in StreamFile(path):
        assert unit.size_bytes


def _record(path: Path) -> None:
    """Access units as they came from the peer, into `--record-stream`."""
    data = path.read_bytes()
    path.unlink()
    timeline = Timeline()
    record = StreamRecord(path, Figures(), lambda: 0, persists=True)
    for sequence, unit in enumerate(units(data)):
        stamped, _ = timeline.stamp(unit, sequence, len(unit.data), _NOW_US)
        record.show(stamped)
    record.close()


def _identity(path: Path) -> None:
    """A key that somebody brought here, and TLS with it."""
    path.chmod(0o600)
    identity = load_or_create(path)
    assert len(identity.fingerprint) == FINGERPRINT_CHARS
    identity.server_context()


TARGETS = (
    Target(
        "config", _in_file("c.yaml", _config), (UsageError,), 600, Form.TEXT, limit_ms=FILE_LIMIT_MS
    ),
    Target(
        "manifest",
        _in_file("m.yaml", _manifest),
        (EvaluationError,),
        2_500,
        Form.TEXT,
        limit_ms=FILE_LIMIT_MS,
    ),
    Target("weights", _in_file("manifest.json", _weights), (WeightsError,), 3_000, Form.TEXT),
    Target(
        "safetensors",
        _in_file("w.safetensors", _safetensors),
        (safetensors.SafetensorError,),
        15_000,
    ),
    Target(
        "stream",
        _in_file("s.mkv", _stream),
        (UsageError,),
        800,
        max_bytes=32_768,
        limit_ms=FILE_LIMIT_MS,
    ),
    Target(
        "identity",
        _in_file("identity.pem", _identity),
        (IdentityError,),
        1_500,
        Form.TEXT,
        limit_ms=FILE_LIMIT_MS,
    ),
    Target("record", _in_file("r.mkv", _record), (), 400, Form.FRAMES, 16_384, SEQUENCE_LIMIT_MS),
)
