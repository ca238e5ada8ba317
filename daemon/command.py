"""A daemon's command line: what both have in common around their own options."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import Field, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from daemon.config import load
from daemon.errors import RunError, UsageError
from daemon.log import LEVELS, STYLES, fail, setup
from daemon.memory import limit_arenas, settle
from daemon.run import run


class LogSettings(Protocol):
    """What `main` itself needs of a configuration, which is a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def log_level(self) -> str: ...
    @property
    def log_style(self) -> str: ...


Config = TypeVar("Config", bound=LogSettings)

REST = """
environment:
  STATE_DIRECTORY             the state folder, as systemd sets it; else
  XDG_STATE_HOME              its `denc`; else ~/.local/state/denc
{self.environment}
files:
  STATE/identity.pem          the key of this box: for its owner's eyes alone
  {self.yaml:26}  every key, its default and its reason
{self.files}
exit codes:
  0                           ended as it should: the work is done, or a signal came
  1                           failed while running; the last line says why
  2                           used wrongly (or without any option); nothing was begun

signals:
  SIGINT, SIGTERM, SIGHUP     finish what is being written and end; a second one ends at once

more:
  docs/guide.md               the guide, with what to do when something is wrong
"""


@dataclass(frozen=True)
class Command(Generic[Config]):
    """A daemon as it is started: `start` shows what to type, `yaml` documents the keys.

    `usage` has the forms of the command; `environment` and `files` are lines of the help, beside
    those that both daemons have.
    """

    name: str
    about: str
    start: str
    yaml: str
    config: type[Config]
    usage: str
    environment: str = ""
    files: str = ""

    def parser(self) -> argparse.ArgumentParser:
        """Without options; one option a key of the configuration, what is not given is None."""
        return argparse.ArgumentParser(
            prog=self.name,
            usage=self.usage,
            description=self.about,
            epilog=self.start + REST.format(self=self),
            formatter_class=_Help,
        )

    def add_rest(self, parser: argparse.ArgumentParser, figures: str) -> argparse._ArgumentGroup:
        """The options that every daemon has; `figures` says where the live figures are."""
        rest = parser.add_argument_group("the rest")
        rest.add_argument(
            "--config", metavar="FILE", help=f"settings in YAML; all keys: {self.yaml}"
        )
        rest.add_argument(
            "--state",
            metavar="DIR",
            help="the key of this box, and the boxes it knows\n(default: see environment, below)",
        )
        rest.add_argument(
            "--figures-port",
            metavar="PORT",
            help=f"live figures on 127.0.0.1: /figures.json and /metrics\n({figures})",
        )
        rest.add_argument("--log-level", choices=LEVELS, help="on stderr (default: info)")
        rest.add_argument(
            "--log-style",
            choices=STYLES,
            help="for people, or an object a line for collectors (default: text)",
        )
        rest.add_argument("--version", action="version", version=f"{self.name} {_version()}")
        return rest

    def main(
        self,
        parser: argparse.ArgumentParser,
        argv: Sequence[str] | None,
        daemon: Callable[[], Callable[[Config, asyncio.Event], Coroutine[object, object, None]]],
    ) -> int:
        """Read the settings and run; the exit code: 0 fine, 1 run time, 2 usage.

        `daemon` imports what runs: aiortc and ONNX Runtime take a second, not for --help.
        """
        arguments = sys.argv[1:] if argv is None else list(argv)
        if not arguments:
            hint = f"{self.name}: {self.about}\n\n{self.start}\nmore: {self.name} --help"
            print(hint, file=sys.stderr)
            return UsageError.exit_code
        given = vars(parser.parse_args(arguments))
        path = given.pop("config")
        try:
            config = load(self.config, None if path is None else Path(path), given)
        except UsageError as error:
            fail(self.name, str(error))
            return error.exit_code
        setup(config.log_level, config.log_style)
        limit_arenas()
        try:
            start = daemon()
        except KeyboardInterrupt:
            fail(self.name, "ended while starting")
            return RunError.exit_code
        settle()
        return run(lambda stop: start(config, stop), name=self.name)


class _Help(argparse.RawTextHelpFormatter):
    """As wide as it was written, options and their meaning side by side."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=29, width=100)


def _version() -> str:
    try:
        return version("denc")
    except PackageNotFoundError:
        return "(not installed)"
