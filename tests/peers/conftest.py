"""What the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers import scene


@pytest.fixture(scope="session")
def enlarged_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once."""
    return scene.enlarged(tmp_path_factory.mktemp("scene") / "scene.mkv")
