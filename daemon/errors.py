"""The errors a daemon ends with; the tree is drawn in the package docstring."""

from __future__ import annotations


class DaemonError(Exception):
    """Ends the daemon; `str(error)` is the line the user reads."""

    exit_code = 1


class UsageError(DaemonError):
    """The command line, the configuration or a named device or file is wrong."""

    exit_code = 2


class RunError(DaemonError):
    """The command was right, yet the work cannot go on."""
