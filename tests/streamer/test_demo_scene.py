import importlib.util
import sys
import time

import numpy as np
import pytest

from daemon.errors import UsageError
from engines.frame import Planes
from streamer.sources.open import open_source
from streamer.sources.scene import pictures

HAS_PICTURES = importlib.util.find_spec("skimage") is not None
needs_pictures = pytest.mark.skipif(not HAS_PICTURES, reason="scikit-image is not installed")


def _planes(number: int, size: tuple[int, int], fps: float = 25.0) -> Planes:
    from streamer.sources.demo import demo_planes

    return demo_planes(number, size, fps)


@needs_pictures
class TestScene:
    def test_a_frame_is_a_pure_function_of_number_size_and_rate(self) -> None:
        from streamer.sources.scene.yard import Yard

        first = _planes(31, (128, 96))
        _planes(7, (128, 96))
        again = Yard(128, 96).picture(31 / 25.0, 31)
        for a, b in zip(first.channels, again.channels, strict=True):
            assert np.array_equal(a, b)

    @pytest.mark.parametrize("size", [(64, 64), (65, 97), (127, 64), (64, 128), (333, 251)])
    def test_every_size_works_odd_ones_and_portraits_too(self, size: tuple[int, int]) -> None:
        for number in (0, 333, 100_000):
            planes = _planes(number, size)
            assert (planes.width, planes.height) == size

    def test_things_at_different_distances_move_at_different_speeds(self) -> None:
        a, b = _planes(100, (424, 240)).y, _planes(104, (424, 240)).y
        wall = _shift(a[:60], b[:60])
        lawn = _shift(a[-8:, 200:], b[-8:, 200:])
        assert wall >= 1
        assert lawn >= 2 * wall

    def test_neighbouring_frames_differ_and_stay_in_range(self) -> None:
        a, b = _planes(10, (424, 240)), _planes(11, (424, 240))
        difference = np.abs(a.y.astype(int) - b.y.astype(int)).mean()
        assert 1 < difference < 30
        assert a.y.min() >= 8
        assert a.y.max() <= 243
        assert a.y.std() > 30
        assert a.v.std() > 3

    def test_it_is_fast_enough_for_real_time(self) -> None:
        _planes(0, (848, 480))
        spent = []
        for number in range(20):
            started = time.thread_time()
            _planes(number * 9, (848, 480))
            spent.append(time.thread_time() - started)
        assert min(spent) < 0.015  # 3 ms on a free core; this one may be shared

    def test_the_source_counts_frames_and_never_ends(self) -> None:
        source = open_source("demo:", size=(64, 64), fps=10, paced=False, clock=lambda: 5)
        frames = [source.read() for _ in range(3)]
        assert [f.number for f in frames if f] == [0, 1, 2]
        assert [f.captured_us for f in frames if f] == [5, 100_005, 200_005]
        assert not source.live
        source.close()

    def test_scikit_image_itself_is_never_imported(self) -> None:
        _planes(0, (64, 64))
        assert "skimage" not in sys.modules


def test_without_scikit_image_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'denc\[bench\]'"):
        open_source("demo:", size=(80, 66))


def _shift(a: np.ndarray, b: np.ndarray) -> int:
    """By how many columns `b` is moved to the left against `a`."""
    width = a.shape[1] - 64
    costs = [
        np.abs(a[:, 32 : 32 + width].astype(int) - b[:, 32 - s : 32 - s + width]).mean()
        for s in range(-32, 33)
    ]
    return abs(int(np.argmin(costs)) - 32)
