"""A clock that stands still until a test moves it."""

import datetime
import threading


class FakeClock:
    """`control.ports.Clock`. Starts now, because real CAs date their certificates by the real time."""

    def __init__(self, start: datetime.datetime | None = None) -> None:
        self._now = start or datetime.datetime.now(datetime.UTC).replace(microsecond=0)

    def now(self) -> datetime.datetime:
        return self._now

    def advance(self, delta: datetime.timedelta) -> None:
        self._now += delta


class SharedClock(FakeClock):
    """Moved by several threads: time never goes back."""

    def __init__(self, start: datetime.datetime | None = None) -> None:
        super().__init__(start)
        self._moving = threading.Lock()

    def advance(self, delta: datetime.timedelta) -> None:
        with self._moving:
            super().advance(delta)

    def advance_to(self, moment: datetime.datetime) -> None:
        with self._moving:
            self._now = max(self._now, moment)

    def pause(self, seconds: float, stop: threading.Event) -> bool:
        """`acme_network.Pause`: what would wait lets the time go on."""
        self.advance(datetime.timedelta(seconds=seconds))
        return stop.is_set()
