"""YAML in bounded time: what people write is read, what only an attacker writes is refused."""

import pytest

from engines.plain_yaml import MAX_DEPTH, MAX_YAML_BYTES, PlainYamlError, read_yaml


def test_what_people_write_is_read() -> None:
    text = b"clips:\n  - {name: one, fps: 29.97, fast: true}\nnote: null\n"
    assert read_yaml(text) == {
        "clips": [{"name": "one", "fps": 29.97, "fast": True}],
        "note": None,
    }
    assert read_yaml(b"") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", "aliases"),
        (b"a: &a {x: 1}\nb: {<<: *a}", "aliases"),
        (b"[" * (MAX_DEPTH + 1), "deeper"),
        (b"[" * 50_000, "nest"),
        (b"{a: " * 50_000, "nest"),
        (b"#" * (MAX_YAML_BYTES + 1), "larger"),
        (b"!!float ''", "not valid YAML"),
        (b"!!int ''", "not valid YAML"),
        (b"!!timestamp x", "not valid YAML"),
        (b"!!bool x", "not valid YAML"),
        (b"2001-99-99", "not valid YAML"),
        (b"!!python/object:os.system {}", "not valid YAML"),
        (b"? [a]\n: b", "not valid YAML"),
        (b"\xfe", "not valid YAML"),
    ],
)
def test_everything_else_is_refused_in_one_line(text: bytes, words: str) -> None:
    with pytest.raises(PlainYamlError, match=words) as caught:
        read_yaml(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
