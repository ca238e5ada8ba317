"""A sink that is made when the first value comes for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from viewer.sinks.sink import Sink

T = TypeVar("T")


class Later(Generic[T]):
    """For files of streams that may never come: none of them is made empty."""

    def __init__(self, name: str, capacity: int, make: Callable[[], Sink[T]]) -> None:
        self.name = name
        self.capacity = capacity
        self._make = make
        self._sink: Sink[T] | None = None

    def show(self, value: T) -> None:
        if self._sink is None:
            self._sink = self._make()
        self._sink.show(value)

    def close(self) -> None:
        if self._sink is not None:
            self._sink.close()
