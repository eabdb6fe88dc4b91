"""Plans a rollback to an applied configuration: what is written, and what would be lost. For commands and the API.

Blocking.
"""

import collections.abc
import dataclasses
import pathlib
import time
import typing

from daemun.errors import ConfigError, ConflictError
from daemun.sources import yaml_holder
from daemun.sources.history import file_changes, hidden_secrets, history_entry, history_store, past_files

Json = dict[str, typing.Any]

MOST_NAMED = 10
RECORDED_WITHIN_S = 10.0
"""So long a daemon that runs may take to keep the files as they are now."""
_POLL_S = 0.5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RollbackPlan:
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

    def find_wanted(self) -> dict[str, bytes | None]:
        """What is to be written (`past_files.find_wanted`)."""
        return past_files.find_wanted(self.main, self.past.files, self.others)


def check(entry: history_entry.HistoryEntry) -> None:
    """Raises: ConfigError when it cannot be gone back to."""
    if not entry.can_be_restored:
        raise ConfigError(
            f"cannot go back to number {entry.number}: what the file held then was not kept; it was "
            f"{'no YAML that can be read' if entry.files else 'not there'}"
        )


def find(
    history: history_store.HistoryStore,
    entry: history_entry.HistoryEntry,
    main: pathlib.Path,
    *,
    is_running: bool,
    force: bool,
) -> RollbackPlan:
    """Under `edited_file.alone`. is_running: whether a daemon may be about to keep the present files.

    Raises: ConfigError when something would be lost, or a secret is nowhere any more."""
    files = yaml_holder.read_all(main)
    mask_all = hidden_secrets.Masker().mask_all  # most sites are the same in all of them
    present = mask_all(files)
    names, kept = history.find_secrets(main.name, mask_all), history.read_last_good(main.name, mask_all)
    past = past_files.find_past(entry, present, names, kept)
    what = f"cannot go back to number {entry.number}"
    if past.missing:
        raise ConfigError(
            f"{what}: secrets are not kept, and these are in the files no more: {name_places(past.missing)}; write "
            f"them at their places into {main}, and try again, or write the file by hand from "
            f"`daemun history {entry.number}`"
        )
    plan = RollbackPlan(main=main, entry=entry, present=files, past=past)
    if not force and past.files != files:
        touched = {name: one for name, one in present.items() if name in past.files or name in plan.others}
        lost = [
            *_find_unrecorded(history, touched, within_s=RECORDED_WITHIN_S if is_running else 0.0),
            *past_files.find_lost(touched, past, mask_all),
        ]
        if lost:
            raise ConflictError(
                f"{what}: this would be lost, as the history does not have it: {name_places(tuple(lost))}; "
                f"note it and say `daemun rollback {entry.number} --force`"
            )
    return plan


def _find_unrecorded(
    history: history_store.HistoryStore, present: hidden_secrets.MaskedFiles, *, within_s: float
) -> list[str]:
    """The files of which the content of now is not in the history."""
    deadline = time.monotonic() + within_s
    while True:
        newest = list(history.newest())
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


def report_json(plan: RollbackPlan, history: history_store.HistoryStore, *, is_running: bool) -> Json:
    """Keys may be added, never renamed."""
    newest = next(iter(history.newest()), plan.entry)
    return {
        "number": plan.entry.number,
        "config": str(plan.main),
        "running": is_running,
        "taken": list(plan.past.taken),
        "blanks": list(plan.past.blanks),
        "deleted": plan.others,
        "not_undone": [what for _, what in file_changes.compare_routes(plan.entry, newest)],
    }


def name_places(places: collections.abc.Sequence[str]) -> str:
    more = f" and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else ""
    return ", ".join(places[:MOST_NAMED]) + more
