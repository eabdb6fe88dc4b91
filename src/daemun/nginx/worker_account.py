"""The account that nginx's workers run under when daemun is root."""

import grp
import os
import pwd
import shutil
import subprocess
import time

import structlog

from daemun import errors
from daemun.core import model

OWN = "daemun"
PREFERRED = (OWN, "nginx")
"""The workers' group can read the private keys. So not www-data, as which PHP and others run on Debian, and not nobody,
as which anything may run: an account of daemun's own is made instead."""
NOBODY = "nobody"
_SEARCHED = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
_MAKE = (
    ("useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", OWN),
    # BusyBox, as in Alpine; Debian's program of that name is never reached, for it comes with useradd.
    ("adduser", "-S", "-D", "-H", "-h", "/nonexistent", "-s", "/sbin/nologin", OWN),
)
_MAKE_TIMES = 10
_MAKE_PAUSE_S = 0.3
_MAKE_TIMEOUT_S = 30.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def choose(configured: str | None) -> model.WorkerAccount | None:
    """The workers' account: the configured user, else the first that exists of PREFERRED, with its primary group, else
    nobody, for those who only look: `choose_at_start` makes one then.

    Returns: None when daemun is not root: then nginx stays the user who started it.
    Raises: EnvironmentProblemError when there is none.
    """
    if os.geteuid() != 0:
        return None
    if configured is not None:
        found = _look_up(configured)
        if found is None:
            message = f'cannot run nginx as user "{configured}": this machine has no such user; create it with '
            raise errors.EnvironmentProblemError(message + f"`useradd --system {configured}`, or change `user:`")
        if found.uid == 0:
            raise errors.EnvironmentProblemError(
                f'cannot run nginx as user "{configured}": what visitors send would be handled with all rights of this '
                f"machine; leave `user:` out, or name an account that nothing else runs as, such as {OWN}"
            )
        return found
    found = _find_first((*PREFERRED, NOBODY))
    if found is None:
        raise errors.EnvironmentProblemError(_explain("this machine has none that could be used"))
    return found


def choose_at_start(configured: str | None, *, running: str | None) -> model.WorkerAccount | None:
    """As `choose`, but never nobody unless that is configured: an account of daemun's own is made when there is none.

    running: the user of the nginx that runs already; None: none runs. Its workers must be able to read the keys until
    it is started anew, so even nobody stays until then. Blocking, seconds when an account is made.
    A configured user that does not exist, or is root, which the source reports, keeps no site from being served:
    instead of it stands the one that runs already, or daemun's own. Not "nginx": its group would come to read keys that
    its owner wanted to give to another one.
    Raises: EnvironmentProblemError also when none can be made.
    """
    if os.geteuid() != 0:
        return choose(configured)
    if configured is not None:
        kept = (configured, running or OWN, OWN)
        return _find_first(kept, powerless=True) or _make()
    if running == NOBODY:
        return _look_up(NOBODY)  # `next_user` has it
    return _find_first(PREFERRED) or _make()


def next_user(configured: str | None) -> str | None:
    """The account that `choose_at_start` would choose if nginx did not run; None also when a configured one does not
    exist, which the source reports. Raises: EnvironmentProblemError."""
    if configured is not None and _find_first((configured,), powerless=True) is None:
        return None
    found = choose(configured)
    if found is None or configured is not None or found.user in PREFERRED:
        return found.user if found else None
    return OWN


def _find_first(users: tuple[str, ...], *, powerless: bool = False) -> model.WorkerAccount | None:
    """powerless: none that is root by another name."""
    found = (one for user in users if (one := _look_up(user)) is not None)
    return next((one for one in found if not powerless or one.uid != 0), None)


def _make() -> model.WorkerAccount:
    """Several daemuns may start at once, and /etc/passwd is locked for each."""
    failure = "neither `useradd` nor `adduser` is installed"
    for _ in range(_MAKE_TIMES):
        for name, *arguments in _MAKE:
            program = shutil.which(name, path=os.pathsep.join(_SEARCHED))
            if program is None:
                continue
            failure = _run(program, arguments)
            break
        found = _look_up(OWN)
        if found is not None:
            log.info(f'nginx\'s workers run as "{OWN}", an account that was made for them', uid=found.uid)
            return found
        time.sleep(_MAKE_PAUSE_S)
    raise errors.EnvironmentProblemError(
        _explain(f"none of {', '.join(PREFERRED)} exists, and none could be made: {failure}")
    )


def _run(program: str, arguments: list[str]) -> str:
    """Returns: what it complained of."""
    try:
        done = subprocess.run(
            [program, *arguments], capture_output=True, text=True, check=False, timeout=_MAKE_TIMEOUT_S, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stderr or done.stdout).strip().replace("\n", "; ") or f"exit {done.returncode}"


def _explain(cause: str) -> str:
    return (
        f"cannot choose an account for nginx's workers: {cause}; create one with `useradd --system {OWN}`, or name one "
        "as `user:`. It is to be nobody else's: its group can read the private keys"
    )


def _look_up(user: str) -> model.WorkerAccount | None:
    try:
        entry = pwd.getpwnam(user)
        group = grp.getgrgid(entry.pw_gid).gr_name
    except KeyError:
        return None
    return model.WorkerAccount(user=user, group=group, uid=entry.pw_uid, gid=entry.pw_gid)
