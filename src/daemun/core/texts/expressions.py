r"""Regular expressions for paths, and texts that use their named groups as `${name}`. Pure.

The part of PCRE that is accepted is that of `patterns`, which holds for strangers, with named groups: `(?<id>[0-9]+)`.
A group without a name is refused: nginx keeps what those match by number, and computes the length of a `rewrite`
wrongly with them (CVE-2026-42945). In nginx's files a group has a name of ours, so it can be no variable of nginx's.

How long a match can take is bounded by what an expression may be (`match_times`).

A dot stands for every sign, line breaks among them: a request with `%0A` must not get around a route that guards.
"""

import collections.abc
import re

from daemun.core.texts import cures, match_times, patterns, words

_MOST_CHARACTERS = 20
"""Of a group's name: with `_PREFIX` at most 32 (MAX_NAME_SIZE of PCRE2 before 10.45)."""
_PREFIX = "daemun_part_"
EVERYTHING = "(?s)"
"""A dot stands for every sign."""


_NAMED = re.compile(r"\(\?P?<([A-Za-z_][A-Za-z0-9_]*)>\Z")
_PART = re.compile(r"\$\{([^{}$]*)\}")
_NUMBER = re.compile(r"\$(?:([1-9])|\{([1-9])\})")
_BY_NAME = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)|(?<!\$)\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NAME = re.compile(rf"[a-z_][a-z0-9_]{{0,{_MOST_CHARACTERS - 1}}}\Z")


def check(expression: str, sign: str = "", text: str = "") -> str | None:
    """Why an expression is refused, in words that follow it; None when it is accepted. sign: what stands before it.
    text: what uses its groups."""
    return patterns.check(expression) or _check_groups(expression, sign, text) or match_times.find_cause(expression)


def _check_groups(expression: str, sign: str, used_in: str) -> str | None:
    found: set[str] = set()
    for kind, text in patterns.tokens(expression):
        if kind != "open":
            continue
        if text == "(":
            if (both := name_groups(expression, used_in)) is not None:
                better, use = both
                return (
                    f"has a group without a name; write {words.quoted(sign + better)}, and {words.quoted(use)} in "
                    f"place of {words.quoted(used_in)}"
                )
            named = "".join("(?:" if one == "(" else one for _, one in patterns.tokens(expression))
            return (
                f"has a group without a name; write {words.quoted(sign + named)}, or (?<name>...) for what "
                "stands for ${name} elsewhere"
            )
        if (match := _NAMED.match(text)) is not None:
            name = match[1]
            if not _NAME.match(name):
                most = f"1 to {_MOST_CHARACTERS} of a-z, 0-9 and _"
                return f"has a group named {words.quoted(name)}; a name is {most}, and begins with no digit"
            if name in found:
                return f"has two groups named {words.quoted(name)}"
            found.add(name)
    return None


def find_groups(expression: str) -> tuple[str, ...]:
    """The names of the groups of an accepted expression."""
    matches = (_NAMED.match(text) for kind, text in patterns.tokens(expression) if kind == "open")
    return tuple(match[1] for match in matches if match is not None)


def written(expression: str) -> str:
    """An accepted expression for nginx, with names of ours."""
    return EVERYTHING + "".join(
        _NAMED.sub(lambda match: f"(?<{_PREFIX}{match[1]}>", text) if kind == "open" else text
        for kind, text in patterns.tokens(expression)
    )


def begins_at_start(expression: str) -> bool:
    """Whether an accepted expression can be found at the start of a path alone."""
    depth, is_first = 0, True
    for kind, text in patterns.tokens(expression):
        if is_first and text != "^":
            return False
        depth += {"open": 1, "close": -1}.get(kind, 0)
        is_first = kind == "either" and depth == 0
    return not is_first


def matches(expression: str, path: str, *, of_either_case: bool = False) -> bool:
    """Whether nginx finds an expression in a path. One that is refused, which may be none or take for ever, is found in
    none."""
    if patterns.check(expression) is not None or match_times.find_cause(expression) is not None:
        return False
    python = "".join(
        _NAMED.sub(r"(?P<\1>", text) if kind == "open" else text for kind, text in patterns.tokens(expression)
    )
    try:
        return re.search(EVERYTHING + python, path, re.IGNORECASE if of_either_case else 0) is not None
    except re.error:  # two groups of one name
        return False


