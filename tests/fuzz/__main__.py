"""Coverage-guided fuzzing of all targets within a time, and a table of what came of it.

    python -m tests.fuzz --seconds 600 [--targets rtx,offer] [--folder runs/fuzz]
    python -m tests.fuzz --reproduce TARGET FILE

Works on from the corpus that earlier runs left in the folder. The exit status is 1 when there are
findings, confirmed without instrumentation.
"""

import argparse
import re
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.examine import Finding, examine, examine_memory
from tests.fuzz.targets import TARGETS

FOLDER = Path("runs/fuzz")
MIN_SECONDS = 5  # of a target
PATIENCE_S = 180  # to start, and to end the last input


@dataclass(frozen=True)
class Row:
    """What came of one target."""

    target: str
    inputs: int
    seconds: float
    new: int
    findings: int

    def __str__(self) -> str:
        rate = self.inputs / max(self.seconds, 1e-3)
        return f"{self.target:12} {self.inputs:>10} {rate:>10.0f} {self.new:>8} {self.findings:>9}"


def fuzz(name: str, seconds: int, folder: Path) -> Row:
    """Runs a target for that long, again after what killed the process."""
    grown, findings = folder / "corpus" / name, folder / "findings" / name
    before = _files(grown)
    inputs, start = 0, time.monotonic()
    while (left := round(seconds - (time.monotonic() - start))) > 0:
        told = _run(name, left, folder)
        numbers = dict(re.findall(r"stat::(\w+):\s+(\d+)", told))
        inputs += int(numbers.get("number_of_executed_units", 0))
        if "number_of_executed_units" not in numbers:
            (folder / f"{name}.log").write_text(told)
            if not re.search(r"SUMMARY: libFuzzer", told):
                print(f"{name}: the fuzzer did not run, see {folder}/{name}.log", file=sys.stderr)
                break
    spent = time.monotonic() - start
    return Row(name, inputs, spent, _files(grown) - before, _files(findings))


def _run(name: str, seconds: int, folder: Path) -> str:
    command = [sys.executable, "-m", "tests.fuzz.guided", name, str(seconds), str(folder)]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=seconds + PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired as late:
        return (late.stderr or b"").decode(errors="replace")
    return (done.stdout + done.stderr).decode(errors="replace")


def _files(folder: Path) -> int:
    return sum(1 for path in folder.glob("*") if path.is_file())


def reproduce(name: str, path: Path) -> Finding | None:
    """Runs one input as it is, without instrumentation, its memory included."""
    warnings.simplefilter("error")
    target, data = TARGETS[name], path.read_bytes()
    with target.open() as run:
        return examine(target, run, data) or examine_memory(target, run, data)


def confirm(name: str, folder: Path) -> int:
    """How many findings of a target hold without instrumentation; the others are deleted."""
    held = 0
    for path in sorted((folder / "findings" / name).glob("*")):
        again = [sys.executable, "-m", "tests.fuzz", "--reproduce", name, str(path)]
        done = subprocess.run(again, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            path.unlink()
            continue
        held += 1
        told = (done.stdout or done.stderr).strip().splitlines() or ["nothing was said"]
        print(f"{told[0]}\n  python -m tests.fuzz --reproduce {name} {path}", flush=True)
    return held


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="of all targets together")
    parser.add_argument("--targets", default="", help="names with commas between; all")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--reproduce", nargs=2, metavar=("TARGET", "FILE"))
    arguments = parser.parse_args()
    if arguments.reproduce:
        finding = reproduce(arguments.reproduce[0], Path(arguments.reproduce[1]))
        print(finding or "keeps its promises")
        return 1 if finding else 0
    names = [name for name in arguments.targets.split(",") if name] or list(TARGETS)
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; known: {', '.join(TARGETS)}")
    try:
        import atheris  # noqa: F401
    except ImportError:
        parser.error("atheris is not installed (make setup-fuzz); its wheels are for Linux on x86")
    each = max(MIN_SECONDS, arguments.seconds // len(names))
    print(f"{'target':12} {'inputs':>10} {'inputs/s':>10} {'new':>8} {'findings':>9}", flush=True)
    held = 0
    for name in names:
        row = fuzz(name, each, arguments.folder)
        print(row, flush=True)
        if row.findings:
            held += confirm(name, arguments.folder)
    print(f"{held} findings, corpus in {arguments.folder}/corpus")
    return 1 if held else 0


if __name__ == "__main__":
    sys.exit(main())
