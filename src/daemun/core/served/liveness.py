"""Judges whether what is reported as live can be: nginx's workers answer, and no change hangs."""

import collections.abc
import dataclasses
import datetime

from daemun.core import model
from daemun.core.texts import durations

SLOW = datetime.timedelta(seconds=10)
"""Ten thousand new sites take less."""
_NGINX = model.Origin(source="nginx")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """answers: whether a worker answered on nginx's own socket; True where nginx does not run, which is reported
    otherwise.
    suspended: process numbers of its master and workers that were stopped by a signal. edits: what was done to its
    files by hand (`plan.hand_edits`)."""

    answers: bool = True
    suspended: tuple[int, ...] = ()
    edits: tuple[model.Problem, ...] = ()


def find_problems(
    seen: Liveness, *, applying_since: datetime.datetime | None, now: datetime.datetime
) -> collections.abc.Iterator[model.Problem]:
    """applying_since: when the round that is under way began; None: none is."""
    if seen.suspended:
        pids = " ".join(map(str, seen.suspended))
        yield _problem(
            f"nginx does not serve with all its processes: {pids} were suspended (SIGSTOP); `kill -CONT {pids}` lets "
            "them go on"
        )
    elif not seen.answers:
        yield _problem(
            "nginx's workers do not answer, though its master runs; logs/error.log in the state directory tells more, "
            "and `daemun stop`, then `daemun up`, starts them anew"
        )
    if applying_since is not None and now - applying_since >= SLOW:
        seconds = round((now - applying_since).total_seconds())
        yield _problem(
            f"a change has been applied since {durations.instant(applying_since)} ({seconds} s), and is not live yet; "
            "what is shown is what was live before. nginx may wait for a file that is read while it is tested (a pipe, "
            "a network file system) or for a name to resolve"
        )
    yield from seen.edits


def _problem(message: str) -> model.Problem:
    return model.Problem(origin=_NGINX, severity=model.Severity.ERROR, message=message)
