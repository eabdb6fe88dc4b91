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
    assert len(repeats._seen) <= 1001
