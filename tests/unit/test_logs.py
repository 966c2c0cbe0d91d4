"""What the worker prints: one JSON line per event, whoever speaks, and no secret in any."""

import json
import logging
import warnings
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
import structlog

from workers.logs import configure_logs
from workers.settings import LogSettings

SECRET = "sb_secret_N3verT0BeSeen"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, realtime = list(root.handlers), root.level, logging.getLogger("realtime").level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("realtime").setLevel(realtime)


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    (line,) = capsys.readouterr().out.splitlines()
    return dict(json.loads(line))


def test_an_event_is_one_line_of_json_with_its_level_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings())
    run_id = uuid4()

    structlog.get_logger().info("run.settled", run_id=run_id, cost_eur=None, tokens_in=3, note="équité")

    line = printed(capsys)
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {
        "event": "run.settled",
        "level": "info",
        "run_id": str(run_id),
        "cost_eur": None,
        "tokens_in": 3,
        "note": "équité",
    }


def test_libraries_speak_in_the_same_shape_and_only_when_something_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings())

    logging.getLogger("httpx").info("HTTP Request: POST https://x")
    logging.getLogger("httpx").warning("careful with %s", SECRET)
    logging.getLogger("realtime").error("what the watchdog says once and better")

    line = printed(capsys)
    assert (line["event"], line["logger"], line["level"]) == ("careful with [redacted]", "httpx", "warning")


def test_what_is_below_the_level_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(LOG_LEVEL="warning"))

    structlog.get_logger().info("run.settled")

    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("speaker", ["ours", "library"])
@pytest.mark.parametrize("form", ["json", "console"])
def test_a_secret_in_a_traceback_is_redacted(capsys: pytest.CaptureFixture[str], speaker: str, form: str) -> None:
    configure_logs(LogSettings(LOG_FORMAT=form))
    log = structlog.get_logger() if speaker == "ours" else logging.getLogger("library")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            int(f"Bearer {SECRET}")
        except ValueError:
            log.exception("run.crashed")

    logged = capsys.readouterr().out
    assert "ValueError: invalid literal" in logged
    assert SECRET not in logged


def test_an_object_is_printed_as_text_and_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings())
    request = httpx.URL(f"https://user:{SECRET}@host/path")

    structlog.get_logger().info("x.seen", url=request, error=ValueError(SECRET), raw=SECRET.encode(), many={SECRET})

    assert SECRET not in capsys.readouterr().out


def test_the_fence_of_a_run_is_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings())

    structlog.get_logger().info("run.released", lease_token="17", access_token="abc")

    line = printed(capsys)
    assert (line["lease_token"], line["access_token"]) == ("17", "[redacted]")


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_event_can_steer_the_terminal_that_shows_it(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(format=form))
    hostile = "\x1b[2J\x9b31m\u202eabc\rdef"

    structlog.get_logger().info(hostile, error_message=hostile, names=[hostile])
    logging.getLogger("httpx").warning("careful with %s", hostile)

    out = capsys.readouterr().out
    assert out.count("[2J31mabcdef") >= 3
    assert not {"\x1b[2J", "\x9b", "\u202e", "\r"} & {*out, out[out.find("\x1b[2J") :][:4]}
