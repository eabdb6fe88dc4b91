"""Confirmation of what cannot be undone."""

import sys
import typing

import typer

from daemun import errors

Yes = typing.Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def confirm(question: str, *, yes: bool) -> None:
    """Returns when the person agrees. Raises: ConfigError when there is no terminal; typer.Abort when they refuse."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise errors.ConfigError(f"cannot confirm ({question}): this is no terminal; say --yes to do it without asking")
    typer.confirm(question, abort=True, err=True)
