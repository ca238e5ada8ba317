"""Files and streams through libavformat, with any PyAV from 14 on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import av
from av.container import InputContainer

# PyAV before 19 reads titles while it opens, and fails at those that are in no known encoding
_BEFORE_19 = int(av.__version__.partition(".")[0]) < 19
_TITLES: dict[str, Any] = {"metadata_errors": "replace"} if _BEFORE_19 else {}


def open_input(
    name: str,
    *,
    format: str | None = None,
    options: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> InputContainer:
    """Raises what `av.open` raises."""
    container = av.open(
        name, format=format, options=dict(options or {}), timeout=timeout_s, **_TITLES
    )
    assert isinstance(container, InputContainer)
    return container
