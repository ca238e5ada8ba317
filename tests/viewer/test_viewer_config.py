"""The settings: one list of keys in the dataclass, the YAML file and the command line."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from daemon.config import load
from daemon.errors import UsageError
from viewer.address import Address, parse_address
from viewer.cli import main, parser
from viewer.config import LISTEN, PAGE, ViewerConfig

YAML = Path(__file__).parents[2] / "configs" / "viewer.yaml"
KEYS = [field.name for field in fields(ViewerConfig)]
NOT_KEYS = {"config", "help", "version"}


def test_yaml_dataclass_and_command_line_have_the_same_keys() -> None:
    options = {action.dest for action in parser()._actions} - NOT_KEYS
    assert sorted(yaml.safe_load(YAML.read_text())) == sorted(KEYS) == sorted(options)


def test_yaml_holds_the_defaults() -> None:
    assert load(ViewerConfig, YAML, {"listen": "1"}) == load(ViewerConfig, None, {"listen": "1"})


def test_every_yaml_key_says_why_it_is_there() -> None:
    lines = [line for line in YAML.read_text().splitlines() if line and line[0] != "#"]
    assert all("  # " in line for line in lines)


def test_bare_listen_is_every_interface_on_the_port_of_whip() -> None:
    from link.whip_server import DEFAULT_PORT

    given = vars(parser().parse_args(["--listen"]))
    given.pop("config")
    assert load(ViewerConfig, None, given).listen == LISTEN == Address("0.0.0.0", DEFAULT_PORT)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8889", Address("0.0.0.0", 8889)),
        (8889, Address("0.0.0.0", 8889)),
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("box.local:80", Address("box.local", 80)),
        ("[::1]:8889", Address("::1", 8889)),
    ],
)
def test_addresses_parse(text: object, address: Address) -> None:
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize("text", ["", "host", "host:", ":80", "a:b:80", "80000", "-1", True, "::1"])
def test_what_is_no_address_is_told_so(text: object) -> None:
    with pytest.raises(ValueError, match=r"\[HOST:\]PORT"):
        parse_address(text)


def test_the_page_is_local_when_nothing_else_was_asked_for() -> None:
    def page(**keys: object) -> Address | None:
        return load(ViewerConfig, None, {"listen": "0", **keys}).page

    assert page() == PAGE
    assert page(headless=True) is None
    assert page(record="r.mkv") is None
    assert page(record="r.mkv", web="81") == Address("0.0.0.0", 81)


def test_a_sink_that_goes_is_the_last_one_or_is_not() -> None:
    def others(sink: str, **keys: object) -> bool:
        return load(ViewerConfig, None, {"listen": "0", **keys}).is_seen_without(sink)

    assert not others("stdout", stdout="y4m")
    assert not others("window", window=True)
    assert others("stdout", stdout="y4m", record="r.mkv")
    assert others("stdout", stdout="y4m", window=True)
    assert others("window", window=True, web="81")


@pytest.mark.parametrize("sink", [{"window": True}, {"v4l2": "/dev/video10"}, {"web": "81"}])
def test_what_is_watched_in_real_time_paces_a_file(sink: dict[str, object]) -> None:
    assert not load(ViewerConfig, None, {"input": "a.mkv", **sink}).keeps_every_frame
    assert load(ViewerConfig, None, {"input": "a.mkv", "stdout": "y4m"}).keeps_every_frame


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "--listen"),
        ({"listen": "1", "input": "a.mkv"}, "exclude"),
        ({"listen": "1", "headless": True, "web": "2"}, "exclude"),
        ({"listen": "x"}, "PORT"),
        ({"listen": "1", "record_quality": "best"}, "lossless"),
        ({"listen": "1", "latency_budget": 0}, "from 1"),
        ({"listen": "1", "record_split": "10min"}, "--record-split needs"),
        ({"listen": "1", "record": "r.mkv", "record_split": "10"}, "10min"),
        ({"listen": "1", "stdout": "avi"}, "y4m"),
        ({"listen": "1", "fidelity": 1.5}, "from 0 to 1"),
        ({"listen": "1", "fidelity": "sharp"}, "from 0 to 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(ViewerConfig, None, keys)


def test_unknown_key_names_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "viewer.yaml"
    path.write_text("listen: 8889\nlatency_bugdet: 100\n")
    assert main(["--config", str(path)]) == 2
    assert "latency_bugdet" in (said := capsys.readouterr().err)
    assert "latency_budget" in said


def test_no_option_tells_how_to_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "denc-view --listen" in capsys.readouterr().err


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "denc-view --input s.mkv --record out.mkv" in capsys.readouterr().out
