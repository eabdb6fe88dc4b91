"""N9: one line a minute for one cause."""

import logging

from daemun import log


def _kept(repeats: log.OncePerMinute, *texts: str, level: int = logging.ERROR) -> list[str]:
    records = (logging.LogRecord("asyncio", level, "", 0, text, (), None) for text in texts)
    return [record.getMessage() for record in records if repeats.filter(record)]


def test_n9_a_cause_is_one_line_a_minute_and_says_how_often_it_was() -> None:
    now_s = 0.0
    repeats = log.OncePerMinute(lambda: now_s)
    accept = "socket.accept() out of system resource\nsocket: <asyncio.TransportSocket fd={}, laddr=x>"
    assert _kept(repeats, *(accept.format(number) for number in range(20_000))) == [accept.format(0)]
    assert _kept(repeats, "another", accept.format(1), "another", level=logging.WARNING) == [
        "another",
        accept.format(1),
    ]
    now_s = 59.0
    assert _kept(repeats, accept.format(7)) == []
    now_s = 61.0
    assert _kept(repeats, accept.format(7), accept.format(8)) == [
        f"{accept.format(7)} (20000 more like this since the last line)"
    ]


def test_n9_what_is_remembered_is_bounded() -> None:
    repeats = log.OncePerMinute(lambda: 0.0)
    assert len(_kept(repeats, *("x" * number for number in range(3000)))) == 3000
    assert len(repeats._repeats._seen) <= 1001


def test_what_libraries_log_of_themselves_is_kept_from_children_of_their_loggers_too() -> None:
    """lexicon's providers log what they send, with the owner's secrets, by loggers of their own and at any level."""
    passes = log.OfLibraries().filter

    def record(name: str, level: int) -> logging.LogRecord:
        return logging.LogRecord(name, level, "", 0, "token=s3cret", (), None)

    for name in ("lexicon", "lexicon.providers.cloudflare", "urllib3.connectionpool"):
        assert not any(passes(record(name, level)) for level in (logging.DEBUG, logging.WARNING, logging.CRITICAL))
    assert not passes(record("aiohttp.client", logging.INFO))
    assert [passes(record("aiohttp.client", logging.WARNING)) for _ in range(2)] == [True, False]
    assert all(passes(record(name, logging.DEBUG)) for name in ("daemun.core", "lexicons", "root"))
