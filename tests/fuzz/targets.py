"""The table of all targets."""

from tests.fuzz.on import files, media, page, signalling, wire
from tests.fuzz.target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for room in (wire, signalling, media, files, page)
    for target in room.TARGETS
}
