"""When the next packet may leave: a token bucket that spreads an access unit over time."""

DEFAULT_BURST_BYTES = 4_800  # four full packets back to back: a small picture is not held up


class Pacer:
    """Token bucket of `burst_bytes`, filled at `bitrate_bps`.

    A packet may leave once the bucket holds it, or is full: a packet larger than the bucket goes
    when it is full and leaves a debt, so the mean rate holds for packets of any size.
    """

    def __init__(self, bitrate_bps: float, burst_bytes: int = DEFAULT_BURST_BYTES) -> None:
        self._burst_bytes = burst_bytes
        self._tokens = float(burst_bytes)
        self._updated_us: int | None = None
        self._bytes_per_us = 0.0
        self._set_rate(bitrate_bps)

    def set_bitrate(self, bitrate_bps: float, now_us: int, burst_bytes: int | None = None) -> None:
        """A new rate from now on, and a new size of the bucket; what was gathered is kept."""
        self._refill(now_us)
        self._set_rate(bitrate_bps)
        if burst_bytes is not None:
            self._burst_bytes = burst_bytes
            self._tokens = min(self._tokens, burst_bytes)

    def delay_us(self, size_bytes: int, now_us: int) -> int:
        """Time until a packet of this size may leave, us; 0: now."""
        self._refill(now_us)
        lacking = min(size_bytes, self._burst_bytes) - self._tokens
        return max(0, -int(-lacking // self._bytes_per_us))

    def spend(self, size_bytes: int, now_us: int) -> None:
        """A packet of this size leaves now, whether or not it was due."""
        self._refill(now_us)
        self._tokens -= size_bytes

    def _set_rate(self, bitrate_bps: float) -> None:
        if not bitrate_bps > 0:
            raise ValueError(f"a bitrate of {bitrate_bps} bit/s lets nothing leave")
        self._bytes_per_us = bitrate_bps / 8e6

    def _refill(self, now_us: int) -> None:
        if self._updated_us is not None and now_us > self._updated_us:
            gained = (now_us - self._updated_us) * self._bytes_per_us
            self._tokens = min(self._burst_bytes, self._tokens + gained)
        self._updated_us = now_us
