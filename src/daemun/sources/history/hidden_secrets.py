"""Files without their secrets, and which name stands for which secret, found again from files that hold them."""

import collections.abc

from daemun.sources.history import history_entry, secret_masks

MaskedFiles = collections.abc.Mapping[str, secret_masks.MaskedText | None]
MaskAll = collections.abc.Callable[[history_entry.Files], MaskedFiles]
MOST_COMPARED = 20
"""The newest entries that are compared with files."""


def mask_all(files: history_entry.Files) -> dict[str, secret_masks.MaskedText | None]:
    return {name: secret_masks.mask(content) for name, content in files.items()}


class Masker:
    """As `mask_all`, again and again: of what did not change since the last time, nothing is read. It keeps state,
    without effect on results. Not thread-safe."""

    def __init__(self) -> None:
        self._files: history_entry.Files = {}
        self._masked: dict[str, secret_masks.MaskedText | None] = {}
        self._sites: dict[str, secret_masks.KnownSites] = {}

    def mask_all(self, files: history_entry.Files) -> dict[str, secret_masks.MaskedText | None]:
        self._sites = {name: self._sites.get(name) or secret_masks.KnownSites() for name in files}
        self._masked = {
            name: self._masked[name]
            if self._files.get(name) == content
            else secret_masks.mask(content, self._sites[name])
            for name, content in files.items()
        }
        self._files = dict(files)
        return dict(self._masked)


def find_names(entry: history_entry.HistoryEntry, masked: MaskedFiles) -> dict[str, str] | None:
    """The name of each secret, as it is written, where these files are those of an entry. None: they are not."""
    found: dict[str, str] = {}
    if [one.name for one in entry.files] != list(masked):
        return None
    for kept in entry.files:
        one = masked[kept.name]
        if one is None or one.text != kept.text or len(one.secrets) != len(kept.secrets):
            return None
        found |= {secret.written: same.name for secret, same in zip(one.secrets, kept.secrets, strict=True)}
    return found


def label(name: str | None) -> str:
    """What people see in place of a secret. Another name is another secret."""
    return "(hidden, new)" if name is None else f"(hidden {name})"


def show_entry(entry: history_entry.HistoryEntry) -> dict[str, str]:
    """The texts of an entry's files, for people."""
    return {
        one.name: "" if one.text is None else secret_masks.fill(one.text, [label(kept.name) for kept in one.secrets])
        for one in entry.files
    }


def show_files(masked: MaskedFiles, names: collections.abc.Mapping[str, str]) -> dict[str, str]:
    """The same of files. names: of their secrets, where they are known."""
    return {
        name: "" if one is None else secret_masks.fill(one.text, [label(names.get(s.written)) for s in one.secrets])
        for name, one in masked.items()
    }
