from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.config import key, load
from daemon.errors import UsageError


def _even(value: object) -> int:
    if not isinstance(value, int) or value % 2:
        raise ValueError("an even number")
    return value


@dataclass(frozen=True)
class Settings:
    fps: float = 25.0
    threads: int = 2
    token: str | None = None
    loop: bool = False
    output: Path | None = None
    width: int = key(64, _even)


def _file(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def test_command_line_wins_over_file_and_file_over_default(tmp_path: Path) -> None:
    path = _file(tmp_path, "fps: 30\nthreads: 4\noutput: a.mkv\n")
    settings = load(Settings, path, {"threads": 8, "token": None})
    assert settings == Settings(fps=30.0, threads=8, output=Path("a.mkv"))
    assert isinstance(settings.fps, float)


def test_no_file_and_empty_file_give_the_defaults(tmp_path: Path) -> None:
    assert load(Settings, None, {}) == Settings() == load(Settings, _file(tmp_path, ""), {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("thread: 4", ["settings.yaml", "'thread'", "'threads'"]),
        ("3: 4", ["settings.yaml", "'3'"]),
        ("threads: four", ["threads", "a whole number", "'four'"]),
        ("threads: true", ["threads", "a whole number"]),
        ("threads: 1.5", ["threads", "a whole number"]),
        ("loop: 1", ["loop", "true or false"]),
        ("token: 1234", ["token", "text"]),
        ("fps:", ["fps", "a number"]),
        ("width: 65", ["width", "an even number", "65"]),
        ("- fps", ["key: value"]),
        ("fps: [", ["not valid YAML"]),
        ("[" * 5000, ["nest"]),
        ("a: &a 1\nb: *a", ["aliases"]),
        ("fps: 0x" + "f" * 5000, ["fps", "a number", "digits"]),
        ("? 0x" + "f" * 5000 + "\n: 1", ["unknown key", "digits"]),
        ("threads: " + "x" * 5000, ["threads", "x..."]),
        ("a: \x01", ["not valid YAML"]),
    ],
)
def test_wrong_file_is_a_usage_error_that_says_what_to_change(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        load(Settings, _file(tmp_path, text), {})
    assert all(word in str(caught.value) for word in words), caught.value


def test_wrong_override_names_the_option() -> None:
    with pytest.raises(UsageError, match=r"--width: expected an even number"):
        load(Settings, None, {"width": 3})


def test_missing_or_binary_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load(Settings, tmp_path / "none.yaml", {})
    binary = tmp_path / "binary"
    binary.write_bytes(bytes(range(256)))
    with pytest.raises(UsageError, match="not valid YAML"):
        load(Settings, binary, {})
