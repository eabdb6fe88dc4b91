"""The applied configurations that the store keeps: a bounded number of them, in bounded space. Blocking.

An entry that is damaged is reported and left out, and keeps no other one from being read.
"""

import collections.abc
import itertools
import re

from daemun.control import damage_report, damaged_keys, ports
from daemun.errors import EnvironmentProblemError, NotFoundInStoreError
from daemun.sources import last_good_file
from daemun.sources.history import hidden_secrets, history_entry

PREFIX = "history/applied"
MOST_ENTRIES = 200
MOST_BYTES = 32 << 20
MOST_OF_CONTAINERS = 50
"""Entries of which the files are those of the entry before: containers come and go more often than people edit."""
CONTAINERS = "containers"
"""The author of such an entry."""
_HIGHEST = 10**9
"""A daemun that applies a configuration each second has fewer after thirty years."""
_OF_CONTAINERS = ".containers"
"""How the keys of such entries end."""


class HistoryStore:
    """Reads and writes the kept entries. For one thread at a time."""

    def __init__(self, store: ports.Store) -> None:
        self._store = store
        self._sizes: dict[int, int] | None = None

    def numbers(self) -> list[int]:
        """Of all entries, oldest first. Raises: EnvironmentProblemError."""
        return sorted(self._keys())

    def find_next(self, last: history_entry.HistoryEntry | None) -> int:
        """The number of the next entry. A file far beyond the last entry is none that daemun wrote, and does not count.
        last: the newest that can be read; None: none can, and all that are there count but for numbers that no daemun
        reaches. Raises: EnvironmentProblemError."""
        newest = 0 if last is None else last.number
        highest = _HIGHEST if last is None else newest + MOST_ENTRIES
        return max((one for one in self._keys() if one <= highest), default=newest) + 1

    def read(self, number: int) -> history_entry.HistoryEntry | None:
        """None: it is not there, or damaged, which is reported. Raises: EnvironmentProblemError."""
        key = self._keys().get(number)
        return None if key is None else self._read(number, key)

    def newest(self) -> collections.abc.Iterator[history_entry.HistoryEntry]:
        """All that can be read, newest first. Raises: EnvironmentProblemError."""
        keys = self._keys()
        for number in sorted(keys, reverse=True):
            found = self._read(number, keys[number])
            if found is not None:
                yield found

    @property
    def damage(self) -> damage_report.DamageReport:
        """What was found damaged."""
        return self._store.damage

    def read_last_good(
        self, name: str, mask_all: hidden_secrets.MaskAll = hidden_secrets.mask_all
    ) -> hidden_secrets.MaskedFiles:
        """The last version of the files that could be applied. name: of daemun.yaml.

        Raises: EnvironmentProblemError."""
        return mask_all(last_good_file.read_files(self._store, name) or {})

    def find_secrets(self, name: str, mask_all: hidden_secrets.MaskAll = hidden_secrets.mask_all) -> dict[str, str]:
        """Which name stands for each secret of the last file that could be applied, as it is written there. Empty: it
        is not known. name: of daemun.yaml. Raises: EnvironmentProblemError."""
        masked = self.read_last_good(name, mask_all)
        if not masked:
            return {}
        compared = itertools.islice(self.newest(), hidden_secrets.MOST_COMPARED)
        found = (hidden_secrets.find_names(entry, masked) for entry in compared)
        return next((one for one in found if one is not None), {})

    def write(self, entry: history_entry.HistoryEntry) -> None:
        """Add an entry, or replace it, and delete what is beyond the bounds then. Raises: EnvironmentProblemError."""
        content = history_entry.encode(entry)
        key = self._keys().get(entry.number) or _key(entry)
        self._store.write(key, content)
        if self._sizes is None:
            self._sizes = {number: self._size(one) for number, one in self._keys().items()}
        self._sizes[entry.number] = len(content)
        # What has a higher number is no entry of daemun's, and takes the place of none.
        self._shrink({number: size for number, size in self._sizes.items() if number <= entry.number})

    def _shrink(self, sizes: dict[int, int]) -> None:
        keys = self._keys()
        for number in find_surplus(sizes, {one for one, key in keys.items() if key.endswith(_OF_CONTAINERS)}):
            self._store.delete(keys[number])
            if self._sizes is not None:
                self._sizes.pop(number, None)

    def _read(self, number: int, key: str) -> history_entry.HistoryEntry | None:
        follows = f"number {number} is missing in `daemun history`; delete the file"
        found = damaged_keys.read(self._store, key, history_entry.decode, follows=follows)
        return found if found is not None and found.number == number else None

    def _keys(self) -> dict[int, str]:
        found = ((key.removeprefix(f"{PREFIX}/").removesuffix(_OF_CONTAINERS), key) for key in self._store.list(PREFIX))
        return {int(name): key for name, key in found if _NUMBER.fullmatch(name)}

    def _size(self, key: str) -> int:
        try:
            return len(self._store.read(key))
        except (EnvironmentProblemError, NotFoundInStoreError):
            return 0


_NUMBER = re.compile("[1-9][0-9]{0,14}")
"""As it is written by `_key`: another spelling of a number is no entry."""


def find_surplus(sizes: collections.abc.Mapping[int, int], of_containers: collections.abc.Set[int]) -> tuple[int, ...]:
    """The numbers of the entries that go: of containers those beyond their own bound, then the oldest. The newest
    stays, however large it is. sizes: number -> bytes. Pure."""
    numbers = sorted(sizes)
    quick = [number for number in numbers[:-1] if number in of_containers]
    gone = quick[: max(len(quick) - MOST_OF_CONTAINERS, 0)]
    left = [number for number in numbers if number not in set(gone)]
    total = sum(sizes[number] for number in left)
    while len(left) > 1 and (len(left) > MOST_ENTRIES or total > MOST_BYTES):
        total -= sizes[left[0]]
        gone.append(left.pop(0))
    return tuple(gone)


def _key(entry: history_entry.HistoryEntry) -> str:
    return f"{PREFIX}/{entry.number}{_OF_CONTAINERS if entry.author.what == CONTAINERS else ''}"
