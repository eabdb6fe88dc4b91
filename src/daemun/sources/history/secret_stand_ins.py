"""The files of a configuration with something harmless in the place of each secret, so that nginx's files can be made
of them. Pure.

No text of a secret is in them, and of a list of users with hashed passwords the names alone. The same secret has the
same stand-in, so that a change shows, but for hashes: nginx has none of them.
"""

import collections.abc
import re

from daemun.sources.history import hidden_secrets, history_entry, secret_masks

_HASH = "$2y$05$" + "." * 53
"""Has the form of a hashed password, and is that of none."""
_HASHED = "basic_auth"
_USERS = re.compile(r"(?:^|[\s,\"'])(?P<user>[\w.@+-]{1,64}):(?=[$\{])")


def fill_entry(entry: history_entry.HistoryEntry, names: collections.abc.Mapping[str, str]) -> dict[str, bytes]:
    """The files of an entry that is whole. names: of secrets that are known, as they are written."""
    known = {name: written for written, name in names.items()}
    return {
        one.name: secret_masks.fill(
            one.text or "", [_stand_in(kept.name, kept.path, known.get(kept.name)) for kept in one.secrets]
        ).encode()
        for one in entry.files
    }


def fill_files(masked: hidden_secrets.MaskedFiles, names: collections.abc.Mapping[str, str]) -> dict[str, bytes]:
    """The same of files that are YAML."""
    return {
        name: secret_masks.fill(
            one.text, [_stand_in(names.get(held.written, "new"), held.path, held.written) for held in one.secrets]
        ).encode()
        for name, one in masked.items()
        if one is not None
    }


def _stand_in(name: str, path: str, written: str | None) -> str:
    """written: None: it is known no more."""
    token = f"hidden-{name.replace('.', '-')}"
    _, is_hashed, below = path.rpartition(_HASHED)
    if is_hashed and not path.startswith("# "):
        # `users` and `basic_auth` may be one text, of lines or words.
        users = [match["user"] for match in _USERS.finditer(written or "")] or ["hidden"]
        is_list = below in {"", ".users"}
        return '"' + ",".join(f"{user}:{_HASH}" for user in users) + '"' if is_list else f'"{_HASH}"'
    # Of alerts it may have to be a URL, and may be one everywhere.
    if path.startswith("alerts.") or (written or "").strip("\"'").startswith(("http://", "https://")):
        return f"https://{token}.invalid/"
    return token
