"""The system's clock."""

import datetime


class SystemClock:
    """Implements `control.ports.Clock`."""

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)
