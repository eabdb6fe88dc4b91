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
from daemun.core.texts import secret_forms
from daemun.sources import yaml_cutting, yaml_excerpt, yaml_positions

_Span = tuple[int, int, str]
"""From, to, and where that is."""
_MARK = "\0"
"""Around the number of a secret in a masked text: no YAML holds it (`yaml_positions.decode`)."""
_MARKED = re.compile(f"{_MARK}([0-9]+){_MARK}")
_PLACE = re.compile(
    r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::?\?[^}]*)?\}|file:(?!:)[^\n]*|env:\s*[A-Za-z_][A-Za-z0-9_]*\s*", re.ASCII
)
_PLACES = frozenset({"env", "file"})
_NAMES_OF_HOSTS = frozenset({"sites", "streams"})
_TELLING = re.compile(r"(?!.*\.[a-z]{2,}\Z)[^\s@:]{8,}")
"""A secret that is looked for in the whole text: no host, no address of mail, no URL."""
_HINTS = ("pass", "secret", "token", "key", "credential", "authorization", "cookie", '":', "':")
"""What a site without secrets in its keys lacks, as it lacks `secret_fields.find_holders`: most of a long file need not
be read as YAML."""
_FEW_VALUES = 20
"""So many secrets are looked for in the whole text one after another."""
_LEAST_VALUE = 8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoundSecret:
    """path: where it stands, for people and to find it again. written: as it is written there, with quotes."""

    path: str
    written: str

    @property
    def is_in_comment(self) -> bool:
        return self.path.startswith("# ")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MaskedText:
    """text: with the place of each secret, in their order."""

    text: str
    secrets: tuple[FoundSecret, ...]


class KnownSites:
    """The secrets of a file's sites by their lines, so that those which did not change are not read again. It keeps
    state, without effect on results. Not thread-safe."""

    def __init__(self) -> None:
        self.spans: dict[str, tuple[_Span, ...]] = {}


def mask(content: bytes, cached: KnownSites | None = None) -> MaskedText | None:
    """None: what is no YAML, in which secrets cannot be found for sure. cached: of the file when it was read before."""
    text = yaml_positions.decode(content, [])
    if text is None:
        return None
    try:
        found = _find(text, cached or KnownSites())
    except (yaml.error.YAMLError, RecursionError, ValueError, LookupError, AttributeError, TypeError):
        return None
    pieces, end = ["\ufeff" if content.startswith(b"\xef\xbb\xbf") else ""], 0
    secrets: list[FoundSecret] = []
    for start, stop, path in found:
        pieces += [text[end:start], f"{_MARK}{len(secrets)}{_MARK}"]
        secrets.append(FoundSecret(path=path, written=text[start:stop]))
        end = stop
    return MaskedText(text="".join([*pieces, text[end:]]), secrets=tuple(secrets))


def fill(text: str, written: collections.abc.Sequence[str]) -> str:
    """A masked text with these in place of its secrets."""
    return _MARKED.sub(lambda match: written[int(match[1])], text)


def hide(message: str, written: collections.abc.Iterable[str]) -> str:
    """A message without secrets. written: those of the files, as they are written there."""
    for one in sorted({text.strip("\"'") for text in written}, key=len, reverse=True):
        if _TELLING.fullmatch(one):
            message = message.replace(one, secret_forms.HIDDEN)
    return secret_forms.hide(message)


# --- where they stand ------------------------------------------------------------------------------------------


def _find(text: str, cached: KnownSites) -> list[_Span]:
    """From the first to the last, none within another."""
    spans: dict[tuple[int, int], str | None] = {
        (start, stop): path for start, stop, path in _find_in_yaml(text, cached)
    }
    values = {value for start, stop in spans if _TELLING.fullmatch(value := text[start:stop].strip("\"'"))}
    for span in _find_values(text, values):
        spans.setdefault(span)
    for start, stop in secret_forms.find(text):
        if _PLACE.fullmatch(text[start:stop].strip("\"' \t}],")) is None:
            spans.setdefault((start, stop))
    found, end = list[_Span](), 0
    for start, stop, path in _join(spans):
        found.append((start, stop, path or _line_before(text, start, end)))
        end = stop
    return found


def _find_values(text: str, values: collections.abc.Set[str]) -> collections.abc.Iterator[tuple[int, int]]:
    """Wherever one of these stands."""
    if len(values) <= _FEW_VALUES:
        for value in values:
            for match in re.finditer(re.escape(value), text):
                yield match.span()
        return
    by_head: dict[str, set[str]] = {}
    for value in values:
        by_head.setdefault(value[:_LEAST_VALUE], set()).add(value)
    lengths = {head: sorted({len(one) for one in some}) for head, some in by_head.items()}
    for start in range(len(text) - _LEAST_VALUE + 1):
        head = text[start : start + _LEAST_VALUE]
        if head in by_head:
            for length in lengths[head]:
                if text[start : start + length] in by_head[head]:
                    yield start, start + length


