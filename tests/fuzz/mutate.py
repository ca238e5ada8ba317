"""Broken inputs out of good ones: seeded, and aware of lengths, lines and frames."""

import re
from collections.abc import Callable, Sequence
from random import Random

from tests.fuzz.frames import join_frames, split_frames
from tests.fuzz.target import Form

MAX_STEPS = 6  # mutations on top of each other
_BYTES = (0, 1, 2, 3, 0x7F, 0x80, 0xFE, 0xFF)
_NUMBERS = (
    b"0", b"-1", b"1", b"255", b"256", b"65535", b"65536", b"4294967295", b"4294967296",
    b"18446744073709551616", b"9" * 400, b"0x" + b"f" * 5000, b"1e400", b"nan", b"-inf", b"1:2:3",
    "\u0663".encode(),
)  # fmt: skip
_WORDS = (
    b"", b"*", b"&a ", b"*a", b"<<: *a", b"[" * 3000, b"{a: " * 500, b"!!int ''", b"!!float ''",
    b"!!timestamp x", b"!!bool x", b"!!binary x", b"? [a]", b'"\\0"', b'"\\ud800"', b"\xff",
    b"\r\n", b"\t", b"\0", b"%00", b"%ff", b"..", b"../" * 40, b"null", b"[]", b"{}", b"::1",
    "\u2028".encode(), "\u00e9".encode(),
)  # fmt: skip


class Mutator:
    """An endless, repeatable sequence of inputs out of the seeds of a target."""

    def __init__(self, seeds: Sequence[bytes], form: Form, max_bytes: int, random: Random) -> None:
        self._seeds = list(seeds) or [b""]
        self._form = form
        self._max_bytes = max_bytes
        self._random = random

    def reseed(self, seed: int) -> None:
        """From here on what follows from `seed`."""
        self._random.seed(seed)

    def next(self) -> bytes:
        """Another input."""
        return self.mutate(self._random.choice(self._seeds))

    def mutate(self, data: bytes) -> bytes:
        """One to MAX_STEPS changes of an input."""
        for _ in range(1 + int(MAX_STEPS * self._random.random() ** 3)):
            if self._form is Form.FRAMES and self._random.random() < 0.8:
                data = self._change_frames(data)
            elif self._form is Form.TEXT and self._random.random() < 0.7:
                data = self._random.choice(_TEXT_CHANGES)(self, data)
            else:
                data = self._random.choice(_BYTE_CHANGES)(self, data)
        return data[: self._max_bytes]

    # bytes

    def _range(self, data: bytes) -> tuple[int, int]:
        """A part of the data, mostly short."""
        start = self._random.randrange(len(data) + 1)
        longest = min(len(data) - start, 1 << self._random.randrange(10))
        return start, start + self._random.randint(0, longest)

    def _flip(self, data: bytes) -> bytes:
        if not data:
            return b"\0"
        changed = bytearray(data)
        changed[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)
        return bytes(changed)

    def _set(self, data: bytes) -> bytes:
        start = self._random.randrange(len(data) + 1)
        return data[:start] + bytes([self._random.choice(_BYTES)]) + data[start + 1 :]

    def _noise(self, data: bytes) -> bytes:
        start, end = self._range(data)
        return data[:start] + self._random.randbytes(end - start) + data[end:]

    def _truncate(self, data: bytes) -> bytes:
        return data[: self._random.randrange(len(data) + 1)]

    def _delete(self, data: bytes) -> bytes:
        start, end = self._range(data)
        return data[:start] + data[end:]

    def _copy(self, data: bytes) -> bytes:
        start, end = self._range(data)
        target = self._random.randrange(len(data) + 1)
        return data[:target] + data[start:end] + data[target:]

    def _repeat(self, data: bytes) -> bytes:
        """A part so often that the input is as long as one may be, or nearly."""
        start, end = self._range(data)
        room = self._max_bytes - len(data)
        if start == end or room <= 0:
            return data
        times = self._random.randint(1, max(1, room // (end - start)))
        return data[:start] + data[start:end] * times + data[start:]

    def _splice(self, data: bytes) -> bytes:
        other = self._random.choice(self._seeds)
        cut, start = self._random.randrange(len(data) + 1), self._random.randrange(len(other) + 1)
        return data[:cut] + other[start:]

    def _length(self, data: bytes) -> bytes:
        """Some bytes as a big endian number: a bit more or less, or as much as fits."""
        size = self._random.choice((1, 2, 2, 4, 8))
        if len(data) < size:
            return data
        start = self._random.randrange(len(data) - size + 1)
        top = 1 << 8 * size
        old = int.from_bytes(data[start : start + size], "big")
        left = len(data) - start - size
        new = self._random.choice((old + 1, old - 1, old ^ top >> 1, 0, top - 1, left, left + 1))
        return data[:start] + (new % top).to_bytes(size, "big") + data[start + size :]

    # text

    def _number(self, data: bytes) -> bytes:
        found = list(re.finditer(rb"[0-9]+", data))
        if not found:
            return data
        match = self._random.choice(found)
        return data[: match.start()] + self._random.choice(_NUMBERS) + data[match.end() :]

    def _word(self, data: bytes) -> bytes:
        found = list(re.finditer(rb"[^\s:;,=/]+", data))
        if not found:
            return self._random.choice(_WORDS)
        match = self._random.choice(found)
        other = self._random.choice(found)[0]
        word = self._random.choice((other, self._random.choice(_WORDS)))
        return data[: match.start()] + word + data[match.end() :]

    def _lines(self, data: bytes) -> bytes:
        """A line goes, comes twice, often, or elsewhere."""
        lines = data.splitlines(keepends=True)
        if not lines:
            return data
        line = lines.pop(self._random.randrange(len(lines)))
        times = self._random.choice((0, 1, 2, 2, 50, 2000))
        if times * len(line) > self._max_bytes:
            times = 2
        target = self._random.randrange(len(lines) + 1)
        return b"".join(lines[:target] + [line] * times + lines[target:])

    # frames

    def _change_frames(self, data: bytes) -> bytes:
        frames = split_frames(data)
        if not frames:
            return data
        index = self._random.randrange(len(frames))
        flags, body = frames[index]
        what = self._random.randrange(8)
        if what < 4:
            frames[index] = flags, self._random.choice(_BYTE_CHANGES)(self, body)[:0xFFFF]
        elif what == 4:
            frames[index] = self._random.randrange(256), body
        elif what == 5:
            frames.insert(self._random.randrange(len(frames) + 1), frames[index])
        elif what == 6:
            del frames[index]
        else:
            frames.insert(self._random.randrange(len(frames)), frames.pop(index))
        return join_frames(frames)


_Change = Callable[[Mutator, bytes], bytes]
_BYTE_CHANGES: tuple[_Change, ...] = (
    Mutator._flip, Mutator._flip, Mutator._set, Mutator._set, Mutator._noise, Mutator._truncate,
    Mutator._delete, Mutator._copy, Mutator._repeat, Mutator._splice, Mutator._length,
    Mutator._length,
)  # fmt: skip
_TEXT_CHANGES: tuple[_Change, ...] = (Mutator._number, Mutator._word, Mutator._lines)
