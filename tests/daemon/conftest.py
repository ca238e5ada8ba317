import logging
from collections.abc import Iterator

import pytest

from daemon.malformed_http import LOGGER


@pytest.fixture(autouse=True)
def _restored_logs() -> Iterator[None]:
    root, http = logging.getLogger(), logging.getLogger(LOGGER)
    before = root.handlers, root.level, http.filters
    yield
    root.handlers, root.level = before[:2]
    http.filters = before[2]
