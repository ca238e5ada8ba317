"""The pictures of one stream that wait for restoration."""

from __future__ import annotations

from collections import deque
from statistics import median_low

from viewer.picture import Decoded

SPACING_SAMPLES = 25  # pictures
SPACING_SAMPLES_MIN = 6
ACTIVE_US = 1_000_000  # without a picture for longer, a stream costs the others nothing


class Lane:
    """In order; a `LatentBuffer` guards it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.spent_us = 0.0  # of the restorer's time, counted on from where the others are
        self._waiting: deque[Decoded] = deque()
        self._newest: Decoded | None = None
        self._put_us = 0
        self._spacings_us: deque[int] = deque(maxlen=SPACING_SAMPLES)  # of capture times

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def oldest(self) -> Decoded:
        """The one whose turn is next."""
        return self._waiting[0]

    @property
    def newest(self) -> Decoded:
        """The one that came last, even if it waits no longer."""
        assert self._newest is not None
        return self._newest

    @property
    def has_newest(self) -> bool:
        return self._newest is not None

    @property
    def spacing_us(self) -> float:
        """The median time between two pictures; 0 until there are enough of them."""
        enough = len(self._spacings_us) >= SPACING_SAMPLES_MIN
        return median_low(self._spacings_us) if enough else 0.0

    def is_active(self, now_us: int) -> bool:
        """Whether its stream goes on."""
        return self._newest is not None and (
            bool(self._waiting) or now_us - self._put_us <= ACTIVE_US
        )

    def put(self, picture: Decoded, now_us: int, served_us: float) -> None:
        """Append; a lane that had nothing to do cannot save its time up."""
        if not self._waiting:
            self.spent_us = max(self.spent_us, served_us)
        before, captured_us = self._newest, picture.latent.captured_us
        if before is not None and captured_us > before.latent.captured_us:
            self._spacings_us.append(captured_us - before.latent.captured_us)
        self._newest, self._put_us = picture, now_us
        self._waiting.append(picture)

    def take(self, cost_us: float = 0.0) -> Decoded:
        """The oldest, which costs the restorer so much."""
        self.spent_us += cost_us
        return self._waiting.popleft()

    def clear(self) -> None:
        """Nothing waits any longer."""
        self._waiting.clear()
