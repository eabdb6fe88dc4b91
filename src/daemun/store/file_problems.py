"""What a file system refuses, in words, with what a person can do about it."""

import collections.abc
import contextlib
import errno
import pathlib

from daemun import causes, errors

_FULL = {errno.ENOSPC, errno.EDQUOT}


class PlaceTakenError(errors.EnvironmentProblemError, ValueError):
    """A value has its place where a folder of values belongs, or the other way round: of keys of daemun's own, somebody
    put it there. What such a store refuses is a fault of the machine, as a disk that cannot be written is."""


@contextlib.contextmanager
def explained(verb: str, path: pathlib.Path) -> collections.abc.Iterator[None]:
    """Raises: EnvironmentProblemError for each OSError of the block."""
    try:
        yield
    except OSError as error:
        cause = causes.describe(error)
        if error.errno in _FULL:
            advice = "the disk is full; free some space, then it goes on by itself"
        elif isinstance(error, PermissionError):
            advice = f"{cause}; run daemun as the owner of the state directory, or choose another with --state"
        else:
            advice = f"{cause}; look at the file system that holds the state directory"
        raise errors.EnvironmentProblemError(f'cannot {verb} "{path}": {advice}') from error


@contextlib.contextmanager
def unknown_when_it_fails(follows: str) -> collections.abc.Iterator[None]:
    """For what comes after a change that can be seen already. follows: what becomes of the change.

    Raises: OutcomeUnknownError for each OSError and EnvironmentProblemError of the block."""
    try:
        yield
    except (OSError, errors.EnvironmentProblemError) as error:
        raise errors.OutcomeUnknownError(f"{error}; {follows}") from error
