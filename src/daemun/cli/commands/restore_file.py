"""`daemun restore-file`."""

import contextlib
import pathlib

from daemun import errors, regular_files, settings
from daemun.cli import common_options, control_client, daemon_state, json_answer, lost_file, output

MODE = 0o600
"""Its own is not known, and it may hold secrets as text."""


@common_options.with_settings
def restore_file(chosen: settings.Settings) -> None:
    """Put back daemun.yaml as it was when it could be applied last, where there is none any more, or an empty one. The
    same for the files that it includes.

    daemun keeps them in the state directory. A file that holds something is never replaced.
    """
    try:
        file = daemon_state.config_of(chosen, control_client.ControlClient(chosen).status())
    except control_client.NotRunningError:
        file = chosen.config
    kept = lost_file.find_last_good(chosen)
    lost = lost_file.find_lost_included(chosen, file)
    is_there = file.exists() and not lost_file.holds_nothing(file)
    json_answer.note(config=str(file), restored=[str(one) for one in ([] if is_there else [file]) + [*lost]])
    if is_there and not lost:
        where = f"; what it held when it could be applied last is in {kept}" if kept is not None else ""
        raise errors.ConfigError(f'cannot restore "{file}": it is there, move it away first{where}')
    if kept is None:
        raise errors.ConfigError(
            f'cannot restore "{file}": {chosen.state} keeps no file of an earlier daemun; '
            "name the state directory with --state, or make a file with `daemun add HOST TARGET`"
        )
    # The included ones first: daemun.yaml alone would stand for sites that are not there.
    for path, content in lost.items():
        _restore(path, content)
    if not is_there:
        _restore(file, regular_files.read(kept))


def _restore(file: pathlib.Path, content: bytes) -> None:
    from daemun.sources import edited_file

    with contextlib.suppress(OSError):  # which is reported when the file is written
        file.parent.mkdir(parents=True, exist_ok=True)
    edited_file.restore(file, content, mode=MODE)
    output.print_line(f"{file} is what it was when it could be applied last (only its owner may read it)")
