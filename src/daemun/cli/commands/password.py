"""`daemun password`."""

import sys
import typing

import typer

from daemun import errors
from daemun.cli import common_options, json_answer
from daemun.core import password_hashes

KIBIBYTES, PASSES, LANES = 19 * 1024, 2, 1
"""What OWASP's Password Storage Cheat Sheet recommends for argon2id where many sign in: some 30 ms, and 19 MiB."""

User = typing.Annotated[
    str | None, typer.Option("--htpasswd", metavar="USER", help="Print a line of a htpasswd file for this user.")
]


def password(user: User = None, as_json: common_options.AsJson = False) -> None:
    """Ask for a password, twice, and print its hash (argon2id) for `basic_auth`. Needs no daemon.

    Where standard input is no terminal, its first line is the password.
    """
    cause = password_hashes.check_user(user) if user is not None else None
    if cause is not None:
        raise errors.ConfigError(f"cannot name the user {user!r}: it {cause}")
    read = _ask() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    normal = password_hashes.normalize(read)
    cause = password_hashes.check_password(normal)
    if cause is not None:
        raise errors.ConfigError(f"cannot use this password: it {cause}")
    hashed = _hash(normal)
    if as_json or json_answer.is_wanted():
        json_answer.print_json({"hash": hashed, **({"user": user} if user is not None else {})})
    else:
        print(hashed if user is None else f"{password_hashes.normalize(user)}:{hashed}")


def _ask() -> str:
    """Without showing it. Raises: ConfigError when the two differ."""
    import getpass

    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Again: "):
        raise errors.ConfigError("cannot use this password: the second one differs from the first; try again")
    return first


def _hash(text: str) -> str:
    import argon2

    try:
        return argon2.PasswordHasher(time_cost=PASSES, memory_cost=KIBIBYTES, parallelism=LANES).hash(text)
    except UnicodeEncodeError:
        raise errors.ConfigError("cannot use this password: it is no text (UTF-8)") from None
