"""All that is known of what was used: what is stored, and what nginx wrote since. Blocking, and needs no daemon."""

import contextlib
import pathlib
import sqlite3

from daemun import causes, errors
from daemun.core import layout
from daemun.core.traffic import traffic_sums
from daemun.traffic import traffic_files, traffic_store

_MOST_BYTES = 256 << 20
"""Of lines that were not counted yet, of a gate without a daemon."""

Found = tuple[tuple[traffic_sums.Series, traffic_sums.Sums], ...]


def read(paths: layout.Layout, since_s: float, now_s: float) -> Found:
    """Since then, in seconds since the epoch; each series once. Raises: EnvironmentProblemError."""
    path = pathlib.Path(paths.traffic_store)
    try:
        kept = traffic_store.read(path, since_s, now_s)
    except FileNotFoundError:
        kept = traffic_store.Kept()
    except sqlite3.Error as error:
        raise errors.EnvironmentProblemError(
            f"cannot read the numbers of requests in {path}: {error}; a damaged file is set aside when `daemun up` "
            "starts anew"
        ) from error
    except OSError as error:
        raise _cannot_read(str(path), error) from error
    found = dict(kept.sums)
    try:
        for (start, series), sums in _read_rest(paths, kept, now_s).items():
            if since_s - traffic_sums.MINUTE_S < start <= now_s + traffic_store.HOUR_S:
                found.setdefault(series, traffic_sums.Sums()).add(sums)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _cannot_read(paths.logs, error) from error
    return tuple(found.items())


def _read_rest(
    paths: layout.Layout, kept: traffic_store.Kept, now_s: float
) -> dict[traffic_sums.Key, traffic_sums.Sums]:
    addition = traffic_sums.Addition(paths.run)
    with contextlib.closing(traffic_files.TrafficFiles(pathlib.Path(paths.logs), kept.positions)) as files:
        backlog = traffic_files.Backlog(files.count_unread(), kept.read_at_s, now_s)
        for lines in files.read(_MOST_BYTES):
            written_s = backlog.note(lines)
            addition.add(lines, now_s if written_s is None else written_s)
    return addition.sums()


def _cannot_read(path: str, error: OSError) -> errors.EnvironmentProblemError:
    return errors.EnvironmentProblemError(
        f"cannot read {path}: {causes.describe(error)}; run this as the owner of daemun"
    )