def _join(spans: collections.abc.Mapping[tuple[int, int], str | None]) -> list[tuple[int, int, str | None]]:
    """From the first to the last, none within another."""
    found: list[tuple[int, int, str | None]] = []
    for (start, stop), path in sorted(spans.items(), key=lambda one: (one[0][0], -one[0][1])):
        if found and start < found[-1][1]:
            # Of two that overlap one reaches from the first to the last.
            first, last, named = found[-1]
            found[-1] = (first, max(last, stop), named)
        elif stop > start:
            found.append((start, stop, path))
    return found


def _line_before(text: str, start: int, least: int) -> str:
    """What is in its line before it, which is the same in another version of the file as a rule. least: where the
    last secret ends."""
    line = text[max(text.rfind("\n", least, start) + 1, least) : start]
    return f"# {line.strip().lstrip('# ')}"


def _find_in_yaml(text: str, cached: KnownSites) -> list[_Span]:
    lines = text.split("\n")
    starts = yaml_excerpt.find_starts(lines) if len(lines) > yaml_excerpt.FEW_LINES else []
    if starts and yaml_cutting.can_be_cut(text):
        found = _find_in_parts(text, lines, starts, cached)
        if found is not None:
            return found
    node = yaml_positions.compose(text)
    found = []
    for scalar, path in _Walk().run(node) if node is not None else ():
        start, stop = int(scalar.start_mark.index), int(scalar.end_mark.index)
        found.append((start, _end_of(scalar, text, start, stop), path))
    return found


def _end_of(scalar: yaml.nodes.ScalarNode, text: str, start: int, stop: int) -> int:
    """A block's end is behind the line breaks that follow it."""
    return start + len(text[start:stop].rstrip(" \n")) if scalar.style in {"|", ">"} else stop


def _find_in_parts(text: str, lines: list[str], starts: list[int], cached: KnownSites) -> list[_Span] | None:
    """Of a long file those sites are read as YAML that are not known and have a hint, and what stands beside the sites.
    None: they cannot be told apart. starts: the lines of the sites, and the one behind them."""
    offsets = [*itertools.accumulate((len(line) + 1 for line in lines), initial=0)]
    sites = {first: text[offsets[first] : offsets[last]] for first, last in itertools.pairwise(starts)}
    ends = dict(itertools.pairwise(starts))
    spans = {site: cached.spans[site] for site in sites.values() if site in cached.spans}
    read = [first for first, site in sites.items() if site not in spans and _is_hinted(site)]
    numbers = [*range(starts[0]), *(one for first in read for one in range(first, ends[first]))]
    numbers += range(starts[-1], len(lines))
    node = yaml_positions.compose("\n".join(lines[number] for number in numbers))
    if read and [numbers[line] for line in _find_site_lines(node)] != read:
        return None
    found: list[_Span] = []
    found_in: dict[int, list[_Span]] = {first: [] for first in read}
    for scalar, path in _Walk().run(node) if node is not None else ():
        line = numbers[scalar.start_mark.line]
        start = offsets[line] + scalar.start_mark.column
        # Lines behind it may be left out.
        last, column = scalar.end_mark.line, scalar.end_mark.column
        stop = offsets[numbers[last]] + column if column else offsets[numbers[last - 1] + 1]
        stop = _end_of(scalar, text, start, stop)
        first = starts[bisect.bisect_right(starts, line) - 1] if line >= starts[0] else -1
        if first not in found_in:
            found.append((start, stop, path))
        elif stop <= offsets[ends[first]]:
            found_in[first].append((start - offsets[first], stop - offsets[first], path))
        else:
            return None
    spans |= {sites[first]: tuple(some) for first, some in found_in.items()}
    cached.spans = {site: spans.get(site, ()) for site in sites.values()}
    for first, site in sites.items():
        found += [(offsets[first] + start, offsets[first] + stop, path) for start, stop, path in cached.spans[site]]
    return found


def _is_hinted(site: str) -> bool:
    """Whether a key may be that of a secret."""
    lowered = site.lower()
    return any(word in lowered for word in (*_HINTS, *secret_fields.find_holders()))


def _find_site_lines(node: yaml.nodes.Node | None) -> list[int]:
    """Where the keys of `sites` stand."""
    entries = node.value if isinstance(node, yaml.nodes.MappingNode) else ()
    return [
        int(site.start_mark.line)
        for key, value in entries
        if key.value == "sites" and isinstance(value, yaml.nodes.MappingNode)
        for site, _ in value.value
    ]


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
        seen = self._seen.get(id(node), frozenset())
        here = frozenset(map(id, fields)) | {is_secret}
        if here <= seen or len(path) > yaml_positions.MAX_DEPTH:
            return
        self._seen[id(node)] = seen | here
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
