"""Official measures through pyiqa, with a stand-in for it: its weights come from the internet."""

import sys
import types

import pytest

torch = pytest.importorskip("torch")

from small_clip import CLIP

from benches import BenchUsageError
from benches.official import open_official


class Metric:
    """Mean brightness of the picture, or its difference to the reference's."""

    def __init__(self, mode):
        self.metric_mode = mode

    def __call__(self, picture, reference=None):
        assert picture.shape[:2] == (1, 3)
        assert (reference is not None) == (self.metric_mode == "FR")
        return (picture.mean() if reference is None else (picture - reference).abs().mean())[None]


@pytest.fixture
def warnings(monkeypatch):
    def create_metric(name, device):
        assert device.type in ("cpu", "cuda")
        if name == "dists":
            raise OSError("no internet\nat all")
        return Metric("NR" if name == "musiq" else "FR")

    module = types.ModuleType("pyiqa")
    module.create_metric = create_metric
    monkeypatch.setitem(sys.modules, "pyiqa", module)
    return []


def test_measures_are_means_over_the_sampled_frames(warnings):
    official = open_official(["lpips", "musiq"], 2, warnings.append)
    assert warnings == []
    assert official.names == ("lpips", "musiq")
    assert official.frames_of(6) == 2
    found = official.measure(CLIP.pictures, CLIP.pictures)
    assert found["lpips"] == 0
    assert 0.2 < found["musiq"] < 0.8


def test_weights_that_cannot_be_had_are_one_sentence_and_the_rest_goes_on(warnings):
    official = open_official(["dists", "lpips"], 2, warnings.append)
    assert official.names == ("lpips",)
    assert warnings == ["without dists: pyiqa cannot get its weights (no internet)"]
    assert open_official(["dists"], 2, warnings.append) is None


def test_missing_pyiqa_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    said = []
    assert open_official(["lpips", "musiq"], 2, said.append) is None
    assert len(said) == 1
    assert "denc[pyiqa]" in said[0]


def test_an_unknown_name_is_refused(warnings):
    with pytest.raises(BenchUsageError, match="no fvd; known: lpips"):
        open_official(["fvd"], 2, warnings.append)
