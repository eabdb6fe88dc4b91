"""What the page of one site needs of the machine, put together (`control.site_port`)."""

import collections.abc

from daemun import causes
from daemun.control import reconciler
from daemun.core import layout, model
from daemun.core.traffic import traffic_series
from daemun.errors import EnvironmentProblemError
from daemun.nginx import cache_files, cache_rules
from daemun.traffic import traffic_report


class SiteRecordReader:
    """find_last: the last round of the gate; None before the first one."""

    def __init__(
        self, paths: layout.Layout, find_last: collections.abc.Callable[[], reconciler.Outcome | None]
    ) -> None:
        self._layout = paths
        self._find_last = find_last

    def read_traffic(
        self, host: str, since_s: float, now_s: float, *, is_by_hour: bool
    ) -> tuple[traffic_series.Row, ...]:
        return traffic_report.read_over_time(self._layout, host, since_s, now_s, is_by_hour=is_by_hour)

    def purge(self, host: str, path: str | None) -> int:
        rule = cache_rules.make_rule(host, path)
        try:
            return cache_files.purge(self._layout.answers, rule)
        except FileNotFoundError:
            return 0
        except OSError as error:
            cause = f"{causes.describe(error)} ({error.filename or self._layout.answers})"
            raise EnvironmentProblemError(f"cannot purge the cache of {host}: {cause}") from error

    def find_settings(self) -> model.Globals:
        last = self._find_last()
        return last.desired.globals if last is not None else model.Globals()
