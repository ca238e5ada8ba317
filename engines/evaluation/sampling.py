"""Which frames of a clip are looked at where all of them would take too long."""

from __future__ import annotations

CYCLE = 8  # frames after which an encoder's qualities repeat: cascades and B-pyramids of 2, 4 or 8


def spread(count: int, parts: int) -> list[int]:
    """Numbers of `parts` of `count` frames, rising; all of them if there are no more.

    Spread over the clip, and evenly over the places of a cycle: frames at equal distances would
    all be well coded ones, or all badly coded ones. The first frame is in a sample as late as
    possible: an IRAP is unlike the others, and there is one in hundreds.
    """
    if parts >= count:
        return list(range(count))
    cycles = max(1, count // CYCLE)
    taken: dict[int, None] = {}
    for part in range(parts):
        place = (part + CYCLE // 2) % CYCLE
        number = CYCLE * (part * cycles // parts) + place
        while number in taken or number >= count:
            number = (number + CYCLE) if number + CYCLE < count else (number + 1) % count
        taken[number] = None
    return sorted(taken)
