"""Builds the dashboard's frontend into the package, for wheels, editable installations and source archives alike."""

import importlib.util
import pathlib
import types
import typing

from hatchling.builders.hooks.plugin import interface


class FrontendHook(interface.BuildHookInterface):  # type: ignore[type-arg]
    def dependencies(self) -> list[str]:
        """What pip installs into the environment of the build, when that is an isolated one."""
        found: list[str] = _frontend().requirements()
        return found

    def initialize(self, version: str, build_data: dict[str, typing.Any]) -> None:
        _frontend().build()


def _frontend() -> types.ModuleType:
    path = pathlib.Path(__file__).with_name("scripts") / "frontend.py"
    spec = importlib.util.spec_from_file_location("frontend", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
