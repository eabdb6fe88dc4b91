"""What keeps a file from being YAML, in words for people: ruamel.yaml's syntax errors."""

import re

from ruamel import yaml

from daemun.core.texts import words
from daemun.sources import yaml_words

_Found = tuple[yaml.error.StreamMark | None, str]
"""Where a person should look, and what is wrong there."""


def explain(error: yaml.error.MarkedYAMLError, text: str) -> tuple[tuple[int, int], str]:
    """The line and column (from 1) of a syntax error in a text, and its cause with what to do."""
    mark, message = _find_star(error, text) or _find_open(error, text) or _explain(error, text)
    place = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    if error.problem and _STAR not in message and any(sign in error.problem for sign in _AFTER_A_MISSING_COLON):
        found = _find_missing_colon(text.splitlines(), error)
        if found is not None:
            line, column, what = found
            return (line + 1, column + 1), what
    return place, message


_STAR = 'text that starts with "*" needs quotes'


def _find_star(error: yaml.error.MarkedYAMLError, text: str) -> _Found | None:
    """The name of a wildcard, which YAML takes for an alias, and stumbles over there or behind it."""
    for mark in (error.context_mark, error.problem_mark):
        if mark is not None and (found := _WILDCARD.match(text, mark.index)) is not None:
            name = found.group().removesuffix(":")
            return mark, f"{_STAR}: write {words.quoted(name)}" if len(name) > 1 else f'{_STAR}, as in "*.example.com"'
    return None


_WILDCARD = re.compile(r"\*[^\s,\[\]{}'\"]*")


def _find_open(error: yaml.error.MarkedYAMLError, text: str) -> _Found | None:
    """A bracket or a quote that is still open where the parser stumbles, which may be many lines below."""
    problem, context, opened, mark = error.problem or "", error.context or "", error.context_mark, error.problem_mark
    if opened is None or mark is None:
        return None
    if "unexpected end of stream" in problem and "quoted scalar" in context:
        return opened, "this quote is never closed"
    if "flow" in context and "<stream end>" in problem:
        return opened, "this bracket is never closed"
    if (quote := _find_long_quote(text, mark)) is not None:
        return (
            quote,
            f"this quote is closed by the next one only, on line {mark.line + 1}; close it where its text ends",
        )
    if "flow" in context and "expected ',' or" in problem and mark.line > opened.line:
        found = words.quoted(_word_at(text, mark))
        cause = f"this bracket is still open on line {mark.line + 1}, where {found} is unexpected"
        return opened, f'{cause}; close it, or write "," before that'
    return None


def _find_long_quote(text: str, mark: yaml.error.StreamMark) -> yaml.error.StreamMark | None:
    """Where a text in quotes starts that ends right before the mark, and began on an earlier line."""
    found = None
    if text[mark.index - 1 : mark.index] not in {"'", '"'}:
        return None
    try:
        for token in yaml.YAML(typ="safe", pure=True).scan(text):
            if token.start_mark.index >= mark.index:
                break
            is_quoted = isinstance(token, yaml.tokens.ScalarToken) and token.style in {"'", '"'}
            is_long = token.start_mark.line < mark.line and token.end_mark.index == mark.index
            found = token.start_mark if is_quoted and is_long else found
    except yaml.error.MarkedYAMLError:
        return found
    return found


def _word_at(text: str, mark: yaml.error.StreamMark) -> str:
    """What stands there, as far as the next blank."""
    return text[mark.index :].split(maxsplit=1)[0] if text[mark.index :].strip() else ""


_AFTER_A_MISSING_COLON = ("mapping values are not allowed", "could not find expected ':'")


def _find_missing_colon(lines: list[str], error: yaml.error.MarkedYAMLError) -> tuple[int, int, str] | None:
    """The line and column (from 0) where a colon is missing, and what is.

    The parser takes such a line and the next one for one text, and stumbles over the colon of the next one.
    """
    mark = error.problem_mark
    if mark is None or (mark.line < len(lines) and _COLON.search(lines[mark.line][: mark.column].strip())):
        return None
    start = min(mark.line, len(lines)) - 1
    if "mapping" not in error.problem and error.context_mark is not None:
        start = error.context_mark.line
    while start >= 0 and (not lines[start].strip() or lines[start].lstrip().startswith("#")):
        start -= 1
    line = lines[start] if start >= 0 else ""
    bare = line.split(" #")[0].rstrip()
    if not bare.strip() or _COLON.search(bare) or bare.lstrip().startswith(("- ", "{", "[", "'", '"', "|", ">")):
        return None
    if bare.endswith(";"):
        return start, len(line) - len(line.lstrip()), yaml_words.OF_NGINX
    indent = len(line) - len(line.lstrip())
    word, _, rest = bare.strip().partition(" ")
    head, colon, tail = word.partition(":")
    if tail.startswith("//"):
        return start, indent, f'expected a key before {words.quoted(word)}, such as "/: "'
    if colon and tail and not rest:
        return start, indent + len(head), f'expected a space after the ":" of {words.quoted(head)}'
    return start, indent + len(word), f'expected ":" after {words.quoted(word)}'


_COLON = re.compile(r":(?:\s|\Z)")


def _explain(error: yaml.error.MarkedYAMLError, text: str) -> _Found:
    problem, context = error.problem or "", error.context or ""
    place = error.problem_mark or error.context_mark
    for sign, meaning in _MEANINGS:
        if sign in problem:
            found = _between_quotes(problem)
            is_token = place is not None and found.startswith("<")  # a word of the parser's own: "<scalar>"
            return place, meaning.format(found=words.quoted(_word_at(text, place) if is_token else found))
    return place, f"is not YAML: {', '.join(part for part in (context, problem) if part)}"


_MEANINGS = (
    ("mapping values are not allowed", 'unexpected ":": text with ": " in it needs quotes; or check the indentation'),
    ("found character '\\t'", "a tab cannot indent; use spaces"),
    ("that cannot start any token", "text cannot start with {found}; put it in quotes"),
    ("could not find expected ':'", 'expected ":" after the key'),
    ("expected <block end>, but found '}'", 'no bracket is open that this "}}" could close; remove it'),
    ("expected <block end>, but found ']'", 'no bracket is open that this "]" could close; remove it'),
    ("expected <block end>", "this line does not fit those above it; check the indentation and the quotes"),
    ("expected alphabetic or numeric character", 'text that starts with "&" needs quotes'),
    ("found another document", 'a second document starts here ("---"); put everything into the first'),
    ("found unknown escape character", "{found} after a backslash has no meaning in double quotes; use single quotes"),
    ("maximum depth", "is nested too deeply"),
    ("<stream end>", "the file ends here, but a bracket or a value is still open"),
    ("expected the node content", "{found} is unexpected here; expected a value"),
    ("expected ',' or", '{found} is unexpected here; expected "," or the closing bracket'),
)


def _between_quotes(problem: str) -> str:
    """The last thing the parser quotes: what it found."""
    parts = problem.split("'")
    return parts[-2].replace("\\\\", "\\") if len(parts) > 2 else problem
