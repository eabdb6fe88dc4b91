"""One operator's draft, as it is kept. Pure.

It has the files that it changes, and nothing of the others: those are as they are on the disk, whatever happens there.
"""

import dataclasses
import datetime
import json

MOST_FILES = 200
LARGEST_BYTES = 16 << 20
"""Of the texts of one draft, before and after."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DraftFile:
    """name: from the folder of daemun.yaml. base: what it held when the draft began to change it; None: there was none.
    text: what it is to hold."""

    name: str
    base: bytes | None
    text: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """operator: whose it is (`find_owner`). began_at, changed_at: aware UTC. revision: of the store, if it was read to
    be changed; None: it is kept whatever is there."""

    operator: str
    began_at: datetime.datetime
    changed_at: datetime.datetime
    files: tuple[DraftFile, ...] = ()
    revision: str | None = dataclasses.field(default=None, compare=False)

    def find(self, name: str) -> DraftFile | None:
        return next((one for one in self.files if one.name == name), None)

    def with_text(self, name: str, text: bytes, base: bytes | None) -> "Draft":
        """base: what the file holds now, where the draft does not change it yet. A text that is what it was is no
        change."""
        known = self.find(name)
        base = known.base if known is not None else base
        others = tuple(one for one in self.files if one.name != name)
        if text == base:
            return dataclasses.replace(self, files=others)
        file = DraftFile(name=name, base=base, text=text)
        if known is None:
            return dataclasses.replace(self, files=(*others, file))
        return dataclasses.replace(self, files=tuple(file if one.name == name else one for one in self.files))

    @property
    def size(self) -> int:
        return sum(len(one.base or b"") + len(one.text) for one in self.files)


def encode(draft: Draft) -> bytes:
    files = [
        {"name": one.name, "base": None if one.base is None else _text(one.base), "text": _text(one.text)}
        for one in draft.files
    ]
    held = {
        "operator": draft.operator,
        "began_at": draft.began_at.isoformat(),
        "changed_at": draft.changed_at.isoformat(),
        "files": files,
    }
    return json.dumps(held, separators=(",", ":")).encode()


def decode(content: bytes) -> Draft:
    """Raises: ValueError, LookupError, TypeError or AttributeError when it is damaged."""
    held = json.loads(content)
    began_at, changed_at = (datetime.datetime.fromisoformat(held[key]) for key in ("began_at", "changed_at"))
    if began_at.tzinfo is None or changed_at.tzinfo is None:
        raise ValueError("a time without a zone")
    return Draft(
        operator=str(held["operator"]),
        began_at=began_at,
        changed_at=changed_at,
        files=tuple(
            DraftFile(
                name=str(one["name"]),
                base=None if one["base"] is None else _bytes(one["base"]),
                text=_bytes(one["text"]),
            )
            for one in held["files"]
        ),
    )


def _text(content: bytes) -> str:
    """A file that is no text is kept as it is, so that it can be replaced by one, and come back."""
    return content.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
