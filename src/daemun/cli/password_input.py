"""Passwords from a terminal, or from standard input; never from the command line, which others can see."""

import sys

from daemun import errors
from daemun.core import password_hashes


def read_hash() -> str:
    """Prompt twice; where standard input is no terminal, its first line is the password. Returns: its hash (argon2id).

    Raises: ConfigError."""
    read = _prompt() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    normal = password_hashes.normalize(read)
    cause = password_hashes.check_password(normal)
    if cause is not None:
        raise errors.ConfigError(f"cannot use this password: it {cause}")
    return _hash(normal)


def _prompt() -> str:
    """Without showing it. Raises: ConfigError when the two differ."""
    import getpass

    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Again: "):
        raise errors.ConfigError("cannot use this password: the second one differs from the first; try again")
    return first


def _hash(text: str) -> str:
    import argon2

    try:
        return argon2.PasswordHasher(
            time_cost=password_hashes.PASSES,
            memory_cost=password_hashes.KIBIBYTES,
            parallelism=password_hashes.LANES,
        ).hash(text)
    except UnicodeEncodeError:
        raise errors.ConfigError("cannot use this password: it is no text (UTF-8)") from None
