"""The documents keep in step with the programs."""

import argparse
import re
from pathlib import Path

import pytest

import streamer.cli
import viewer.cli

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "deploy").rglob("*.md")),
]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def options(parser: argparse.ArgumentParser) -> set[str]:
    return {
        option
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--") and action.help is not argparse.SUPPRESS
    }


@pytest.mark.parametrize("cli", [streamer.cli, viewer.cli])
def test_the_guide_tells_every_option(cli):
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`(--[a-z0-9-]+)", guide))
    assert options(cli.parser()) - told == set()


def test_the_guide_tells_no_option_that_does_not_exist():
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    known = options(streamer.cli.parser()) | options(viewer.cli.parser())
    rows = re.findall(r"^\| `(--[a-z0-9-]+)", guide, re.MULTILINE)
    assert [row for row in rows if row not in known] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_the_documents_lead_somewhere(path):
    targets = [link for link in LINK.findall(path.read_text("utf-8")) if "://" not in link]
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_targets_in_the_documents_exist(path):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"\bmake ([a-z][a-z-]+)\b", " ".join(_code(path.read_text("utf-8"))))
    assert [name for name in named if f"\n{name}:" not in makefile] == []


def _code(markdown: str) -> list[str]:
    """Inline code and code blocks."""
    return re.findall(r"```.*?```|`[^`\n]+`", markdown, re.DOTALL)
