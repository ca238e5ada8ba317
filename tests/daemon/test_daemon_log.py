import json
import logging

import pytest

from daemon import log


def test_text_line_holds_level_logger_event_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup("info", "text")
    log.event(logging.getLogger("streamer.send"), "connected", peer="a b", rtt_ms=1.23456789)
    line = capsys.readouterr().err
    assert line.endswith('info    streamer.send  connected  peer="a b"  rtt_ms=1.23457\n')


def test_json_line_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup("info", "json")
    logger = logging.getLogger("streamer.send")
    log.event(logger, "connected", level=logging.WARNING, peer="a\nb", qp=30)
    line = json.loads(capsys.readouterr().err)
    assert line.pop("time") > 1.6e9
    assert line == {
        "level": "warning",
        "logger": "streamer.send",
        "event": "connected",
        "peer": "a\nb",
        "qp": 30,
    }


def test_level_hides_what_is_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup("warning", "text")
    log.event(logging.getLogger("streamer"), "connected")
    assert capsys.readouterr().err == ""
