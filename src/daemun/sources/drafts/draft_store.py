"""The drafts in the store, one for each operator. They hold the secrets of the files, as the files do: the store is for
daemun's account alone. Blocking.
"""

import datetime
import hashlib

from daemun.control import damaged_keys, draft_port, ports, stored_values
from daemun.errors import ConfigError, StoreConflictError
from daemun.sources.drafts import draft

PREFIX = "drafts"
MOST_DRAFTS = 50
FORGOTTEN = datetime.timedelta(days=30)
_FOLLOWS = "that draft is lost; delete the file"


class DraftStore:
    def __init__(self, store: ports.Store) -> None:
        self._store = store

    def read(self, operator: str) -> draft.Draft | None:
        """None: there is none, or it is damaged, which is reported. Raises: EnvironmentProblemError."""
        return self._read(_key(operator))

    def read_newest(self, operator: str) -> tuple[draft.Draft | None, str]:
        """As `read`, what no other machine of a fleet has changed since, and its revision. Raises:
        EnvironmentProblemError."""
        key = _key(operator)
        revision = self._store.read_many([key]).revision(key)
        return self._read(key), revision

    def list_all(self) -> list[draft.Draft]:
        """Those that were changed last come first."""
        found = [one for key in self._store.list(PREFIX) if (one := self._read(key)) is not None]
        return sorted(found, key=lambda one: one.changed_at, reverse=True)

    def write(self, one: draft.Draft) -> None:
        """Raises: ConfigError when it is too large, or there are too many; StaleDraftError when another was kept since
        it was read; EnvironmentProblemError."""
        if one.size > draft.LARGEST_BYTES:
            raise ConfigError(
                f"cannot keep the draft: its texts, before and after, have more than {draft.LARGEST_BYTES >> 20} MB; "
                "apply a part of it first, or edit the files by hand"
            )
        if len(one.files) > draft.MOST_FILES:
            raise ConfigError(f"cannot keep the draft: it changes more than {draft.MOST_FILES} files; apply it first")
        key = _key(one.operator)
        if len(keys := self._store.list(PREFIX)) >= MOST_DRAFTS and key not in keys and not self._drop_forgotten(one):
            raise ConfigError(
                f"cannot keep the draft: {MOST_DRAFTS} operators have one already; let somebody apply or "
                "discard one, which the role `own` can do for others"
            )
        self._change(key, draft.encode(one), one.revision)

    def _drop_forgotten(self, new: draft.Draft) -> bool:
        """Delete the draft that was not changed for the longest time, if that is long: its operator may be gone."""
        oldest = next(reversed(self.list_all()), None)
        if oldest is None or new.changed_at - oldest.changed_at < FORGOTTEN:
            return False
        self.delete(oldest.operator)
        return True

    def delete(self, operator: str, revision: str | None = None) -> None:
        """Nothing happens where there is none. revision: as of `Draft`. Raises: as `write`."""
        if revision != stored_values.ABSENT:
            self._change(_key(operator), None, revision)

    def _change(self, key: str, value: bytes | None, revision: str | None) -> None:
        try:
            self._store.commit([stored_values.KeyChange(key=key, value=value, expected=revision)])
        except StoreConflictError as error:
            raise draft_port.StaleDraftError(
                "cannot change the draft: it was changed at this moment by another tab, on another machine of the "
                "fleet; load it again and repeat what you changed"
            ) from error

    def _read(self, key: str) -> draft.Draft | None:
        return damaged_keys.read(self._store, key, draft.decode, follows=_FOLLOWS)


def _key(operator: str) -> str:
    """Names of users may have any letters, and keys may not (`store.keys`)."""
    return f"{PREFIX}/{hashlib.sha256(operator.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"
