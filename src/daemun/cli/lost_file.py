"""daemun.yaml is gone, and what it held last is kept in the state directory."""

import pathlib

from daemun import causes, errors, settings


def refuse_if_lost(chosen: settings.Settings, file: pathlib.Path) -> None:
    """Raises: ConfigError when `file`, to which something is to be added, is missing although there was one: a new one
    would take every site of the old one away."""
    kept = None if file.exists() else find_kept(chosen)
    if kept is not None:
        raise errors.ConfigError(
            f'cannot edit "{file}": it is missing, and what it held last is served; put that back with '
            f"`daemun restore-file` (it is kept in {kept}), or begin a new file with `daemun add --new HOST TARGET`"
        )


def find_kept(chosen: settings.Settings) -> pathlib.Path | None:
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
