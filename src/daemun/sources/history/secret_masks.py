"""The text of daemun.yaml, or of a file that it includes, without its secrets, and with them again. Pure.

What is secret follows from the options (`core.options.secret_fields`), from names (`token:` below `x-`, `Authorization`
of a header) and from the form of a text wherever it stands, in comments too: hashes of passwords, private keys,
passwords in URLs. A name of a secret's place (`${NAME}`, `env:NAME`, `{file: PATH}`) is none. Everything else stays
byte for byte.
"""

import bisect
import collections.abc
import dataclasses
import itertools
import re
import typing

from ruamel import yaml

from daemun.core.options import secret_fields
from daemun.sources import yaml_cutting, yaml_excerpt, yaml_positions

_MARK = "\0"
"""Around the number of a secret in a masked text: no YAML holds it (`yaml_positions.decode`)."""
_MARKED = re.compile(f"{_MARK}([0-9]+){_MARK}")
_PLACE = re.compile(
    r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::?\?[^}]*)?\}|file:(?!:)[^\n]*|env:\s*[A-Za-z_][A-Za-z0-9_]*\s*", re.ASCII
)
_PLACES = frozenset({"env", "file"})
_NAMES_OF_HOSTS = frozenset({"sites", "streams"})
_PRESENT = r"[\w-]*(?:authorization|cookie|token|secret|passw|api-?key)[\w-]*"
_BY_FORM = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?P<secret>.*?)-----END", re.DOTALL),
    re.compile(r"://[^\s/@:\"']*:(?P<secret>[^\s/@\"']+)@"),
    re.compile(r"\b(?:Bearer|Basic)\s+(?P<secret>[A-Za-z0-9._~+/=-]{6,})"),
    re.compile(
        r"(?P<secret>\$(?:argon2[a-z]*|2[abxy]|apr1|[1567]|y|gy|scrypt|s0|bcrypt|pbkdf2)[\w-]*\$[^\s\"'\\;}\]]+|"
        r"\{S?SHA[0-9]*\}[A-Za-z0-9+/=]+)"
    ),
    re.compile(
        r"[?&](?:\w*token|key|api_?key|secret|password|auth|sig|signature)=(?P<secret>[^&\s\"'#]+)", re.IGNORECASE
    ),
    re.compile(rf"\b\w+_set_header\s+[\"']?{_PRESENT}[\"']?\s+(?P<secret>[^;\n]+);", re.IGNORECASE),
    re.compile(
        r"#[^\n]*?[\w.-]*(?:passw|passphrase|secret|token|api_?key|hmac_?key)[\w.-]*[\"']?\s*[:=]\s*(?P<secret>[^\s#][^\n]*)",
        re.IGNORECASE,
    ),
)
_TELLING = re.compile(r"(?!.*\.[a-z]{2,}\Z)[^\s@:]{8,}")
"""A secret that is looked for in the whole text: no host, no address of mail, no URL."""
_HINTS = (
    *("pass", "secret", "token", "key", "credential", "authorization", "cookie", '":', "':"),
    *secret_fields.find_holders(),
)
"""What a site without secrets in its keys lacks: most of a long file need not be read as YAML."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """path: where it stands, for people and to find it again. written: as it is written there, with quotes."""

    path: str
    written: str

    @property
    def is_in_comment(self) -> bool:
        return self.path.startswith("# ")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """text: with the place of each secret, in their order."""

    text: str
    secrets: tuple[Secret, ...]


def mask(content: bytes) -> Masked | None:
    """None: what is no YAML, in which secrets cannot be found for sure."""
    text = yaml_positions.decode(content, [])
    if text is None:
        return None
    try:
        found = _find(text)
    except (yaml.error.YAMLError, RecursionError, ValueError, LookupError, AttributeError, TypeError):
        return None
    pieces, end = ["\ufeff" if content.startswith(b"\xef\xbb\xbf") else ""], 0
    secrets: list[Secret] = []
    for start, stop, path in found:
        pieces += [text[end:start], f"{_MARK}{len(secrets)}{_MARK}"]
        secrets.append(Secret(path=path, written=text[start:stop]))
        end = stop
    return Masked(text="".join([*pieces, text[end:]]), secrets=tuple(secrets))


def fill(text: str, written: collections.abc.Sequence[str]) -> str:
    """A masked text with these in place of its secrets."""
    return _MARKED.sub(lambda match: written[int(match[1])], text)


HIDDEN = "(hidden)"


def hide(message: str, written: collections.abc.Iterable[str]) -> str:
    """A message without secrets. written: those of the files, as they are written there."""
    for one in sorted({text.strip("\"'") for text in written}, key=len, reverse=True):
        if _TELLING.fullmatch(one):
            message = message.replace(one, HIDDEN)
    for pattern in _BY_FORM:
        message = pattern.sub(_hide_in, message)
    return message


def _hide_in(match: re.Match[str]) -> str:
    start, end = (one - match.start() for one in match.span("secret"))
    return f"{match[0][:start]}{HIDDEN}{match[0][end:]}"


# --- where they stand ------------------------------------------------------------------------------------------

_Span = tuple[int, int, str]


def _find(text: str) -> list[_Span]:
    """From the first to the last, none within another."""
    spans: dict[tuple[int, int], str | None] = {(start, stop): path for start, stop, path in _find_in_yaml(text)}
    for value in {text[start:stop].strip("\"'") for start, stop in spans}:
        if _TELLING.fullmatch(value):
            for match in re.finditer(re.escape(value), text):
                spans.setdefault(match.span())
    for pattern in _BY_FORM:
        for match in pattern.finditer(text):
            if _PLACE.fullmatch(match["secret"].strip("\"' \t}],")) is None:
                spans.setdefault(match.span("secret"))
    found: list[_Span] = []
    for (start, stop), path in sorted(spans.items(), key=lambda one: (one[0][0], -one[0][1])):
        if found and start < found[-1][1]:
            # Of two that overlap one reaches from the first to the last.
            first, last, named = found[-1]
            found[-1] = (first, max(last, stop), named)
        elif stop > start:
            found.append((start, stop, path or _line_before(text, start, found[-1][1] if found else 0)))
    return found


def _line_before(text: str, start: int, least: int) -> str:
    """What is in its line before it, which is the same in another version of the file as a rule. least: where the
    last secret ends."""
    line = text[max(text.rfind("\n", 0, start) + 1, least) : start]
    return f"# {line.strip().lstrip('# ')}"


def _find_in_yaml(text: str) -> collections.abc.Iterator[_Span]:
    lines = text.split("\n")
    kept = _find_lines(text, lines)
    offsets, at = [], 0
    for line in lines:
        offsets.append(at)
        at += len(line) + 1
    node = yaml_positions.compose("\n".join(lines[number] for number in kept) if len(kept) < len(lines) else text)
    if node is None:
        return

    def place(mark: yaml.error.StreamMark) -> int:
        if len(kept) == len(lines):
            return int(mark.index)
        return int(offsets[kept[mark.line]] + mark.column) if mark.line < len(kept) else len(text)

    for scalar, path in _Walk().run(node):
        start, stop = place(scalar.start_mark), place(scalar.end_mark)
        # A block's end is behind the line breaks that follow it.
        body = text[start:stop].rstrip(" \n") if scalar.style in {"|", ">"} else text[start:stop]
        yield start, start + len(body), path


def _find_lines(text: str, lines: list[str]) -> list[int]:
    """Those that are read as YAML: all but the sites of a long file that nothing hints at."""
    starts = yaml_excerpt.find_starts(lines) if len(lines) > yaml_excerpt.FEW_LINES else []
    if not starts or not yaml_cutting.can_be_cut(text):
        return [*range(len(lines))]
    hinted = _find_hinted(text)
    kept = [*range(starts[0])]
    for first, last in itertools.pairwise(starts):
        if not hinted.isdisjoint(range(first, last)):
            kept += range(first, last)
    return [*kept, *range(starts[-1], len(lines))]


def _find_hinted(text: str) -> set[int]:
    """The numbers of the lines in which a key may be that of a secret."""
    lowered = text.lower()
    breaks = [match.start() for match in re.finditer("\n", lowered)]
    return {
        bisect.bisect_left(breaks, match.start())
        for word in _HINTS
        if word in lowered
        for match in re.finditer(re.escape(word), lowered)
    }


class _Walk:
    """Finds the values of a document that are secrets."""

    def __init__(self) -> None:
        self._seen: dict[int, frozenset[int]] = {}
        self._found: dict[int, tuple[yaml.nodes.ScalarNode, str]] = {}

    def run(self, node: yaml.nodes.Node) -> collections.abc.Iterable[tuple[yaml.nodes.ScalarNode, str]]:
        self._visit(node, (), (), is_secret=False)
        return self._found.values()

    def _visit(
        self, node: typing.Any, path: tuple[str, ...], fields: tuple[secret_fields.Field, ...], *, is_secret: bool
    ) -> None:
        # An alias is the node itself: once more only where it may mean something else, and never without end.
        known = self._seen.get(id(node), frozenset())
        here = frozenset(map(id, fields)) | {is_secret}
        if here <= known or len(path) > yaml_positions.MAX_DEPTH:
            return
        self._seen[id(node)] = known | here
        is_secret = is_secret or any(field.is_secret for field in fields)
        if isinstance(node, yaml.nodes.ScalarNode):
            if (is_secret or any(field.can_be_short for field in fields)) and _is_written(node):
                self._found.setdefault(id(node), (node, ".".join(path)))
        elif isinstance(node, yaml.nodes.SequenceNode):
            for index, item in enumerate(node.value):
                self._visit(item, (*path, str(index)), fields, is_secret=is_secret)
        elif isinstance(node, yaml.nodes.MappingNode) and not (is_secret and _is_place(node)):
            for key, value in node.value:
                self._visit_entry(key, value, path, fields, is_secret=is_secret)

    def _visit_entry(
        self,
        key: typing.Any,
        value: typing.Any,
        path: tuple[str, ...],
        fields: tuple[secret_fields.Field, ...],
        *,
        is_secret: bool,
    ) -> None:
        name = str(key.value) if isinstance(key, yaml.nodes.ScalarNode) else "?"
        if str(key.tag).endswith(":merge"):
            self._visit(value, path, fields, is_secret=is_secret)
            return
        below = [one for one in (field.find(name) for field in fields) if one is not None]
        if path not in {(one,) for one in _NAMES_OF_HOSTS}:
            option = secret_fields.find_all().get(name)
            below += () if option is None else (option,)
            is_secret = is_secret or secret_fields.is_named_so(name)
        self._visit(value, (*path, name), tuple(below), is_secret=is_secret)


def _is_place(node: yaml.nodes.MappingNode) -> bool:
    """Whether it is where a secret is, {env: NAME} or {file: PATH}."""
    names = [str(key.value) for key, _ in node.value]
    return len(names) == 1 and names[0] in _PLACES


def _is_written(node: yaml.nodes.ScalarNode) -> bool:
    text = str(node.value)
    is_nothing = not text or str(node.tag).endswith((":null", ":bool"))
    return not is_nothing and _PLACE.fullmatch(text) is None
