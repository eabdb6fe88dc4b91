"""The command line and user of this process, which the history of applied configurations notes as the author."""

import contextlib
import os
import pwd

_command = "daemun"


def name(command: str) -> None:
    """command: without its arguments, which may hold secrets: "daemun add"."""
    global _command  # noqa: PLW0603 - one command a process
    _command = command


def add_subject(text: str) -> None:
    """What it is about: the host of a site."""
    name(f"{_command} {text}")


def find_command() -> str:
    return _command


def find_user() -> str:
    """The account; of `sudo`, who called it. "": it has no name."""
    with contextlib.suppress(KeyError):
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    return ""
