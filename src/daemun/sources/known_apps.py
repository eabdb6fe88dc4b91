"""The presets of applications: those that daemun brings, and the owner's, `apps/NAME.yaml` beside daemun.yaml."""

import collections.abc
import dataclasses
import functools
import itertools
import pathlib

from daemun import causes, package_data, regular_files
from daemun.core import model
from daemun.core.options import app_option
from daemun.core.texts import words
from daemun.sources import app_preset

FOLDER = "apps"
MOST_FILES = 200
_ENDING = ".yaml"
_MOST_IMAGES = 1_000
"""Whose presets are remembered."""


@functools.cache
def built_in(name: str) -> app_preset.Preset:
    """Raises: KeyError for a name that daemun brings nothing for."""
    if name not in package_data.list_names(FOLDER, _ENDING):
        raise KeyError(name)
    preset, faults = app_preset.parse(name, package_data.read_bytes(f"{FOLDER}/{name}{_ENDING}"))
    assert preset is not None, faults  # a test reads them all
    return preset


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OwnFile:
    """A file of the owner's. content: None where it cannot be used. cause: why."""

    name: str
    content: bytes | None = None
    cause: str = ""

    @property
    def place(self) -> str:
        return f"{FOLDER}/{self.name}"


def find_folders(config: pathlib.Path) -> frozenset[pathlib.Path]:
    """The folder `apps` beside the configuration, if it is there."""
    folder = config.absolute().parent / FOLDER
    return frozenset({folder} if folder.is_dir() else ())


def find_files(config: pathlib.Path) -> tuple[pathlib.Path, ...]:
    """What lies there, as far as it can be listed."""
    try:
        return _list(config)
    except OSError:
        return ()


def read_files(config: pathlib.Path) -> tuple[OwnFile, ...]:
    """The same, read. Blocking, milliseconds; nothing is too odd for it."""
    try:
        return tuple(_read(path.parent, path.name) for path in _list(config))
    except OSError as error:
        return (OwnFile(name="", cause=f"cannot be read: {causes.describe(error)}"),)


def _list(config: pathlib.Path) -> tuple[pathlib.Path, ...]:
    """Raises: OSError."""
    found = (path for folder in find_folders(config) for path in folder.iterdir())
    named = (path for path in found if path.suffix in {_ENDING, ".yml"} and not path.name.startswith("."))
    return tuple(itertools.islice(sorted(named), MOST_FILES))


def _read(folder: pathlib.Path, name: str) -> OwnFile:
    if not name.endswith(_ENDING) or not app_option.is_name(name.removesuffix(_ENDING)):
        return OwnFile(name=name, cause="is not read: expected a name of a-z, 0-9 and - that ends in .yaml")
    try:
        return OwnFile(name=name, content=regular_files.read(folder / name, app_preset.MAX_BYTES + 1))
    except OSError as error:
        return OwnFile(name=name, cause=f"cannot be read: {causes.describe(error)}")


class KnownApps:
    """Presets by the name of the application. own: the owner's files, which win over those that daemun brings."""

    def __init__(self, own: collections.abc.Iterable[OwnFile] = ()) -> None:
        self._faults: dict[str, tuple[str, ...]] = {}
        self._presets: dict[str, app_preset.Preset | None] = {}
        for file in own:
            name = file.name.removesuffix(_ENDING)
            if file.content is None:
                self._presets[name] = None
                self._faults[name] = (f"{file.place}: {file.cause}",)
                continue
            self._presets[name], self._faults[name] = app_preset.parse(name, file.content, place=file.place)

    def names(self) -> tuple[str, ...]:
        """Of all that can be used."""
        own = (name for name, preset in self._presets.items() if preset is not None)
        return tuple(sorted({*package_data.list_names(FOLDER, _ENDING), *own}))

    def find(self, name: str) -> app_preset.Preset | None:
        if name in self._presets:
            return self._presets[name]
        return built_in(name) if name in package_data.list_names(FOLDER, _ENDING) else None

    def explain(self, name: str) -> str:
        """Why there is no preset of this name."""
        if faults := self._faults.get(name, ()):
            return f"{words.quoted(name)} cannot be used: {'; '.join(faults)}"
        guess = words.guess(name, self.names())
        return f"{words.quoted(name)} is no known application{guess or '; `daemun apps` lists them'}"

    def problems(self) -> tuple[model.Problem, ...]:
        """Each file that cannot be used, whether a site names it or not."""
        return tuple(
            model.Problem(
                origin=model.Origin(source="file", place=fault.partition(": ")[0]),
                message=fault.partition(": ")[2],
                severity=model.Severity.WARNING,
            )
            for faults in self._faults.values()
            for fault in faults
        )


def read(config: pathlib.Path) -> KnownApps:
    """With those of the owner beside the configuration. Blocking, milliseconds."""
    return KnownApps(read_files(config))


BUILT_IN = KnownApps()


@functools.lru_cache(maxsize=_MOST_IMAGES)
def find_by_image(image: str) -> app_preset.Preset | None:
    """Which of those that daemun brings a container of this image runs, as far as its name tells. Only files that have
    the name anywhere are read as presets: all of them take 0.15 s."""
    repository = app_preset.find_repository(image)
    if not repository:
        return None
    for name in package_data.list_names(FOLDER, _ENDING):
        if repository.encode() in package_data.read_bytes(f"{FOLDER}/{name}{_ENDING}"):
            preset = built_in(name)
            if repository in preset.images:
                return preset
    return None
