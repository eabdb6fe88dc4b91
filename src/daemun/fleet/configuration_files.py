"""The files of the configuration on one machine of a fleet: daemun.yaml and those that it includes from its folder.
Blocking.
"""

import collections.abc
import contextlib
import dataclasses
import os
import pathlib

from daemun import regular_files
from daemun.errors import ConfigError, ConflictError, EnvironmentProblemError
from daemun.fleet import configuration_values, shared_text
from daemun.sources import edited_file, given_files, yaml_holder, yaml_include
from daemun.sources.history import written_files

REFUSED, CONFLICT, JOINED = ".refused", ".conflict", ".before-fleet"
"""How copies end of what was written and is not served."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LocalFiles:
    """shared: what the fleet shares of them. main: daemun.yaml as it is. own: this machine's part of it. others: files
    that it includes from elsewhere, which stay each machine's own, by their paths."""

    shared: configuration_values.Files = dataclasses.field(repr=False)
    main: bytes = dataclasses.field(repr=False)
    own: bytes = dataclasses.field(repr=False)
    others: configuration_values.Files = dataclasses.field(repr=False)


class ConfigurationFiles:
    def __init__(self, main: pathlib.Path) -> None:
        self.main = main.absolute()
        self._known: tuple[bytes, shared_text.SplitText] | None = None
        self._joined: tuple[bytes, bytes, bytes] | None = None

    def read(self) -> LocalFiles | None:
        """None: there is no daemun.yaml. Raises: ConfigError: it cannot be told what of it is shared;
        EnvironmentProblemError."""
        found = yaml_holder.read_all(self.main)
        content = found.pop(self.main.name, None)
        if content is None:
            return None
        parts = self._split(content)
        shared = {name: text for name, text in found.items() if configuration_values.is_name(name)}
        return LocalFiles(
            shared={configuration_values.MAIN: parts.shared, **shared},
            main=content,
            own=parts.own,
            others={name: text for name, text in found.items() if name not in shared},
        )

    def _split(self, content: bytes) -> shared_text.SplitText:
        """It is looked at with each step, and is mostly what it was. For all threads."""
        known = self._known
        if known is None or known[0] != content:
            self._known = known = (content, shared_text.split(content))
        return known[1]

    def _join(self, shared: bytes, held: bytes) -> bytes:
        """A change is put together to be checked, served and written: ten thousand sites take a tenth of a second. For
        all threads. Raises: ConfigError."""
        known = self._joined
        if known is None or known[:2] != (shared, held):
            self._joined = known = (shared, held, shared_text.join(shared, held))
        return known[2]

    def complete(
        self, files: configuration_values.Files, local: LocalFiles | None, own: bytes = b""
    ) -> given_files.GivenFiles:
        """Shared texts with this machine's own part. own: what that was last, where there is no daemun.yaml now.

        Raises: ConfigError; EnvironmentProblemError."""
        held = own if local is None else local.main
        main = self._join(files[configuration_values.MAIN], held)
        included = {name: text for name, text in files.items() if name != configuration_values.MAIN}
        patterns = yaml_holder.find_patterns_of(self.main, main)
        listed = yaml_include.list_files(patterns, self.main, beside=[self.main.parent / name for name in included])
        others = [path for path in listed.paths if not configuration_values.is_name(self._name(path))]
        read = {one.name: one.content for one in yaml_include.read(others, self.main.parent) if one.content is not None}
        names = [self._name(path) for path in listed.paths]
        found = {**included, **read}
        return given_files.GivenFiles(main=main, included={name: found[name] for name in names if name in found})

    def _name(self, path: pathlib.Path) -> str:
        return yaml_include.name_of(path, self.main.parent)

    def find_obstacle(self, files: configuration_values.Files) -> str | None:
        """Why these could not be written here; None: they could, or what is shared here cannot be told now."""
        try:
            local = self.read()
        except (ConfigError, EnvironmentProblemError):
            return None
        return None if local is None else self._find_obstacle(files, local.shared)

    def _find_obstacle(self, files: configuration_values.Files, held: configuration_values.Files) -> str | None:
        """The fleet writes nothing but what it shares: no file that this machine has for itself, nothing elsewhere."""
        folder = os.path.realpath(self.main.parent)
        for name in sorted({*files, *held} - {configuration_values.MAIN}):
            path, wanted = self.main.parent / name, files.get(name)
            if wanted == held.get(name):
                continue
            # A file is written through a link, but a link itself is deleted, not what it leads to.
            through = os.path.realpath(path if wanted is not None else path.parent)
            if not pathlib.Path(through).is_relative_to(folder):
                cause = f"a link leads out of {folder}, to {through}"
                return f"cannot write {path}: {cause}; put a folder or a file in the link's place"
            if wanted is not None and name not in held and os.path.lexists(path) and not _holds(path, wanted):
                cause = f"another file is there, which {self.main.name} of this machine does not include"
                return f"cannot write {path}: {cause}; move it away, or give the new one another name"
        taken = self._list(files[configuration_values.MAIN]) - self._list(held[configuration_values.MAIN])
        for name in sorted(taken - {*files}):
            if configuration_values.is_name(name) and os.path.lexists(self.main.parent / name):
                cause = "it is a file of this machine alone, and all others would get it"
                return f"cannot include {self.main.parent / name}: {cause}; move it away, or name fewer in `include`"
        return None

    def _list(self, main: bytes) -> frozenset[str]:
        """What daemun.yaml would include of what is there."""
        listed = yaml_include.list_files(yaml_holder.find_patterns_of(self.main, main), self.main)
        return frozenset(map(self._name, listed.paths))

    def write(self, files: configuration_values.Files, expected: configuration_values.Files) -> None:
        """Make the shared part what the fleet agreed on, where it is what was expected still.

        Raises: ConflictError when it is not, or a command edits it, with nothing written; ConfigError;
        EnvironmentProblemError, when some may be written."""
        with self._alone():
            local = self._check(expected)
            self._check_names(files)
            if obstacle := self._find_obstacle(files, local.shared):
                raise ConfigError(obstacle)
            wanted: dict[str, bytes | None] = {name: None for name in local.shared if name not in files}
            wanted |= {name: text for name, text in files.items() if name != configuration_values.MAIN}
            wanted[self.main.name] = self._join(files[configuration_values.MAIN], local.main)
            written_files.write(self.main, written_files.plan(self.main, wanted))

    def copy_beside(
        self, names: tuple[str, ...], suffix: str, expected: configuration_values.Files
    ) -> tuple[tuple[str, str], ...]:
        """Keep what these files hold. Returns: their names, and the paths of the copies. Raises: as `write`."""
        with self._alone():
            local = self._check(expected)
            made = []
            for name in names:
                held = local.main if name == configuration_values.MAIN else local.shared[name]
                known = name or self.main.name
                copy = self.main.parent / written_files.name_copy(self.main, known, local.main, held, suffix=suffix)
                if not copy.exists():
                    edited_file.create(copy, held, written_files.NEW_FILE_MODE)
                made.append((known, str(copy)))
            return tuple(made)

    @contextlib.contextmanager
    def _alone(self) -> collections.abc.Iterator[None]:
        """Raises: ConflictError: a command edits the file, or is finding out whether what it wrote is live."""
        try:
            stack = contextlib.ExitStack()
            stack.enter_context(edited_file.alone(self.main, longest_s=0.0))
        except EnvironmentProblemError as error:
            raise ConflictError(str(error)) from error
        with stack:
            yield

    def _check(self, expected: configuration_values.Files) -> LocalFiles:
        local = self.read()
        if local is None or local.shared != expected:
            raise ConflictError(f"cannot write {self.main}: it was changed meanwhile; it is tried again")
        return local

    def _check_names(self, files: configuration_values.Files) -> None:
        """Nothing is written that daemun.yaml does not include."""
        patterns = yaml_holder.find_patterns_of(self.main, files[configuration_values.MAIN])
        for name in files:
            path = self.main.parent / name
            if name != configuration_values.MAIN and not any(
                yaml_include.fits(one, path, self.main) for one in patterns
            ):
                raise ConfigError(f"cannot write {path}: no `include` of daemun.yaml names it")


def _holds(path: pathlib.Path, content: bytes) -> bool:
    try:
        return regular_files.read(path, len(content) + 1) == content
    except OSError:
        return False