def name_groups(expression: str, text: str) -> tuple[str, str] | None:
    """An expression with names for the groups that a text uses by number ("$1"), and the text with those. None: it
    uses none, or one that is not there."""
    used = {int(match[1] or match[2]) for match in _NUMBER.finditer(text)}
    parts: list[str] = []
    group_names: list[str] = []
    for kind, part in patterns.tokens(expression):
        named = _NAMED.match(part) if kind == "open" else None
        is_nameless = kind == "open" and part == "("
        if named is not None or is_nameless:
            group_names.append(f"part{len(group_names) + 1}" if named is None else named[1])
        better = f"(?<{group_names[-1]}>" if is_nameless and len(group_names) in used else "(?:"
        parts.append(better if is_nameless else part)
    cured = "".join(parts)
    if not used or max(used) > len(group_names) or check(cured) is not None:
        return None
    return cured, _NUMBER.sub(lambda match: f"${{{group_names[int(match[1] or match[2]) - 1]}}}", text)


# --- texts with groups -----------------------------------------------------------------------------------------


def check_parts(text: str, groups: collections.abc.Collection[str], check_text: cures.Check) -> str | None:
    """Whether each `${name}` of a text is a group, and no group is written in another way. check_text: of all else."""
    if (cause := check_spelling(text, groups, check_text)) is not None:
        return cause
    for match in _PART.finditer(text):
        if match[1] not in groups:
            choices = [f"${{{name}}}" for name in groups]
            expected = (
                f"expected {words.listed(choices)}" if choices else "its expression has no group such as (?<name>...)"
            )
            return f"uses {words.quoted(match.group())}, which is no named group of it: {expected}"
    return None


def check_spelling(
    text: str,
    groups: collections.abc.Collection[str],
    check_text: cures.Check,
    is_variable: collections.abc.Callable[[str], bool] = lambda _: False,
) -> str | None:
    """Whether a text has a group as other tools write it: "$1", "$id", "{id}". check_text: of a text with groups.
    is_variable: names that mean something else behind a dollar sign."""
    in_order = list(groups)
    found: list[str] = []

    def put_number(match: re.Match[str]) -> str:
        found.append(match.group())
        number = int(match[1] or match[2])
        return f"${{{in_order[number - 1]}}}" if number <= len(in_order) else match.group()

    def put_name(match: re.Match[str]) -> str:
        name = match[1] or match[2] or match[3]
        is_good = match[3] in in_order or (match[2] is None and is_variable(name))
        if is_good or name.lower() not in in_order:
            return match.group()
        found.append(match.group())
        return f"${{{name.lower()}}}"

    better = _NUMBER.sub(put_number, _BY_NAME.sub(put_name, text))
    if not found:
        return None
    cause = f"holds {words.quoted(found[0])}, and what a group matched is written with its name, as in ${{name}}"
    if _NUMBER.search(better) is None:
        return f"{cause}{cures.write(check_text, better)}"
    return f"{cause}; its expression has no such group as (?<name>...), and a dollar sign itself is %24"


def find_parts(text: str) -> tuple[str, ...]:
    return tuple(match[1] for match in _PART.finditer(text))


def without_parts(text: str, groups: collections.abc.Container[str] | None = None) -> str:
    """The text with something harmless for each group, for the rules of what it is. groups: as of `expand`."""
    return _PART.sub(lambda match: "x" if groups is None or match[1] in groups else match.group(), text)


def expand(
    text: str,
    literal: collections.abc.Callable[[str], str],
    groups: collections.abc.Container[str] | None = None,
) -> str:
    """The text for nginx: each group a variable, all else as `literal` writes it. groups: None: all that are named."""
    parts, end = [], 0
    for match in _PART.finditer(text):
        if groups is not None and match[1] not in groups:
            continue
        parts += [literal(text[end : match.start()]), f"${{{_PREFIX}{match[1]}}}"]
        end = match.end()
    return "".join([*parts, literal(text[end:])])
