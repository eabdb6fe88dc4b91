"""The way back to an applied configuration: what is written, what would be lost, and how it ended. For commands and the
API. Blocking."""

import collections.abc
import dataclasses
import pathlib
import time
import typing

from daemun.errors import ConfigError
from daemun.sources import yaml_holder
from daemun.sources.history import file_changes, hidden_secrets, history_book, history_entry, past_files

Json = dict[str, typing.Any]

MOST_NAMED = 10
_POLL_S = 0.5
FILE = "file"
"""The source that is not read where daemun.yaml is damaged."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """main: daemun.yaml. present: what the files hold now. others: those that were not there then, though
    they would have been included."""

    main: pathlib.Path
    entry: history_entry.HistoryEntry
    present: dict[str, bytes]
    past: past_files.RestorableFiles

    @property
    def others(self) -> list[str]:
        return past_files.find_others(self.main, self.present, self.past.files)

    @property
    def is_done(self) -> bool:
        return self.past.files == self.present

    def write(self) -> dict[str, past_files.Replaced]:
        """Returns: what was replaced, for `put_back`. Raises: EnvironmentProblemError."""
        return past_files.write(self.main, self.past.files, others=self.others, keeps_others=True)

    def put_back(self, replaced: collections.abc.Mapping[str, past_files.Replaced]) -> None:
        past_files.put_back(self.main, replaced)

    @property
    def as_before(self) -> str:
        return f"{self.main} is as it was before"


def check(entry: history_entry.HistoryEntry) -> None:
    """Raises: ConfigError when there is no way back to it."""
    if not entry.can_be_restored:
        raise ConfigError(
            f"cannot go back to number {entry.number}: what the file held then was not kept; it was "
            f"{'no YAML that can be read' if entry.files else 'not there'}"
        )


def find(
    book: history_book.Book,
    entry: history_entry.HistoryEntry,
    main: pathlib.Path,
    *,
    recorded_within_s: float,
    force: bool,
) -> WayBack:
    """Under `edited_file.alone`. recorded_within_s: so long a daemon may take to keep the present files.

    Raises: ConfigError when something would be lost, or a secret is nowhere any more."""
    files = yaml_holder.read_all(main)
    mask_all = hidden_secrets.Masker().mask_all  # most sites are the same in all of them
    present = mask_all(files)
    names, kept = book.find_secrets(main.name, mask_all), book.read_last_good(main.name, mask_all)
    past = past_files.find_past(entry, present, names, kept)
    what = f"cannot go back to number {entry.number}"
    if past.missing:
        raise ConfigError(
            f"{what}: secrets are not kept, and these are in the files no more: {name_places(past.missing)}; write "
            f"them at their places into {main}, and try again, or write the file by hand from "
            f"`daemun history {entry.number}`"
        )
    way = WayBack(main=main, entry=entry, present=files, past=past)
    if not force and past.files != files:
        touched = {name: one for name, one in present.items() if name in past.files or name in way.others}
        lost = [
            *_find_unrecorded(book, touched, within_s=recorded_within_s),
            *past_files.find_lost(touched, past, mask_all),
        ]
        if lost:
            raise ConfigError(
                f"{what}: this would be lost, as the history does not have it: {name_places(tuple(lost))}; "
                f"note it and say `daemun rollback {entry.number} --force`"
            )
    return way


def _find_unrecorded(book: history_book.Book, present: hidden_secrets.MaskedFiles, *, within_s: float) -> list[str]:
    """The files of which the content of now is not in the history."""
    deadline = time.monotonic() + within_s
    while True:
        newest = list(book.newest())
        found = [
            f"{name}, as it is now"
            for name, one in present.items()
            if one is None
            or not any((kept := entry.find_file(name)) is not None and kept.text == one.text for entry in newest)
        ]
        is_readable = all(one is not None for one in present.values())
        if not found or not is_readable or time.monotonic() > deadline:
            return found
        time.sleep(_POLL_S)


def find_refusal(
    errors: collections.abc.Mapping[str, str],
    known: collections.abc.Set[str],
    *,
    error: str | None = None,
    unread: collections.abc.Collection[str] = (),
) -> str | None:
    """Why the old files are not live; None: they are. Pure.

    errors: problems that keep something from being live, as they are shown, by their messages. known: the messages of
    those that were there before. error, unread: as of `gate_port.ApplyReport`."""
    found = [shown for message, shown in errors.items() if message not in known]
    if found:
        return "\n".join(found)
    if error:
        return error
    if FILE in unread:
        return "the file cannot be read as it was at that time; `daemun check` says why"
    return None


def report_json(way: WayBack, book: history_book.Book, *, is_running: bool) -> Json:
    """Keys may be added, never renamed."""
    newest = next(iter(book.newest()), way.entry)
    return {
        "number": way.entry.number,
        "config": str(way.main),
        "running": is_running,
        "taken": list(way.past.taken),
        "blanks": list(way.past.blanks),
        "deleted": way.others,
        "not_undone": [what for _, what in file_changes.compare_routes(way.entry, newest)],
    }


def name_places(places: collections.abc.Sequence[str]) -> str:
    more = f" and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else ""
    return ", ".join(places[:MOST_NAMED]) + more
