"""What --engines and --anchors take."""

import pytest

from benches import BenchUsageError
from benches.methods import (
    ANCHORS,
    HULL,
    in_order,
    label_of,
    methods_of,
    parse_anchors,
    parse_variants,
)
from benches.views import open_views


def methods(*words: str) -> list[str]:
    return [variant.method for variant in parse_variants(words)]


def test_a_bare_engine_means_both_ends_of_fidelity():
    assert methods("lite") == ["lite@0", "lite@1"]
    assert methods("lite@0.50,auto@1", "plain") == ["lite@0.5", "auto@1", "plain@0"]
    assert methods("lite,lite@1 lite@0") == ["lite@0", "lite@1"]


@pytest.mark.parametrize("word", ["lite@", "lite@2", "lite@x", "lite@nan"])
def test_a_fidelity_that_is_none_is_refused(word):
    with pytest.raises(BenchUsageError, match="from 0 to 1"):
        parse_variants([word])


def test_no_engine_is_refused():
    with pytest.raises(BenchUsageError, match="no engine"):
        parse_variants([","])


def test_anchors_share_the_native_size():
    assert methods_of(parse_anchors(["x265-zerolatency,x265-scales", "vp9"])) == [
        "x265-zerolatency", "x265-1/2", "x265-1/3", "x265-1/4", "vp9",
    ]  # fmt: skip


def test_an_unknown_anchor_is_refused_with_the_known_ones():
    with pytest.raises(BenchUsageError, match="no h264; known: x265-zerolatency"):
        parse_anchors(["h264"])


def test_every_method_has_a_label_and_a_place():
    everything = [*methods_of(ANCHORS), HULL, "lanczos", "lite@0"]
    assert in_order(reversed(everything))[-1] == "lite@0"
    assert all(label_of(method) for method in everything)


def test_auto_becomes_the_engine_that_runs_and_fidelities_share_it():
    views = open_views(parse_variants(["auto"]), threads=1)
    engine = views[0].method.partition("@")[0]
    assert engine != "auto"
    assert views[0].encoder is views[-1].encoder
    assert views[0].restorer is views[-1].restorer
    assert engine in views[0].network
