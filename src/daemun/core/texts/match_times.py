r"""Whether an expression can take long to match, as a visitor chooses the host and the path. Pure.

nginx matches both, and Python matches hosts in the daemon and in the judge, where nothing ends a match. A path, like
the Host header, has up to 8,000 characters (large_client_header_buffers). Each repetition that can share its text out
with what follows it multiplies the tries by that; two of them take a tenth of a second at worst, three take seconds.
PCRE's own limit (10,000,000 tries) came after 8.6 s for `.*a.*b.*c.*d$`. So at most two are taken, and where the
expression may begin anywhere in a path, that is one of them.
"""

import collections.abc
import dataclasses
import re

from daemun.core.texts import patterns, words

MOST_SHARING = 2
_MOST_OPTIONAL = 10
"""Each may double the tries."""
_MOST_OPTIONAL_WITH_SHARING = 3
"""Where `MOST_SHARING` parts multiply the tries already."""
_MOST_BYTES = 16_000
"""PCRE takes 65,535 bytes of a compiled expression, and writes a group that is repeated out as often as that."""
_BYTES_OF_A_CLASS = 34
_BYTES_OF_A_GROUP = 12
_FEW = 8
"""A repetition of a few times is like an option; one of more, like any number of times."""

_Token = tuple[str, str]
_ENDLESS = 1 << 30
_EDGES = frozenset({r"\b", r"\B"})
"""They take no text."""
_SIGNS = frozenset(map(chr, range(129)))
"""Those of ASCII, and one for all others."""


def find_cause(expression: str) -> str | None:
    """Why an accepted expression is refused, in words that follow it."""
    tokens = list(patterns.tokens(expression))
    factors = _factors(tokens)
    return _find_size(tokens, factors) or _find_repeated_choice(tokens) or _find_sharing(tokens, factors)


def _factors(tokens: list[_Token]) -> list[int]:
    """How often each part stands in the expression when the repetitions of the groups around it are written out."""
    factors, factor, ends = [1] * len(tokens), 1, list[int]()
    for index in reversed(range(len(tokens))):
        kind, _ = tokens[index]
        if kind == "close":
            ends.append(factor)
            behind = tokens[index + 1 : index + 2]
            if behind and behind[0][0] == "repeat":
                least, most = _times(behind[0][1])
                factor *= max(least, 1) if most == _ENDLESS else max(most, 1)
        factors[index] = factor
        if kind == "open":
            factor = ends.pop()
    return factors


def _find_size(tokens: list[_Token], factors: list[int]) -> str | None:
    sizes = {"set": _BYTES_OF_A_CLASS, "open": _BYTES_OF_A_GROUP, "repeat": 6}
    size = sum(sizes.get(kind, 2) * factor for (kind, _), factor in zip(tokens, factors, strict=True))
    if size <= _MOST_BYTES:
        return None
    return "repeats groups so often that it is too large to compile; repeat them less often, or use + or *"


def _find_repeated_choice(tokens: list[_Token]) -> str | None:
    """`(a|aa)+` and `(a?a)+` try every way to share a text out."""
    choices, closed, before = [False], False, ""
    for kind, text in tokens:
        if kind == "open":
            choices.append(False)
        elif kind == "close":
            closed = choices.pop()
            choices[-1] = choices[-1] or closed
        elif kind == "repeat":
            least, most = _times(text)
            if before == "close" and closed and most > _FEW:
                return (
                    f"repeats a group with a choice in it ({words.quoted(text)}), which can take ages to match; "
                    "write what is repeated as a class such as [^/]"
                )
            choices[-1] = choices[-1] or least != most
        elif kind == "either":
            choices[-1] = True
        before = kind
    return None


def _find_sharing(tokens: list[_Token], factors: list[int]) -> str | None:
    sharing, optional = 0 if _is_anchored(tokens) else 1, _count_alike(tokens, factors)
    for index, (kind, text) in enumerate(tokens):
        if kind != "repeat":
            continue
        least, most = _times(text)
        if most - least > _FEW:
            sharing += _shares(tokens, index) * factors[index]
        elif least != most and _shares(tokens, index):
            optional += (most - least).bit_length() * factors[index]
    if sharing > MOST_SHARING:
        return (
            f"holds {sharing} parts of any length that could share a text out in many ways, at most {MOST_SHARING}; "
            "begin with ^, and write [^/]+ and a slash where that is meant instead of .*"
        )
    most_optional = _MOST_OPTIONAL_WITH_SHARING if sharing == MOST_SHARING else _MOST_OPTIONAL
    if optional > most_optional:
        return f"holds {optional} optional parts, at most {most_optional}; write several expressions"
    return None


