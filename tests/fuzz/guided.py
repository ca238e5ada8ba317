"""One target under atheris (libFuzzer with the coverage of Python): a process of its own.

    python -m tests.fuzz.guided TARGET SECONDS FOLDER

FOLDER/corpus/TARGET grows with what reached new code; FOLDER/findings/TARGET gets an input for each
broken promise, the shortest of those in the same place. Only what kills the process (a crash in
native code, 20 s without an end, 2 GB) ends a run early.
"""

import sys
import warnings
from pathlib import Path
from random import Random

import atheris

OURS = ["link", "engines", "daemon", "streamer", "viewer"]
PARSERS = ["aiortc.rtp", "aiortc.sdp", "aioice.stun", "aioice.ice"]
with atheris.instrument_imports(include=OURS + PARSERS):
    from tests.fuzz.targets import TARGETS

from tests.fuzz.corpus import CORPUS, seeds
from tests.fuzz.examine import Finding, examine
from tests.fuzz.mutate import Mutator

INSTRUMENTED_SLACK = 8.0  # how much slower instrumented code may be on a shared machine
HANG_S, MEMORY_MB = 20, 2048


def keep(finding: Finding, folder: Path) -> None:
    """Writes the input, unless a shorter one shows the same."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / finding.file_name
    if not path.exists() or path.stat().st_size > len(finding.data):
        path.write_bytes(finding.data)


def main() -> None:
    name, seconds, root = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    warnings.simplefilter("error")
    target = TARGETS[name]
    grown, findings = root / "corpus" / name, root / "findings" / name
    grown.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    mutator = Mutator(seeds(name), target.form, target.max_bytes, Random())

    def mutate(data: bytes, max_bytes: int, seed: int) -> bytes:
        mutator.reseed(seed)
        if seed % 3 == 0:
            return bytes(atheris.Mutate(data, max_bytes))
        return mutator.mutate(data)[:max_bytes]

    with target.open() as run:

        def test_one_input(data: bytes) -> None:
            finding = examine(target, run, data, slack=INSTRUMENTED_SLACK)
            if finding is not None:
                keep(finding, findings)

        options = [
            f"-max_total_time={seconds}",
            f"-max_len={target.max_bytes}",
            f"-artifact_prefix={findings}/",
            f"-timeout={HANG_S}",
            f"-rss_limit_mb={MEMORY_MB}",
            "-print_final_stats=1",
            "-verbosity=0",
        ]
        atheris.Setup(
            [sys.argv[0], *options, str(grown), str(CORPUS / name)],
            test_one_input,
            custom_mutator=mutate,
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
