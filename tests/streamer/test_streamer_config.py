from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from daemon.config import load
from daemon.errors import UsageError
from link.ice_servers import IceServer
from streamer.cli import main, parser
from streamer.config import StreamerConfig
from streamer.peer import Peer, parse_peer

YAML = Path(__file__).parents[2] / "configs" / "streamer.yaml"
NEEDED = {"source": "demo:", "output": "out.mkv"}
WRONG_PEERS = (
    "192.168.1..20", "a..b", "x" * 64, "https://a..b/whip", "http://127.0.0.1:99999/whip", "https://[::1/whip",
    "box:0", "http://box:0/whip",
)  # fmt: skip
KEYS = [field.name for field in fields(StreamerConfig)]


def test_yaml_lists_every_key_with_its_default_and_a_reason() -> None:
    assert list(yaml.safe_load(YAML.read_text())) == KEYS
    assert load(StreamerConfig, YAML, NEEDED) == load(StreamerConfig, None, NEEDED)
    lines = [line for line in YAML.read_text().splitlines() if line and line[0] not in "# "]
    assert [line for line in lines if len(line.partition("#")[2]) < 10] == []


def test_command_line_has_an_option_for_every_key() -> None:
    options = {action.dest for action in parser()._actions}
    assert options - {"help", "version", "config"} == set(KEYS)


def test_defaults_in_the_help_are_the_defaults() -> None:
    text = parser().format_help()
    config = load(StreamerConfig, None, NEEDED)
    assert f"(default: {config.max_bitrate // 1000}k)" in text
    assert f"(default: {config.bits})" in text
    assert config.preset is None
    assert "of x265 (default: auto)" in text
    assert f"default: {config.figures_port}" in text


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("max_bitrate", "200k", 200_000),
        ("max_bitrate", "1.5M", 1_500_000),
        ("max_bitrate", 64000, 64_000),
        ("size", "1280x720", (1280, 720)),
        ("size", "65x97", (65, 97)),
        ("scale", "auto", None),
        ("scale", "3", 3),
        ("preset", "auto", None),
        ("preset", "fast", "fast"),
        ("fps", "29.97", 29.97),
        ("bits", 4, 4),
        ("duration", "10", 10.0),
        ("peer", "box", Peer("https://box:8889/whip", True)),
        ("peer", "10.0.0.2:9000", Peer("https://10.0.0.2:9000/whip", True)),
        ("peer", "::1", Peer("https://[::1]:8889/whip", True)),
        ("peer", "[fe80::1]:80", Peer("https://[fe80::1]:80/whip", True)),
        ("peer", "https://sfu.example/whip/room", Peer("https://sfu.example/whip/room", False)),
        ("peer", "http://10.0.0.2:8888/whip", Peer("http://10.0.0.2:8888/whip", False)),
        ("ice_server", "stun:box", (IceServer("stun", "box", 3478),)),
        ("ice_server", ["stun:box:1"], (IceServer("stun", "box", 1),)),
    ],
)
def test_values_are_understood(key: str, text: object, value: object) -> None:
    assert getattr(load(StreamerConfig, None, {**NEEDED, key: text}), key) == value


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("max_bitrate", "fast", "200k"),
        ("max_bitrate", "9k", "from 10k to 100M"),
        ("max_bitrate", "9" * 400, "from 10k to 100M"),
        ("max_bitrate", True, "200k"),
        ("size", "63x64", "64x64 to 4096x2304"),
        ("size", "1280", "1280x720"),
        ("size", "4097x720", "64x64 to 4096x2304"),
        ("scale", "5", "from 1 to 4"),
        ("bits", "3", "from 4 to 8"),
        ("fps", "0", "frames per second from 1 to 240"),
        ("fps", "nan", "frames per second"),
        ("preset", "placebo!", "ultrafast"),
        ("peer", "a b", "HOST"),
        ("peer", "box:99999", "HOST"),
        ("peer", "ftp://box", "HOST"),
        ("ice_server", "http://box", "stun:HOST"),
        ("ice_server", ["stun:a"] * 9, "at most 8"),
        ("figures_port", 70000, "from 0 to 65535"),
    ],
)
def test_wrong_values_say_what_was_expected(key: str, text: object, words: str) -> None:
    with pytest.raises(UsageError, match=f"--{key.replace('_', '-')}: expected .*{words}"):
        load(StreamerConfig, None, {**NEEDED, key: text})


def test_a_peer_is_a_box_at_the_viewers_default_port() -> None:
    assert parse_peer("192.168.1.20") == Peer("https://192.168.1.20:8889/whip", is_box=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "denc-stream --camera 0 --peer"),
        (["--peer", "box"], "--camera 0"),
        (["--source", "demo:"], "--peer HOST"),
        (["--source", "demo:", "--peer", "box", "--bits", "9"], "--bits: expected"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
        *((["--source", "demo:", "--peer", peer], "HOST[:PORT]") for peer in WRONG_PEERS),
    ],
)
def test_a_mistake_on_the_command_line_exits_with_2_and_what_to_type(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr().err
    assert words in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    "arguments", [["--camera", "x"], ["--camera", "0", "--source", "a"], ["--unknown"]]
)
def test_options_that_make_no_sense_exit_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert "usage: denc-stream" in capsys.readouterr().err


def test_unknown_key_in_the_file_names_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("max_bitrat: 100k\n")
    assert main(["--config", str(path), "--camera", "0", "--peer", "box"]) == 2
    assert "nearest known key is 'max_bitrate'" in capsys.readouterr().err


def test_version_and_help_end_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--version", "--help"):
        with pytest.raises(SystemExit) as exit_:
            main([option])
        assert exit_.value.code == 0
    assert "denc-stream" in capsys.readouterr().out
