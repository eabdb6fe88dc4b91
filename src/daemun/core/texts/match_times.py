r"""Whether an expression can take long to match, as a visitor chooses the path. Pure.

A path has up to 8,000 characters (large_client_header_buffers). Each repetition that can share its text out with what
follows it multiplies the tries by that; two of them take a tenth of a second at worst, three take seconds. PCRE's own
limit (10,000,000 tries) came after 8.6 s for `.*a.*b.*c.*d$`. So at most two are taken, and where the expression may
begin anywhere in a path, that is one of them.
"""

import collections.abc
import re

from daemun.core.texts import patterns, words

MOST_SHARING = 2
_MOST_OPTIONAL = 10
"""Each may double the tries."""
_FEW = 8
"""A repetition of a few times is like an option; one of more, like any number of times."""

_Token = tuple[str, str]
_ENDLESS = 1 << 30


def find_cause(expression: str) -> str | None:
    """Why an accepted expression is refused, in words that follow it."""
    tokens = list(patterns.tokens(expression))
    return _find_repeated_choice(tokens) or _find_sharing(tokens)


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


def _find_sharing(tokens: list[_Token]) -> str | None:
    sharing, optional = 0 if _is_anchored(tokens) else 1, 0
    for index, (kind, text) in enumerate(tokens):
        if kind != "repeat":
            continue
        least, most = _times(text)
        if most - least > _FEW:
            sharing += _shares(tokens, index)
        elif least != most:
            optional += 1
    if sharing > MOST_SHARING:
        return (
            f"holds {sharing} parts of any length that could share a path out in many ways, at most {MOST_SHARING}; "
            "begin with ^, and write [^/]+ and a slash where that is meant instead of .*"
        )
    if optional > _MOST_OPTIONAL:
        return f"holds {optional} optional parts, at most {_MOST_OPTIONAL}; write several routes"
    return None


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
    while following < len(tokens) and tokens[following][0] in {"open", "close"}:
        kind, text = tokens[following]
        is_repeated = tokens[following + 1 : following + 2] and tokens[following + 1][0] == "repeat"
        if text in {"(?=", "(?!"} or (kind == "close" and is_repeated):
            return True
        if kind == "open" and any(one in {"either", "repeat"} for one, _ in _group(tokens, following)):
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
