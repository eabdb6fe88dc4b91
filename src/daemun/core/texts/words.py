"""How messages quote what was found and guess what was meant. Pure."""

import collections.abc
import difflib
import itertools
import json
import re

_SHOWN = 80
_NEAR = 0.75
"""Of difflib's ratio. "atuo" and "auto" have just that; "auth" and "health", which have nothing to do with each other,
0.6, which is difflib's own limit."""
_TELLING = 4
"""So many letters of a word identify it."""


_HIDDEN = "***"
_PORT = r"[0-9]{1,5}(?:[/?#\s\"]|\Z)"
_OF_URL = re.compile(rf"""(?<=://)(?:[^/?#\s"'`]+|[^\s"'`/?#:@]*:(?!{_PORT})[^\s"'`]*)@""")
"""RFC 3986 section 3.2.1. A "/" ends the authority; in a password it is what people write by mistake."""
_OF_SERVER = re.compile(rf"""\A\s*[^\s"'`/?#:@]+:(?!{_PORT})[^\s"'`]*@""")


def without_credentials(text: str) -> str:
    """The text with "***" for the name and the password of each URL: lists and logs show it."""
    return _OF_URL.sub(f"{_HIDDEN}@", text)


def without_credentials_of_server(text: str) -> str:
    """The same, of a server that may lack its scheme: "user:password@host"."""
    return without_credentials(text) if "://" in text else _OF_SERVER.sub(f"{_HIDDEN}@", text)


def quoted(text: str, *, at_most: int | None = _SHOWN) -> str:
    """The text in quotes, control characters escaped, cut after so many characters, without the credentials of URLs:
    safe on a terminal and in a log."""
    text = without_credentials(text)
    shown = text if at_most is None or len(text) <= at_most else text[: at_most - 1] + "…"
    written = json.dumps(shown, ensure_ascii=False)  # which leaves some that do not show, such as U+007F and U+2028
    return "".join(char if char.isprintable() else _escape(char) for char in written)


def describe(value: object) -> str:
    """A value as a person would call it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {str(value)[:40]}"
        case str():
            return f"the text {quoted(value)}"
        case list():
            return "a list"
        case _:
            return "a map"


def listed(words: collections.abc.Iterable[str], *, last: str = "or") -> str:
    """ "a, b or c"."""
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"


def guess(word: str, known: collections.abc.Iterable[str]) -> str:
    """'; did you mean "ports"?' when a known word is so near that it can only be a slip, else ''."""
    near = nearest(word, known)
    return f"; did you mean {quoted(near)}?" if near is not None else ""


def nearest(word: str, known: collections.abc.Iterable[str]) -> str | None:
    """The known word that a slip of the hand, or another way to write it ("max-body"), has made this one of."""
    every = list(known)
    same = [one for one in every if letters(one) == letters(word)]
    near = same or difflib.get_close_matches(word, every, cutoff=_NEAR)
    if not near and len(letters(word)) >= _TELLING:  # "sha256" for "hmac-sha256"
        near = [one for one in every if letters(one).startswith(letters(word)) or letters(one).endswith(letters(word))]
    return max(near, key=lambda one: _likeness(one, word)) if near else None


def _likeness(one: str, other: str) -> tuple[float, int]:
    """Of words that are equally near, the one that begins alike: "hosts" is meant to be "host", not "hsts"."""
    alike = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return difflib.SequenceMatcher(None, one, other).ratio(), sum(1 for _ in alike)


def letters(word: str) -> str:
    """The word without case and signs: what stays the same where people write it in another style."""
    return "".join(char for char in word.lower() if char.isalnum())


def _escape(char: str) -> str:
    """As JSON writes it."""
    return json.dumps(char)[1:-1] if ord(char) > 0x7F else f"\\u{ord(char):04x}"
