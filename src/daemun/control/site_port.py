"""What the page of one site is made of beside the gate's status: the contract between the web API and who reads it."""

import typing

from daemun.core import model
from daemun.core.traffic import traffic_series


class SiteRecords(typing.Protocol):
    def read_traffic(
        self, host: str, since_s: float, now_s: float, *, is_by_hour: bool
    ) -> tuple[traffic_series.Row, ...]:
        """Of a site since then, in seconds since the epoch, each minute (of the last day) or hour apart. Blocking.
        Raises: EnvironmentProblemError."""
        ...

    def find_settings(self) -> model.Globals:
        """Of the whole gate, as they hold now."""
        ...
