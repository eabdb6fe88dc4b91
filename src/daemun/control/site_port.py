"""What the page of one site is made of beside the gate's status: the contract between the web API and who reads it."""

import dataclasses
import typing

from daemun.core import model
from daemun.core.logged import log_query
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogRows:
    """rows: of `core.logged.log_rows`, the oldest first. skipped: how many others fitted, or came too fast to be looked
    at. is_whole: of the last ones: whether there are no more, or enough were found."""

    rows: tuple[dict[str, typing.Any], ...] = ()
    skipped: int = 0
    is_whole: bool = True


class FollowedLog(typing.Protocol):
    """Blocking. `close` waits for a `read` of another thread."""

    def read(self) -> LogRows:
        """What came since the last time. Raises: EnvironmentProblemError."""
        ...

    def close(self) -> None: ...


class SiteLog(typing.Protocol):
    """Blocking. shows_secrets: what visitors sent stays as it was, such as `?token=`."""

    def read_last(self, query: log_query.LogQuery, most: int, *, shows_secrets: bool) -> LogRows:
        """Raises: EnvironmentProblemError."""
        ...

    def follow(self, query: log_query.LogQuery, *, shows_secrets: bool) -> FollowedLog:
        """From now on."""
        ...
