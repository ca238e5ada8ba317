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

from daemon.allocator import limit_arenas
from daemon.config import load
from daemon.errors import UsageError
from daemon.log import LEVELS, STYLES, fail, setup
from daemon.run import run


class LogSettings(Protocol):
    """What `main` itself needs of a configuration, which is a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def log_level(self) -> str: ...
    @property
    def log_style(self) -> str: ...


Config = TypeVar("Config", bound=LogSettings)


@dataclass(frozen=True)
class Command(Generic[Config]):
    """A daemon as it is started: `start` shows what to type, `yaml` documents the keys."""

    name: str
    about: str
    start: str
    yaml: str
    config: type[Config]

    def parser(self) -> argparse.ArgumentParser:
        """Without options; one option a key of the configuration, what is not given is None."""
        return argparse.ArgumentParser(
            prog=self.name,
            description=self.about,
            epilog=self.start,
            formatter_class=argparse.RawTextHelpFormatter,
        )

    def add_rest(self, parser: argparse.ArgumentParser, figures: str) -> argparse._ArgumentGroup:
        """The options that every daemon has; `figures` says where the live figures are."""
        rest = parser.add_argument_group("the rest")
        rest.add_argument("--config", metavar="FILE", help=f"YAML; see {self.yaml}")
        rest.add_argument(
            "--state", metavar="DIR", help="the key of this box, and the boxes it knows"
        )
        rest.add_argument("--figures-port", metavar="PORT", help=f"live figures; {figures}")
        rest.add_argument("--log-level", choices=LEVELS)
        rest.add_argument("--log-style", choices=STYLES)
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
        start = daemon()
        return run(lambda stop: start(config, stop), name=self.name)


def _version() -> str:
    try:
        return version("denc")
    except PackageNotFoundError:
        return "(not installed)"
