"""The time."""

import datetime


class SystemClock:
    """Implements `control.ports.Clock`."""

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)
