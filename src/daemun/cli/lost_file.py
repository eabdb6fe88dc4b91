"""Handles a daemun.yaml that was deleted or emptied: its last good content is in the state directory."""

import collections.abc
import pathlib
import shlex
import typing

from daemun import causes, errors, regular_files, settings

if typing.TYPE_CHECKING:
    from daemun.sources import yaml_holder

_RESTORE = "daemun restore-file"
_BLANK_BYTES = 4096
"""Of what could be lost, at most: a larger file of nothing but blanks is left to its owner."""


def refuse_if_lost(chosen: settings.Settings, file: pathlib.Path) -> None:
    """Raises: ConfigError when `file`, which is to be edited, is missing or holds no sites although there were some: a
    new beginning would take every site of the old one away, and what it listens on."""
    loss = _find_loss(file)
    kept = find_last_good(chosen) if loss is not None else None
    if loss is not None and kept is not None:
        cause, cure = loss
        raise errors.ConfigError(
            f'cannot edit "{file}": {cause}, and what it held last is served; put that back with `{cure}` (it is kept '
            f"in {kept}), or begin anew with `daemun add --new HOST TARGET`"
        )


def holds_nothing(file: pathlib.Path) -> bool:
    """Whether it is a file without any content, so that nothing is lost when it is replaced."""
    from daemun.sources import yaml_file

    try:
        is_short = file.is_file() and file.stat().st_size < _BLANK_BYTES
        return is_short and yaml_file.is_blank(regular_files.read(file))
    except OSError:
        return False


def _find_loss(file: pathlib.Path) -> tuple[str, str] | None:
    """What is wrong, and the command that puts it right. None: it says which sites there are, or the edit reports what
    is wrong with it."""
    if not file.exists():
        return "it is missing", _RESTORE
    from daemun.sources import yaml_edit

    if not yaml_edit.lacks_sites(file):
        return None
    if holds_nothing(file):
        return "it is empty", _RESTORE
    return "it holds no `sites:`", shlex.join(["mv", str(file), f"{file}.old"]) + f" && {_RESTORE}"


def find_last_good(chosen: settings.Settings) -> pathlib.Path | None:
    """Where the last version of the file is that could be applied; None: there is none.

    Raises: EnvironmentProblemError when this account may not look.
    """
    path = pathlib.Path(chosen.layout.kept_file)
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        cause = causes.describe(error)
        message = f"cannot look at {path}, which may hold what the file held last: {cause}"
        raise errors.EnvironmentProblemError(f"{message}; run this as the owner of the state directory") from error
    return path


def read_included_last_good(chosen: settings.Settings) -> dict[str, bytes]:
    """What the files held that daemun.yaml included when it could be applied last, by their names from its folder."""
    from daemun.sources import last_good_file

    try:
        return last_good_file.decode_included(regular_files.read(chosen.layout.kept_included))
    except (OSError, ValueError):  # it included none; or it is damaged, which the daemon reports
        return {}


def find_lost_included(chosen: settings.Settings, file: pathlib.Path) -> dict[pathlib.Path, bytes]:
    """Of those, what the files held that are gone or empty now. file: daemun.yaml."""
    found = {file.parent / name: content for name, content in read_included_last_good(chosen).items()}
    return {path: content for path, content in found.items() if _is_lost(path)}


def _is_lost(path: pathlib.Path) -> bool:
    return not path.exists() or holds_nothing(path)


def refuse_if_included_lost(kept: collections.abc.Mapping[str, bytes], holder: "yaml_holder.Holder", host: str) -> None:
    """Raises: ConfigError when a file that is included had the site, or is to have it, and is missing, empty or cannot
    be read now: a new site in its place would lack all that guards the old one, or take others away.

    kept: of `read_included_last_good`. holder: where the site is going to be written.
    """
    from daemun.sources import yaml_holder

    wanted = yaml_holder.host_of(host)
    for name, content in kept.items():
        path = holder.main.parent / name
        had_it = not holder.has_site and wanted in (yaml_holder.find_hosts(content) or ())
        if not had_it and path != holder.path:
            continue
        if _is_lost(path):
            cause = f"it is {'empty' if path.exists() else 'missing'}, and what it held last is served"
            raise errors.ConfigError(
                f'cannot edit "{path}": {cause}; put that back with `{_RESTORE}`, or begin anew with '
                "`daemun add --new HOST TARGET`"
            )
        if name in holder.unread:
            cause = f"{name}, which had it, cannot be read, and its sites are served as they were"
            raise errors.ConfigError(f'cannot edit "{host}": {cause}; correct that file first, see `daemun check`')
