"""The engine of the demo: one for the live run and for restoring its recording again.

`auto` may change it while it runs, and the pictures that are compared would not be those shown.
"""

from __future__ import annotations

from engines.codec import AUTO, engine_names


def demo_engine() -> str:
    """The first network that is installed, or plain upscaling."""
    return next(name for name in engine_names() if name != AUTO)
