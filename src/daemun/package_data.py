"""Tables and texts that the package brings as files: constants, but in a form that is extended without Python."""

import functools
import importlib.resources
import tomllib
import typing


@functools.cache
def read_toml(name: str) -> dict[str, typing.Any]:
    """name: of the file below the package daemun. It is read once, when it is needed first."""
    return tomllib.loads(importlib.resources.files("daemun").joinpath(name).read_text(encoding="utf-8"))


def read_bytes(name: str) -> bytes:
    """name: of the file below the package daemun."""
    return importlib.resources.files("daemun").joinpath(name).read_bytes()


@functools.cache
def list_names(folder: str, ending: str) -> tuple[str, ...]:
    """The files of a folder below the package daemun, sorted, without their ending."""
    found = (one.name for one in importlib.resources.files("daemun").joinpath(folder).iterdir())
    return tuple(sorted(name.removesuffix(ending) for name in found if name.endswith(ending)))
