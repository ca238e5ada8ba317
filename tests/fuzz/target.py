"""What a target is: something that takes bytes, and the errors that it may answer with."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import Enum

LIMIT_MS = 10.0  # an input; of several datagrams in one: SEQUENCE_LIMIT_MS
SEQUENCE_LIMIT_MS = 100.0  # of 32 datagrams at most: 3 ms each
LIMIT_BYTES = 1 << 20
Run = Callable[[bytes], None]


class Form(Enum):
    """What an input is made of: how to mutate it so that more than its first check is reached."""

    BYTES = "bytes"
    TEXT = "lines of words and numbers"
    FRAMES = "a sequence of datagrams, see `frames`"


@dataclass(frozen=True)
class Target:
    """`open` sets up what a run needs (loop, server, folder) and gives the run."""

    name: str  # of its folder in corpus/ too
    open: Callable[[], AbstractContextManager[Run]]
    errors: tuple[type[Exception], ...]  # declared; anything else is a finding
    inputs: int  # of the P tier
    form: Form = Form.BYTES
    max_bytes: int = 4096
    limit_ms: float = LIMIT_MS
    limit_bytes: int = LIMIT_BYTES


def plain(run: Run) -> Callable[[], AbstractContextManager[Run]]:
    """`open` of a target that needs nothing set up."""

    @contextmanager
    def opened() -> Iterator[Run]:
        yield run

    return opened
