"""Files of a folder that others wrote, perhaps to harm: links are followed inside the folder only, and nothing
but regular files of a sensible size is read."""

import os
import pathlib
import stat

from daemun import causes

MOST_BYTES = 256 << 10
MOST_ENTRIES = 20_000


class TreeError(ValueError):
    """Something cannot be read; the text has what and why, without any of its content."""


class ForeignTree:
    """root: the folder. Paths are relative to it. Raises: TreeError when it is not a folder that can be read."""

    def __init__(self, root: pathlib.Path) -> None:
        try:
            self.root = root.resolve(strict=True)
            os.scandir(self.root).close()
        except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
            raise TreeError(f'cannot read the folder "{root}": {_cause(error)}') from None

    def names(self, folder: str = "") -> list[str]:
        """What a folder holds, sorted; nothing when it is missing. Raises: TreeError."""
        try:
            path = self._inside(folder)
            with os.scandir(path) as entries:
                found = [entry.name for entry, _ in zip(entries, range(MOST_ENTRIES + 1), strict=False)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except (OSError, RuntimeError) as error:
            raise TreeError(f'cannot read the folder "{folder}": {_cause(error)}') from None
        if len(found) > MOST_ENTRIES:
            raise TreeError(f'cannot read the folder "{folder}": it holds more than {MOST_ENTRIES} entries')
        return sorted(found)

    def is_folder(self, path: str) -> bool:
        try:
            return self._inside(path).is_dir()
        except (OSError, RuntimeError, TreeError):
            return False

    def is_file(self, path: str) -> bool:
        try:
            return self._inside(path).is_file()
        except (OSError, RuntimeError, TreeError):
            return False

    def read(self, path: str) -> bytes:
        """Raises: TreeError."""
        try:
            # Opened without waiting (a pipe would), and judged by what was opened: a link that is changed meanwhile
            # leads nowhere else.
            descriptor = os.open(self._inside(path), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                real = pathlib.Path(f"/proc/self/fd/{descriptor}").readlink()
                if not real.is_relative_to(self.root):
                    raise TreeError(_outside(path))
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise TreeError(f'cannot read "{path}": it is no regular file')
                content = file.read(MOST_BYTES + 1)
        except (OSError, RuntimeError) as error:
            raise TreeError(f'cannot read "{path}": {self._dangling(path) or _cause(error)}') from None
        if len(content) > MOST_BYTES:
            raise TreeError(f'cannot read "{path}": it has more than {MOST_BYTES} bytes')
        return content

    def text(self, path: str) -> str:
        """Raises: TreeError."""
        try:
            return self.read(path).decode()
        except UnicodeDecodeError:
            raise TreeError(f'cannot read "{path}": it is no text (UTF-8)') from None

    def _dangling(self, path: str) -> str | None:
        """Where a link leads that is there while its target is not; None: there is none on the way."""
        for part in reversed((pathlib.PurePath(path), *pathlib.PurePath(path).parents[:-1])):
            link = self.root / part
            if link.is_symlink() and not link.exists():
                target = pathlib.Path(os.path.normpath(link.parent / link.readlink()))
                shown = target.relative_to(self.root) if target.is_relative_to(self.root) else target
                missing = next((one for one in reversed((target, *target.parents)) if not one.exists()), target)
                what = missing.relative_to(self.root) if missing.is_relative_to(self.root) else missing
                return (
                    f'the link is there, and "{what}" is missing, where it leads ("{shown}"); copy that, too, or name '
                    "the folder on the machine that it comes from"
                )
        return None

    def _inside(self, path: str) -> pathlib.Path:
        """Where it leads, links followed. Raises: TreeError: to somewhere else; OSError, RuntimeError."""
        real = (self.root / path).resolve(strict=True)
        if not real.is_relative_to(self.root):
            raise TreeError(_outside(path))
        return real


def _outside(path: str) -> str:
    return f'cannot read "{path}": it is a link out of the folder; name a folder that holds all of it'


def _cause(error: OSError | RuntimeError) -> str:
    if isinstance(error, RuntimeError):
        return "its links lead in a circle"
    return causes.describe(error)
