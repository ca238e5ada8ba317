"""The help of both programs: complete enough to do without a manual."""

from __future__ import annotations

import argparse
from dataclasses import MISSING, fields
from typing import Any

import pytest

from streamer import cli as streamer_cli
from streamer.config import StreamerConfig
from viewer import cli as viewer_cli
from viewer.config import ViewerConfig

BOTH = [(streamer_cli, StreamerConfig), (viewer_cli, ViewerConfig)]


@pytest.mark.parametrize(("cli", "config"), BOTH)
def test_every_option_says_what_it_is_and_what_it_is_without(cli: Any, config: type[Any]) -> None:
    defaults = {field.name: field.default for field in fields(config)}
    wrong = []
    for action in cli.parser()._actions:
        default, text = defaults.get(action.dest, MISSING), action.help or ""
        assert len(text) > 10, action.dest
        tells = isinstance(default, (int, float, str)) and not isinstance(default, bool)
        if tells and "default: " not in text:
            wrong.append(action.dest)
    assert wrong == []


@pytest.mark.parametrize(("cli", "config"), BOTH)
def test_examples_environment_files_and_exit_codes_are_in_the_help(
    cli: Any, config: type[Any]
) -> None:
    parser: argparse.ArgumentParser = cli.parser()
    text = parser.format_help()
    for part in ("usage:", "start with one of:", "environment:", "files:", "exit codes:"):
        assert part in text
    assert f"configs/{'viewer' if config is ViewerConfig else 'streamer'}.yaml" in text
    assert max(map(len, text.splitlines())) <= 110
