"""The pictures of one stream as JPEGs: restored, and as they travel."""

from __future__ import annotations

from viewer.picture import Shown
from viewer.sinks.feed import Feed


class Feeds:
    """A sink; its feeds go to browsers."""

    name = "web"
    capacity = 1

    def __init__(self) -> None:
        self.restored, self.preview = Feed(), Feed()

    def show(self, value: Shown) -> None:
        self.restored.put(value.frame.planes)
        self.preview.put(value.decoded.latent.planes)

    def close(self) -> None:
        """Nothing is held back; the server sends the browsers home."""

    def stop(self) -> None:
        """Send every browser home; called on the event loop."""
        self.restored.close()
        self.preview.close()
