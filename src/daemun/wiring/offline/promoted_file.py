"""A file that becomes what a whole fleet serves, whatever others wrote meanwhile. Blocking."""

import pathlib

from daemun import errors, settings
from daemun.fleet import followed_record, membership, shared_text, stored_configuration
from daemun.sources import edited_file
from daemun.store import file_store


def prepare(chosen: settings.Settings, main: pathlib.Path, file: str | None) -> bytes:
    """From now on what daemun.yaml holds is an edit of what the fleet serves now. Under `edited_file.alone`.

    file: with what it is to hold; None: it holds that already. Returns: what it is to hold, with this machine's own
    part of it. Raises: ConfigError; EnvironmentProblemError."""
    own = file_store.FileStore(pathlib.Path(chosen.layout.store))
    if membership.read(own) is None:
        raise errors.ConfigError("cannot promote a file: this machine is in no fleet")
    try:
        current = stored_configuration.StoredConfiguration(own, "").find_known()
    except ValueError as error:
        raise errors.EnvironmentProblemError(
            f"cannot promote a file: what the fleet serves is damaged: {error}"
        ) from error
    held = edited_file.read(main)
    if held is None or current is None:
        raise errors.ConfigError(f"cannot promote a file: there is no {main}, or the fleet serves nothing yet")
    wanted = held
    if file is not None:
        content = edited_file.read(pathlib.Path(file))
        if content is None:
            raise errors.ConfigError(f"cannot promote {file}: there is no such file")
        wanted = shared_text.join(shared_text.split(content).shared, held)
    followed_record.FollowedRecord(own).follow(current, current.files)
    return wanted
