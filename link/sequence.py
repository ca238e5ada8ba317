"""Wrapping counters of RTP made comparable: sequence numbers (16 bits), timestamps (32 bits)."""

RTP_CLOCK_HZ = 90_000  # RFC 7798, section 4.1


def difference(later: int, earlier: int, bits: int) -> int:
    """`later - earlier` of two wrapping counters, in [-2^(bits-1), 2^(bits-1))."""
    half = 1 << (bits - 1)
    return ((later - earlier + half) & ((1 << bits) - 1)) - half


def unwrap_sequence(sequence: int, near: int) -> int:
    """The integer nearest to `near` whose low 16 bits are `sequence`."""
    return near + difference(sequence, near, 16)


def timestamp_span_us(later: int, earlier: int) -> int:
    """Time between two RTP timestamps of the 90 kHz clock, us; negative when `later` is older."""
    return difference(later, earlier, 32) * 1_000_000 // RTP_CLOCK_HZ


def rtp_timestamp(captured_us: int) -> int:
    """The RTP timestamp of a capture time: the 90 kHz clock counts capture time, modulo 2^32."""
    return captured_us * (RTP_CLOCK_HZ // 1000) // 1000 % (1 << 32)
