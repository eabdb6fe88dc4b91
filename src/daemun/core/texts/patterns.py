r"""Regular expressions that strangers may give for hosts and paths. Pure.

nginx compiles them with PCRE, and one that does not compile, that defines a variable of ours (`(?<name>...)`), or that
takes ages to match would hurt every site. So only a subset is accepted: literals, escapes of signs, `\d \w \s \b` and
their opposites, classes, groups, alternatives, look-ahead, anchors and repetitions, but no repetition of a repetition.
Groups capture nothing when they are written (`written`): a capture would be a variable.
"""

import collections.abc
import dataclasses
import re

from daemun.core.texts import words

MAX_CHARACTERS = 400
MAX_HOST_CHARACTERS = 255
MAX_REPETITIONS = 8
"""Of any number of times, in one expression: each may multiply the time a match takes."""

_TOKEN = re.compile(
    r"""
      (?P<escape>\\(?:[dDwWsSbB]|[^A-Za-z0-9]))
    | (?P<set>\[\^?\]?(?:[^\]\[\\]|\\(?:[dDwWsS]|[^A-Za-z0-9]))*\])
    | (?P<open>\((?:\?(?::|=|!|P?<[A-Za-z_][A-Za-z0-9_]{0,31}>)|(?!\?)))
    | (?P<close>\))
    | (?P<repeat>(?:[*+?]|\{[0-9]{1,3}(?:,[0-9]{0,3})?\})[?+]?)
    | (?P<either>\|)
    | (?P<anchor>[\^$])
    | (?P<char>[^\\\[\](){}*+?|^$])
    """,
    re.VERBOSE,
)
_CAPTURING = re.compile(r"\((?:\?P?<.*>)?\Z")


def check(expression: str) -> str | None:
    """Why an expression is refused, in words that follow it; None when it is accepted."""
    return _check_text(expression) or _check_structure(expression) or _check_compiles(expression)


def _check_text(expression: str) -> str | None:
    if not expression:
        return "is empty"
    if len(expression) > MAX_CHARACTERS:
        return f"is too long: {len(expression)} characters, at most {MAX_CHARACTERS}"
    if not expression.isascii() or any(char <= " " or char == "\x7f" for char in expression):
        return "holds white space, a control character or a letter beyond ASCII; write an escape such as \\s or ."
    return None


def _check_structure(expression: str) -> str | None:
    reading = _Reading()
    position = 0
    while position < len(expression):
        token = _TOKEN.match(expression, position)
        if token is None:
            rest = words.quoted(expression[position : position + 12])
            return f"holds {rest}, which is not in the part of regular expressions that is accepted here"
        cause = reading.take(token.lastgroup or "", token.group())
        if cause is not None:
            return cause
        position = token.end()
    return reading.end()


@dataclasses.dataclass(slots=True)
class _Reading:
    """What was read so far. repeats: per open group, whether it repeats something any number of times."""

    repeats: list[bool] = dataclasses.field(default_factory=lambda: [False])
    endless: int = 0
    before: str = ""
    closed_repeats: bool = False

    def take(self, kind: str, text: str) -> str | None:
        """The next token. Returns: what is wrong with it."""
        before, self.before = self.before, kind
        if kind == "open":
            self.repeats.append(False)
        elif kind == "close":
            return self._close()
        elif kind == "repeat":
            return self._repeat(before, text)
        return None

    def _close(self) -> str | None:
        if len(self.repeats) == 1:
            return 'closes a group that is not open: ")"'
        self.closed_repeats = self.repeats.pop()
        self.repeats[-1] = self.repeats[-1] or self.closed_repeats
        return None

    def _repeat(self, before: str, text: str) -> str | None:
        if before not in {"escape", "set", "close", "char"}:
            return f"repeats nothing: {words.quoted(text)}"
        if not _is_endless(text):
            return None
        if before == "close" and self.closed_repeats:
            return f"repeats a repetition ({words.quoted(text)} behind a group), which can take ages to match"
        self.repeats[-1] = True
        self.endless += 1
        return None

    def end(self) -> str | None:
        if len(self.repeats) > 1:
            return 'opens a group that is never closed: "("'
        if self.endless > MAX_REPETITIONS:
            return f"holds {self.endless} repetitions, at most {MAX_REPETITIONS}"
        return None


def _check_compiles(expression: str) -> str | None:
    try:
        re.compile(written(expression))
    except re.error as error:
        return f"is not a regular expression: {error}"
    return None


def written(expression: str) -> str:
    """An accepted expression without captures."""
    return "".join(
        "(?:" if token.lastgroup == "open" and _CAPTURING.match(token.group()) else token.group()
        for token in _TOKEN.finditer(expression)
    )


def matches(expression: str, host: str) -> bool:
    """Whether an accepted expression is found in the host. What is too long to be a host matches nothing."""
    return len(host) <= MAX_HOST_CHARACTERS and re.search(written(expression), host) is not None


def tokens(expression: str) -> collections.abc.Iterator[tuple[str, str]]:
    """The parts of an accepted expression, with the kind of each ("open", "close", "repeat", "either", ...)."""
    return ((token.lastgroup or "", token.group()) for token in _TOKEN.finditer(expression))


def split_path(path: str) -> tuple[str, str] | None:
    """nginx's sign ("~" or "~*") and the expression of a route's path; None when it is a prefix."""
    if not path.startswith("~"):
        return None
    sign = "~*" if path.startswith("~*") else "~"
    return sign, path.removeprefix(sign)


def _is_endless(repeat: str) -> bool:
    """Many times is like any number of times."""
    if repeat[0] in "*+":
        return True
    if repeat[0] == "?":
        return False
    least, comma, most = repeat.rstrip("?+").strip("{}").partition(",")
    return (bool(comma) and not most) or int(most or least) > 64


def is_among(host: str, names: tuple[str, ...]) -> bool:
    """Whether a host, as nginx has it ($host), is one of a site with these names."""
    for name in names:
        if name.startswith("~"):
            if matches(name[1:], host):
                return True
        elif name.startswith("*."):
            if host.endswith(name[1:]) and len(host) >= len(name):
                return True
        elif name.endswith(".*"):
            if host.startswith(name[:-1]) and len(host) >= len(name):
                return True
        elif host == name:
            return True
    return False
