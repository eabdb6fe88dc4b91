"""A clock that stands still until a test moves it."""

import datetime


class FakeClock:
    """`control.ports.Clock`. Starts now, because real CAs date their certificates by the real time."""

    def __init__(self, start: datetime.datetime | None = None) -> None:
        self._now = start or datetime.datetime.now(datetime.UTC).replace(microsecond=0)

    def now(self) -> datetime.datetime:
        return self._now

    def advance(self, delta: datetime.timedelta) -> None:
        self._now += delta
