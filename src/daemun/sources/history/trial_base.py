"""What a trial goes back to, and what of the files of now the history cannot give back. Blocking."""

import collections.abc
import datetime
import pathlib

from daemun.sources import yaml_holder
from daemun.sources.history import hidden_secrets, history_entry, history_recorder, history_store, past_files

FRESH = datetime.timedelta(minutes=10)
"""A change of the files that came so long before is on trial; else what comes from then on."""


class TrialBase:
    """Finds the files that undoing a trial restores. For one thread at a time. Raises: EnvironmentProblemError."""

    def __init__(
        self, history: history_store.HistoryStore, recorder: history_recorder.Recorder, main: pathlib.Path
    ) -> None:
        """main: daemun.yaml."""
        self._history = history
        self._recorder = recorder
        self._main = main

    def find_entry(
        self, number: int | None, now: datetime.datetime, *, confirmed: int
    ) -> history_entry.HistoryEntry | None:
        """number: None: before what changed last: the newest one where that was not applied yet, or long ago, else the
        last one with other files. What never came live is nothing to go back to. confirmed: the number of what was
        confirmed last: it is on trial no more, however fresh it is."""
        if number is not None:
            return self._history.read(number)
        newest: history_entry.HistoryEntry | None = None
        is_applied, can_be_newest, is_confirmed, changed_at = False, False, False, now
        for entry in self._history.newest():
            if newest is None:
                newest, is_applied = entry, self._is_present(entry)
            can_be_base = entry.can_be_restored and entry.state is not history_entry.EntryState.FAILED
            if is_applied and entry.files == newest.files:
                changed_at, can_be_newest = entry.at, can_be_newest or can_be_base
                is_confirmed = entry.number <= confirmed
            elif can_be_base:
                is_fresh = not is_confirmed and now - changed_at < FRESH
                return newest if is_applied and can_be_newest and not is_fresh else entry
        return newest

    def _is_present(self, entry: history_entry.HistoryEntry) -> bool:
        """Whether an entry's files are those of now."""
        present = yaml_holder.read_all(self._main)
        held = self._recorder.find_held(entry.number)
        if held is not None:
            return held == present
        masked = hidden_secrets.mask_all(present)
        return [(one.name, one.text) for one in entry.files] == [
            (name, None if one is None else one.text) for name, one in masked.items()
        ]

    def find_files(self, entry: history_entry.HistoryEntry) -> past_files.RestorableFiles:
        """What they held, with their secrets."""
        held = self._recorder.find_held(entry.number)
        if held is not None:
            return past_files.RestorableFiles(files=dict(held))
        mask_all, name = hidden_secrets.Masker().mask_all, self._main.name
        present = mask_all(yaml_holder.read_all(self._main))
        secrets, kept = self._history.find_secrets(name, mask_all), self._history.read_last_good(name, mask_all)
        return past_files.find_past(entry, present, secrets, kept)

    def find_unkept(
        self, removed: collections.abc.Mapping[str, bytes], comes: collections.abc.Mapping[str, bytes]
    ) -> set[str]:
        """Of what is replaced, that which the history cannot give back, and files that are there no more."""
        mask_all = hidden_secrets.Masker().mask_all
        masked = mask_all(removed)
        left = {**yaml_holder.read_all(self._main), **dict.fromkeys(removed, b""), **comes}
        lost = past_files.find_lost(masked, past_files.RestorableFiles(files=left), mask_all)
        recorded = {
            file.name
            for entry in self._history.newest()
            for file in entry.files
            if (one := masked.get(file.name)) is not None and file.text == one.text
        }
        return {
            name
            for name, content in removed.items()
            if content not in comes.values()
            and (name not in comes or name not in recorded or any(place.startswith(f"{name}: ") for place in lost))
        }
