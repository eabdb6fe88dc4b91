"""The history of applied configurations, as commands reach it: in the state directory, whether a daemon runs or not."""

import dataclasses
import pathlib
import typing

from daemun import errors, settings
from daemun.cli import control_client, daemon_state, lost_file, output

if typing.TYPE_CHECKING:
    from daemun.sources.history import history_book, history_entry, kept_secrets

NOW, FILE = "now", "file"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of two configurations that are compared. what: for people. files: without secrets, by their names.
    entry: None: the file as it is now."""

    what: str
    files: dict[str, str]
    entry: "history_entry.HistoryEntry | None"


def open_book(chosen: settings.Settings) -> "history_book.Book":
    """Raises: EnvironmentProblemError when this account may not look; ConfigError when there is no history."""
    from daemun.sources.history import history_book
    from daemun.wiring.offline import configuration

    lost_file.find_kept(chosen)  # whether this account may look
    store = configuration.find_store(chosen)
    if store is None:
        cause = f"there is none in {chosen.state}, where no daemun has run"
        raise errors.ConfigError(f"cannot read the history: {cause}; name the state directory with --state")
    return history_book.Book(store)


def complain_of_damage(chosen: settings.Settings, book: "history_book.Book") -> None:
    for problem in book.damage.problems():
        output.complain(f"warning: {problem.message}")


def find(book: "history_book.Book", word: str) -> "history_entry.HistoryEntry":
    """An entry by its number, or `now`: what was applied last. Raises: ConfigError."""
    if word == NOW:
        found = next(iter(book.newest()), None)
        if found is None:
            raise errors.ConfigError("cannot show what was applied: the history is empty; `daemun up` begins it")
        return found
    entry = book.read(int(word)) if word.isascii() and word.isdecimal() and len(word) < 16 else None
    if entry is None:
        numbers = book.numbers()
        known = f"{numbers[0]} to {numbers[-1]}" if numbers else "none"
        raise errors.ConfigError(
            f'cannot find "{word}" in the history: expected a number ({known} are kept), `{NOW}` or `{FILE}`; '
            "`daemun history -n 0` lists all"
        )
    return entry


def find_side(chosen: settings.Settings, book: "history_book.Book", word: str) -> Side:
    """One of `daemun diff`. Raises: ConfigError, EnvironmentProblemError."""
    from daemun.sources.history import kept_secrets

    if word != FILE:
        entry = find(book, word)
        return Side(what=f"number {entry.number}", files=kept_secrets.show_entry(entry), entry=entry)
    file = file_of(chosen)
    files = mask_file(file)
    names = book.find_secrets(file.name)
    return Side(what=str(file), files=kept_secrets.show_files(files, names), entry=None)


def mask_file(file: pathlib.Path) -> "kept_secrets.MaskedFiles":
    """daemun.yaml and what it includes, as they are now. Raises: ConfigError, EnvironmentProblemError."""
    from daemun.sources.history import kept_secrets

    files = kept_secrets.mask_all(read_files(file))
    unread = [name for name, one in files.items() if one is None]
    if unread:
        raise errors.ConfigError(
            f"cannot compare {', '.join(unread)}: it is no YAML that can be read; see `daemun check`"
        )
    return files


def file_of(chosen: settings.Settings) -> pathlib.Path:
    """The file that the daemon reads, or would read."""
    try:
        return daemon_state.config_of(chosen, control_client.ControlClient(chosen).status(""))
    except control_client.NotRunningError:
        return chosen.config


def read_files(file: pathlib.Path) -> dict[str, bytes]:
    """daemun.yaml and what it includes, by their names. Raises: EnvironmentProblemError."""
    from daemun.sources import yaml_holder

    return yaml_holder.read_all(file)
