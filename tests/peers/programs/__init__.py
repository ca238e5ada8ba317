"""Programs that the tests start, most of them in interpreters that know nothing of denc."""

from pathlib import Path

FOLDER = Path(__file__).parent
