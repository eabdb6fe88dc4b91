"""The files of the configuration as a draft has them (`sources.file_access.EditedFiles`). Blocking."""

import collections.abc
import os
import pathlib

from daemun.core import model
from daemun.errors import ConfigError
from daemun.sources import edited_file, owned_keys, yaml_holder, yaml_include
from daemun.sources.drafts import draft


class DraftOverlay:
    """The files on the disk with those of a draft on top. main: daemun.yaml. draft: with all that was written since.
    Not thread-safe."""

    def __init__(self, main: pathlib.Path, one: draft.Draft) -> None:
        self._main = main
        self.draft = one

    @property
    def texts(self) -> dict[pathlib.Path, bytes]:
        """What files are to hold that the draft changes."""
        return {self.path_of(one.name): one.text for one in self.draft.files}

    def path_of(self, name: str) -> pathlib.Path:
        return self._main.parent / name

    def read(self, path: pathlib.Path) -> bytes | None:
        known = self.draft.find(self._name(path))
        return edited_file.read(path) if known is None else known.text

    def replace(self, path: pathlib.Path, content: bytes) -> None:
        name = self._name(path)
        base = edited_file.read(path) if self.draft.find(name) is None else None
        self.draft = self.draft.with_text(name, content, base)

    def list_included(
        self, patterns: collections.abc.Collection[yaml_include.Pattern], main: pathlib.Path
    ) -> tuple[pathlib.Path, ...]:
        return yaml_include.list_files(patterns, main, beside=self.texts.keys()).paths

    def read_all(self) -> dict[str, bytes]:
        """What daemun.yaml holds, by its name, and those that it includes, by theirs, as of `yaml_holder.read_all`."""
        content = self.read(self._main)
        paths = () if content is None else self.list_included(yaml_holder.find_patterns(self._main, self), self._main)
        included = yaml_include.read(paths, self._main.parent, self.texts)
        found = {one.name: one.content for one in included if one.content is not None}
        return ({} if content is None else {self._main.name: content}) | found

    def check_include(self, *, is_owner: bool) -> None:
        """Before files are read that the draft names. Raises: ConfigError."""
        main = self.draft.find(self._main.name)
        if main is not None and not is_owner:
            owned_keys.check_include(main.name, edited_file.read(self._main), main.text)

    def find_owned(self, *, is_owner: bool) -> tuple[model.Problem, ...]:
        """What the operator may not change. Raises: ConfigError when it cannot be read."""
        if is_owner:
            return ()
        found: list[model.Problem] = []
        for one in self.draft.files:
            find = owned_keys.find_changes if one.name == self._main.name else owned_keys.find_programs
            found += find(one.name, edited_file.read(self.path_of(one.name)), one.text)
        return tuple(found)

    def _name(self, path: pathlib.Path) -> str:
        return yaml_include.name_of(pathlib.Path(os.path.normpath(path)), self._main.parent)


def check_name(name: str, main: pathlib.Path, known: collections.abc.Collection[str]) -> None:
    """Whether a draft may change the file: daemun.yaml, or one that it includes, which need not be there yet.
    known: the names of those that are there. Raises: ConfigError."""
    if name in known or name == main.name:
        return
    raise ConfigError(
        f'cannot change "{name[:100]}": it is none of the files of the configuration, which are '
        f"{', '.join(sorted(known)[:10])}; name it in `include` of {main.name} first"
    )
