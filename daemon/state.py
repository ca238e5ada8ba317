"""Where a box keeps what it must not forget: its key, and the boxes it knows.

identity.pem    the key and certificate of this box, for its owner's eyes alone
streamers       who may send to this box's denc-view
viewers         which box this box's denc-stream found where
pairing         until when one more streamer may pair (Unix seconds)
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

from daemon.errors import UsageError
from link.errors import IdentityError
from link.identity import Identity, clean_name, load_or_create

FOLDER_NAME = "denc"


class State:
    """The folder, made now if it is not there. Raises UsageError, with what to do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = stat.S_IMODE(folder.stat().st_mode)
        except OSError as error:
            raise UsageError(
                f"{folder}: cannot make the folder for the key of this box: {error.strerror}; "
                "give another with --state"
            ) from error
        if mode & 0o022:
            raise UsageError(
                f"{folder} holds the key of this box and others can write there (mode "
                f"{mode:03o}): chmod 700 {folder}"
            )

    @property
    def streamers(self) -> Path:
        return self.folder / "streamers"

    @property
    def viewers(self) -> Path:
        return self.folder / "viewers"

    @property
    def pairing(self) -> Path:
        return self.folder / "pairing"

    def identity(self) -> Identity:
        """The key of this box, made at the first call. Raises UsageError."""
        try:
            return load_or_create(self.folder / "identity.pem")
        except IdentityError as error:
            raise UsageError(str(error)) from error

    @property
    def option(self) -> str:
        """What to type behind a command so that it finds this folder; empty for the default."""
        return "" if self.folder == default_folder({}) else f" --state {self.folder}"


def default_folder(environment: Mapping[str, str] | None = None) -> Path:
    """systemd's StateDirectory, else `$XDG_STATE_HOME/denc`, else `~/.local/state/denc`."""
    found = os.environ if environment is None else environment
    if first := found.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(first)
    if base := os.environ.get("XDG_STATE_HOME"):
        return Path(base) / FOLDER_NAME
    return Path.home() / ".local" / "state" / FOLDER_NAME


def open_state(folder: Path | None) -> State:
    """The folder that was asked for, or the default one. Raises UsageError."""
    return State(default_folder() if folder is None else folder)


def box_name() -> str:
    """What this box calls itself to others."""
    return clean_name(socket.gethostname()) or "box"
