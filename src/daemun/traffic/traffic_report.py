"""All that is known of what was used: what is stored, and what nginx wrote since. Blocking, and needs no daemon."""

import contextlib
import pathlib
import sqlite3

from daemun import causes, errors
from daemun.core import layout
from daemun.core.traffic import error_shares, traffic_series, traffic_sums
from daemun.traffic import stored_rows, traffic_files, traffic_store

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


def read_hour(paths: layout.Layout, start: int) -> Found:
    """What the daemon stored of the hour that begins then, in seconds since the epoch, which it does each half minute.
    Raises: EnvironmentProblemError."""
    path = pathlib.Path(paths.traffic_store)
    try:
        return traffic_store.read_hour(path, start)
    except FileNotFoundError:
        return ()
    except sqlite3.Error as error:
        raise _cannot_use(path, error) from error
    except OSError as error:
        raise cannot_read(str(path), error) from error


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
        rest = {} if files is None else _read_rest(paths, files, kept.positions, kept.read_at_s, now_s)
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
        raise _cannot_use(path, error) from error
    except OSError as error:
        raise cannot_read(str(path), error) from error


def _cannot_use(path: pathlib.Path, error: sqlite3.Error) -> errors.EnvironmentProblemError:
    return errors.EnvironmentProblemError(
        f"cannot read the numbers of requests in {path}: {error}; a damaged file is set aside when `daemun up` "
        "starts anew"
    )


def read_over_time(
    paths: layout.Layout, site: str, since_s: float, now_s: float, *, is_by_hour: bool
) -> tuple[traffic_series.Row, ...]:
    """Of one site since then, each minute or hour apart. The last 24 hours are known by minute.

    Raises: EnvironmentProblemError, also where it would take longer than some seconds."""
    seconds = traffic_store.HOUR_S if is_by_hour else traffic_sums.MINUTE_S
    files = open_files(paths)
    with contextlib.nullcontext() if files is None else contextlib.closing(files):
        try:
            kept = stored_rows.read_over_time(
                pathlib.Path(paths.traffic_store), site, seconds=seconds, since_s=since_s, most_s=_MOST_S
            )
        except FileNotFoundError:
            kept = stored_rows.StoredRows()
        except sqlite3.Error as error:
            raise _cannot_use(pathlib.Path(paths.traffic_store), error) from error
        except OSError as error:
            raise cannot_read(paths.traffic_store, error) from error
        try:
            rest = {} if files is None else _read_rest(paths, files, kept.positions, kept.read_at_s, now_s)
        except OSError as error:
            raise cannot_read(paths.logs, error) from error
    further = ((start, series, sums) for (start, series), sums in rest.items() if series.site == site)
    return (*kept.rows, *further)


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
    paths: layout.Layout,
    files: traffic_files.TrafficFiles,
    positions: tuple[traffic_files.Position, ...],
    read_at_s: float | None,
    now_s: float,
) -> dict[traffic_sums.Key, traffic_sums.Sums]:
    files.resume(positions)
    addition = traffic_sums.Addition(paths.run)
    backlog = traffic_files.Backlog(files.count_unread(), read_at_s, now_s)
    for lines in files.read(_MOST_BYTES):
        written_s = backlog.note(lines)
        addition.add(lines, now_s if written_s is None else written_s)
    return addition.sums()


def cannot_read(path: str, error: OSError) -> errors.EnvironmentProblemError:
    return errors.EnvironmentProblemError(
        f"cannot read {path}: {causes.describe(error)}; run this as the owner of daemun"
    )
