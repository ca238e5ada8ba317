"""The seeds of each target: small real inputs, and those that once found something."""

from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
MAX_CORPUS_BYTES = 300_000  # in the repository, all targets together


def seeds(target: str) -> list[bytes]:
    """In the order of their names, so that runs can be repeated."""
    return [path.read_bytes() for path in sorted((CORPUS / target).iterdir())]
