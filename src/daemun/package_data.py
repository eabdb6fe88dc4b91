"""Tables that the package brings as TOML files: constants, but in a form that is extended without Python."""

import functools
import importlib.resources
import tomllib
import typing


@functools.cache
def read_toml(name: str) -> dict[str, typing.Any]:
    """name: of the file below the package daemun. It is read once, when it is needed first."""
    return tomllib.loads(importlib.resources.files("daemun").joinpath(name).read_text(encoding="utf-8"))
