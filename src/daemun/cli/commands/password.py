"""`daemun password`."""

import typing

import typer

from daemun import errors
from daemun.cli import common_options, json_answer, password_input
from daemun.core import password_hashes

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
    hashed = password_input.read_hash()
    if as_json or json_answer.is_wanted():
        json_answer.print_json({"hash": hashed, **({"user": user} if user is not None else {})})
    else:
        print(hashed if user is None else f"{password_hashes.normalize(user)}:{hashed}")
