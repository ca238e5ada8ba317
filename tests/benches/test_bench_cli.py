"""The dispatcher of `denc-bench`: lazy, and clear about what is missing."""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benches import BenchError, BenchUsageError, cli

ROOT = Path(__file__).parents[2]


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


def test_help_lists_the_benches_without_loading_one():
    done = python(
        "import sys\nfrom benches.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('matplotlib', 'tqdm', 'torch', 'benches.quality') if m in sys.modules])"
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(f"  {name} " in done.stdout for name in cli.BENCHES)


def test_a_missing_extra_is_one_sentence_and_exit_code_2():
    done = python(
        "import sys\nsys.modules['matplotlib'] = sys.modules['tqdm'] = None\n"
        "from benches.cli import main\nsys.exit(main(['quality', 'a.mp4']))"
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "pip install 'denc[bench]'" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["beauty"], ["quality", "--frames", "0"]])
def test_wrong_usage_is_exit_code_2(arguments):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BenchUsageError("give a clip"), 2),
        (BenchError("x265 failed"), 1),
        (OSError("no space left"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_of_a_bench_are_one_line(monkeypatch, capsys, error, code):
    def run(arguments):
        raise error

    from benches import quality

    monkeypatch.setattr(quality, "run", run)
    assert cli.main(["quality", "a.mp4"]) == code
    assert "denc-bench quality: " in capsys.readouterr().err


def test_the_document_tells_every_option_of_quality():
    from benches import quality

    parser = argparse.ArgumentParser()
    quality.add_arguments(parser)
    document = (ROOT / "docs" / "bench.md").read_text(encoding="utf-8")
    options = {o for action in parser._actions for o in action.option_strings if len(o) > 2}
    assert options - set(re.findall(r"`(--[a-z-]+)`", document)) == {"--help"}
