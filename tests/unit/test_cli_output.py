"""What a pipe, and a terminal, gets."""

import collections.abc
import json
import logging

import pytest
import structlog

from daemun import log, settings
from daemun.cli import output


def test_columns_are_aligned_and_nothing_is_cut() -> None:
    long = "x" * 300
    assert output.lines_of(("HOST", "TO"), [("a.test", long), ("b", "two\nlines")]) == [
        "HOST    TO",
        f"a.test  {long}",
        "b       two, lines",
    ]


def test_control_characters_never_reach_a_terminal() -> None:
    assert output.clean("\x1b]0;owned\x07 a\tb\nc \x9b31m 한글") == "\ufffd]0;owned\ufffd a\tb\nc \ufffd31m 한글"


def test_count() -> None:
    assert [output.count(number, "site") for number in (0, 1, 2)] == ["0 sites", "1 site", "2 sites"]


@pytest.fixture
def _own_log() -> collections.abc.Iterator[None]:
    """Configuring a log is for a whole process: put it back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in (*log.NOISY, *log.SILENT)}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)
    structlog.reset_defaults()


@pytest.mark.usefixtures("_own_log")
def test_no_secret_of_a_dns_provider_is_logged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure(settings.LogFormat.JSON, verbose=True)
    child = logging.getLogger("lexicon._private.providers.test")
    monkeypatch.setattr(child, "level", logging.DEBUG)  # as some providers do
    child.debug("token=%s", "s3cret")
    child.error("token=%s", "s3cret")
    logging.getLogger("urllib3.connectionpool").warning("Retrying /?token=s3cret")
    logging.getLogger("some.library").warning("seen")
    said = capsys.readouterr().err
    assert "seen" in said
    assert "s3cret" not in said


@pytest.mark.usefixtures("_own_log")
def test_the_log_is_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(settings.LogFormat.AUTO)
    logger = structlog.get_logger()
    logger.debug("unseen")
    logging.getLogger("uvicorn.error").info("unseen")
    logging.getLogger("some.library").warning("seen %s", 1)
    try:
        raise ValueError("bad")
    except ValueError:
        logger.exception("it failed", task="t")
    library, own = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (library["level"], library["event"]) == ("warning", "seen 1")
    assert list(own)[:3] == ["timestamp", "level", "event"]
    assert (own["level"], own["event"], own["task"]) == ("error", "it failed", "t")
    assert "ValueError: bad" in own["exception"]


@pytest.mark.usefixtures("_own_log")
def test_the_log_for_people_shows_no_values_of_variables(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(settings.LogFormat.TEXT, verbose=True)
    logger = structlog.get_logger()
    logger.debug("seen", a=1)
    try:
        key = "".join(["se", "cret"])
        raise ValueError(len(key))
    except ValueError:
        logger.exception("it failed")
    said = capsys.readouterr().err
    assert "[debug" in said
    assert "seen a=1" in said
    assert "ValueError: 6" in said
    assert "secret" not in said
