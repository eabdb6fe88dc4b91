"""What happens now, for who looks: the last minutes from the store, then each line as nginx writes it. Blocking.

Nothing of it is done or kept while nobody looks, and no daemon is needed.
"""

import time

from daemun.core import layout
from daemun.core.traffic import recent_sums, traffic_sums
from daemun.traffic import traffic_files, traffic_report

_READ_BYTES = 64 << 20
"""At once."""


class LiveTraffic:
    """Reads requests as nginx logs them, for `daemun top`. Not thread-safe."""

    def __init__(self, paths: layout.Layout) -> None:
        """Raises: EnvironmentProblemError."""
        self._layout = paths
        self._files = traffic_report.open_files(paths)
        self._addition = traffic_sums.Addition(paths.run)
        now_s = time.time()
        since_s = now_s - recent_sums.LONGEST_S
        began_s = since_s - since_s % traffic_sums.MINUTE_S
        try:
            found = traffic_report.read_opened(paths, self._files, began_s, now_s)
        except BaseException:
            self.close()
            raise
        ended_s = time.monotonic()
        self._recent = recent_sums.RecentSums(found, ended_s - (now_s - began_s), ended_s)

    def read(self) -> None:
        """What nginx wrote since the last time. Raises: EnvironmentProblemError."""
        if self._files is None:
            self._files = traffic_report.open_files(self._layout)
        if self._files is not None:
            self._read(self._files)
        self._recent.add(self._addition.sums(), time.monotonic())
        self._addition.clear()

    def _read(self, files: traffic_files.TrafficFiles) -> None:
        try:
            for lines in files.read(_READ_BYTES):
                self._addition.add(lines, time.time())
            files.drop_removed()
        except OSError as error:
            raise traffic_report.cannot_read(self._layout.logs, error) from error

    def within(self, span_s: float) -> tuple[recent_sums.Found, float]:
        """See `recent_sums.RecentSums.within`."""
        return self._recent.within(span_s)

    def close(self) -> None:
        if self._files is not None:
            self._files.close()
            self._files = None
