"""What the page of one site is made of beside the gate's status: the contract between the web API and who reads it."""

import dataclasses
import typing

from daemun.control import gate_port
from daemun.core import model
from daemun.core.logged import log_query
from daemun.core.traffic import traffic_series
from daemun.errors import ForbiddenError


class SiteRecords(typing.Protocol):
    def read_traffic(
        self, host: str, since_s: float, now_s: float, *, is_by_hour: bool
    ) -> tuple[traffic_series.Row, ...]:
        """Of a site since then, in seconds since the epoch, each minute (of the last day) or hour apart. Blocking.
        Raises: EnvironmentProblemError."""
        ...

    def purge(self, host: str, path: str | None) -> int:
        """Forget answers that are kept of a site, or of a path there as `daemun cache purge` takes it. Blocking.
        Returns: how many. Raises: ConfigError, EnvironmentProblemError."""
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """What a running gate reports of itself. bans: networks, each with why."""

    status: gate_port.GateStatus
    old: gate_port.OldWorkersReport
    bans: tuple[tuple[str, str], ...] = ()


class ForeignUrlError(ForbiddenError):
    """The URL is not of this gate, and only operators with the role `own` may look at others."""


class StoryMaker(typing.Protocol):
    def make_story(self, subject: str, report: GateReport, *, is_owner: bool) -> dict[str, typing.Any]:
        """The story of a URL, of the id of a request, or of a stream, as JSON of `daemun why`. Blocking, for seconds.
        is_owner: other hosts than the gate's may be looked at, and secrets of what visitors sent may be shown.

        Raises: ForeignUrlError; ConfigError, EnvironmentProblemError."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteText:
    """A part of a file. name: as messages have it. first: the number of its first line, from 1. is_whole: whether
    nothing was left out for its length."""

    name: str
    first: int
    text: str
    is_whole: bool = True


class SiteFiles(typing.Protocol):
    """Blocking. shows_secrets: False: they are hidden. Raises: EnvironmentProblemError, ConfigError."""

    def read_nginx(self, host: str, *, shows_secrets: bool) -> tuple[SiteText, ...]:
        """What of nginx's running files is this site's; empty: nothing is."""
        ...

    def read_source(self, site: model.Site, *, shows_secrets: bool) -> tuple[SiteText, ...]:
        """The lines of daemun.yaml, or of a file that it includes; empty: the site comes from elsewhere."""
        ...
