"""How edits reach the files of the configuration: on the disk, or in a draft (`drafts.draft_overlay`)."""

import collections.abc
import pathlib
import typing

from daemun.sources import edited_file, yaml_include


class EditedFiles(typing.Protocol):
    """Blocking. Raises: EnvironmentProblemError when a file cannot be read or written."""

    def read(self, path: pathlib.Path) -> bytes | None:
        """None: there is none."""
        ...

    def replace(self, path: pathlib.Path, content: bytes) -> None: ...

    def list_included(
        self, patterns: collections.abc.Collection[yaml_include.Pattern], main: pathlib.Path
    ) -> tuple[pathlib.Path, ...]:
        """The files that daemun.yaml (`main`) includes, in their order."""
        ...


class _Disk:
    def read(self, path: pathlib.Path) -> bytes | None:
        return edited_file.read(path)

    def replace(self, path: pathlib.Path, content: bytes) -> None:
        edited_file.replace(path, content)

    def list_included(
        self, patterns: collections.abc.Collection[yaml_include.Pattern], main: pathlib.Path
    ) -> tuple[pathlib.Path, ...]:
        return yaml_include.list_files(patterns, main).paths


DISK: EditedFiles = _Disk()