def _count_alike(tokens: list[_Token], factors: list[int]) -> int:
    """How often alternatives that begin alike, as in `(a|aa)`, may double the tries."""
    found, begins = 0, [_Begins(factor=1, places=[0])]
    for index, (kind, _) in enumerate(tokens):
        if kind == "open":
            begins.append(_Begins(factor=factors[index], places=[index + 1]))
        elif kind == "either":
            begins[-1].places.append(index + 1)
        elif kind == "close":
            found += begins.pop().count(tokens)
    return found + begins.pop().count(tokens)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Begins:
    """Where the alternatives of a group begin. factor: of the group."""

    factor: int
    places: list[int]

    def count(self, tokens: list[_Token]) -> int:
        if len(self.places) == 1:
            return 0
        firsts = [_firsts(tokens, place) for place in self.places]
        alike = max(sum(sign in first for first in firsts) for sign in _SIGNS)
        return max(0, alike - 1).bit_length() * self.factor


def _firsts(tokens: list[_Token], place: int) -> frozenset[str]:
    """The signs that what stands here may begin with; all of them where it is not one sign."""
    part, behind = tokens[place : place + 1], tokens[place + 1 : place + 2]
    if not part or part[0][0] not in {"char", "escape", "set"} or part[0][1] in _EDGES:
        return _SIGNS
    if behind and behind[0][0] == "repeat" and _times(behind[0][1])[0] == 0:
        return _SIGNS
    return frozenset(sign for sign in _SIGNS if _is_of(part[0][1], sign))


def _is_anchored(tokens: list[_Token]) -> bool:
    depth = 0
    for kind, _ in tokens:
        depth += {"open": 1, "close": -1}.get(kind, 0)
        if kind == "either" and depth == 0:
            return False
    return tokens[:1] == [("anchor", "^")] or [text for _, text in tokens[:2]] == [".", "*"]


def _shares(tokens: list[_Token], index: int) -> bool:
    """Whether what is repeated before this place may also be what follows it."""
    repeated = tokens[index - 1]
    if repeated[0] == "close":
        return True
    following = index + 1
    while following < len(tokens) and (tokens[following][0] in {"open", "close"} or tokens[following][1] in _EDGES):
        kind, text = tokens[following]
        is_repeated = tokens[following + 1 : following + 2] and tokens[following + 1][0] == "repeat"
        if text in {"(?=", "(?!"} or (kind == "close" and is_repeated):
            return True
        if kind == "open":
            group = list(_group(tokens, following))
            behind = tokens[following + len(group) : following + len(group) + 1]
            if any(one in {"either", "repeat"} for one, _ in (*group, *behind)):
                return True
        following += 1
    if following == len(tokens) or tokens[following][0] == "anchor":
        return False
    kind, text = tokens[following]
    after = tokens[following + 1 : following + 2]
    if kind not in {"char", "escape", "set"} or (after and after[0][0] == "repeat" and _times(after[0][1])[0] == 0):
        return True
    return any(_is_of(repeated[1], sign) and _is_of(text, sign) for sign in map(chr, range(128)))


def _group(tokens: list[_Token], start: int) -> collections.abc.Iterator[_Token]:
    depth = 0
    for token in tokens[start:]:
        depth += {"open": 1, "close": -1}.get(token[0], 0)
        yield token
        if depth == 0:
            return


def _is_of(part: str, sign: str) -> bool:
    return re.fullmatch(f"(?s:{part})", sign, re.IGNORECASE) is not None


def _times(repeat: str) -> tuple[int, int]:
    """How often at least and at most."""
    if repeat[0] in "*+?":
        return int(repeat[0] == "+"), 1 if repeat[0] == "?" else _ENDLESS
    least, comma, most = repeat.rstrip("?+").strip("{}").partition(",")
    return int(least), int(most) if most else (_ENDLESS if comma else int(least))
