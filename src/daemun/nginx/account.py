"""The account that nginx's workers run under when daemun is root."""

import dataclasses
import grp
import os
import pwd

from daemun import errors

PREFERRED = ("daemun", "nginx", "nobody")
"""Not www-data: on Debian PHP and others run as that user, and the workers' group can read the private keys."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """user, group: names, for nginx's `user` directive. gid: the group that may read keys; uid: the user's number."""

    user: str
    group: str
    uid: int
    gid: int


def choose(configured: str | None) -> Account | None:
    """The workers' account: the configured user, else the first that exists of PREFERRED, with its primary group.

    Returns: None when daemun is not root: then nginx stays the user who started it.
    Raises: EnvironmentProblemError when the configured user, or every preferred one, does not exist.
    """
    if os.geteuid() != 0:
        return None
    if configured is not None:
        found = _look_up(configured)
        if found is None:
            message = f'cannot run nginx as user "{configured}": this machine has no such user; create it with '
            raise errors.EnvironmentProblemError(message + f"`useradd --system {configured}`, or change `user:`")
        return found
    for user in PREFERRED:
        found = _look_up(user)
        if found is not None:
            return found
    message = f"cannot choose an account for nginx's workers: none of {', '.join(PREFERRED)} exists on this machine; "
    raise errors.EnvironmentProblemError(message + "create one with `useradd --system daemun`, or name one as `user:`")


def _look_up(user: str) -> Account | None:
    try:
        entry = pwd.getpwnam(user)
        group = grp.getgrgid(entry.pw_gid).gr_name
    except KeyError:
        return None
    return Account(user=user, group=group, uid=entry.pw_uid, gid=entry.pw_gid)
