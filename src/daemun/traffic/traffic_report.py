"""All that is known of what was used: what is stored, and what nginx wrote since. Blocking, and needs no daemon."""

import contextlib
import pathlib
import sqlite3

from daemun import causes, errors
from daemun.core import layout
from daemun.core.traffic import error_shares, traffic_sums
from daemun.traffic import traffic_files, traffic_store

_MOST_BYTES = 256 << 20
"""Of lines that were not counted yet, of a gate without a daemon."""
_MOST_S = 5.0
"""A query for the errors of the last minutes; 100,000 sums take a second."""

Found = tuple[tuple[traffic_sums.Series, traffic_sums.Sums], ...]


def read(paths: layout.Layout, since_s: float, now_s: float) -> Found:
    """Since then, in seconds since the epoch; each series once. Raises: EnvironmentProblemError."""
    files = open_files(paths)
    with contextlib.nullcontext() if files is None else contextlib.closing(files):
        return read_opened(paths, files, since_s, now_s)


def open_files(paths: layout.Layout) -> traffic_files.TrafficFiles | None:
    """Before the store is read: the daemon deletes a file once it has stored what was in it. None: nginx was never
    started. Raises: EnvironmentProblemError."""
    try:
        return traffic_files.TrafficFiles(pathlib.Path(paths.logs))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_read(paths.logs, error) from error


def read_opened(paths: layout.Layout, files: traffic_files.TrafficFiles | None, since_s: float, now_s: float) -> Found:
    """As `read`, of files that stay open: what nginx writes later is still to be read from them."""
    kept = _read_store(pathlib.Path(paths.traffic_store), since_s, now_s)
    found = dict(kept.sums)
    try:
        rest = {} if files is None else _read_rest(paths, files, kept, now_s)
    except OSError as error:
        raise cannot_read(paths.logs, error) from error
    for (start, series), sums in rest.items():
        if since_s - traffic_sums.MINUTE_S < start <= now_s + traffic_store.HOUR_S:
            found.setdefault(series, traffic_sums.Sums()).add(sums)
    return tuple(found.items())


def _read_store(path: pathlib.Path, since_s: float, now_s: float) -> traffic_store.StoredTraffic:
    try:
        return traffic_store.read(path, since_s, now_s)
    except FileNotFoundError:
        return traffic_store.StoredTraffic()
    except sqlite3.Error as error:
        raise errors.EnvironmentProblemError(
            f"cannot read the numbers of requests in {path}: {error}; a damaged file is set aside when `daemun up` "
            "starts anew"
        ) from error
    except OSError as error:
        raise cannot_read(str(path), error) from error


def count_errors(paths: layout.Layout, since_s: float, now_s: float) -> dict[str, error_shares.ErrorShare] | None:
    """How many requests of each site failed since then, as far as the daemon stored them, which it does each half
    minute. None: that cannot be read now. Takes seconds at most."""
    try:
        return traffic_store.count_errors(pathlib.Path(paths.traffic_store), since_s, now_s, most_s=_MOST_S)
    except FileNotFoundError:
        return {}
    except (sqlite3.Error, OSError):
        return None


def _read_rest(
    paths: layout.Layout, files: traffic_files.TrafficFiles, kept: traffic_store.StoredTraffic, now_s: float
) -> dict[traffic_sums.Key, traffic_sums.Sums]:
    files.resume(kept.positions)
    addition = traffic_sums.Addition(paths.run)
    backlog = traffic_files.Backlog(files.count_unread(), kept.read_at_s, now_s)
    for lines in files.read(_MOST_BYTES):
        written_s = backlog.note(lines)
        addition.add(lines, now_s if written_s is None else written_s)
    return addition.sums()


def cannot_read(path: str, error: OSError) -> errors.EnvironmentProblemError:
    return errors.EnvironmentProblemError(
        f"cannot read {path}: {causes.describe(error)}; run this as the owner of daemun"
    )
