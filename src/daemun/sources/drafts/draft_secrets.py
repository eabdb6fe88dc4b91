"""The texts of a draft for those who may change what is served and may not see its secrets. Pure.

Each secret is shown as `(hidden 1)`, counted in the text as it is, and put back when the text returns. It may stand
nowhere but where it stood: whoever cannot see it cannot let it be shown in another place, either, by no alias.
"""

import bisect
import collections.abc
import re

from ruamel import yaml

from daemun.errors import ConfigError
from daemun.sources import yaml_excerpt, yaml_positions
from daemun.sources.history import secret_masks

_MARK = re.compile(r"\(hidden ([0-9]{1,6})\)")
_KEPT = re.compile("\0([0-9]+)\0")
"""How a masked text has them."""

_Spans = collections.abc.Sequence[tuple[int, int]]


def show(content: bytes) -> str | None:
    """None: it is no YAML, in which secrets cannot be found for sure."""
    masked = secret_masks.mask(content)
    if masked is None:
        return None
    return secret_masks.fill(masked.text, [f"(hidden {number})" for number in range(1, len(masked.secrets) + 1)])


def holds_mark(value: object) -> bool:
    """Whether a text of it, or a part of one, is shown in place of a secret."""
    if isinstance(value, dict):
        return any(map(holds_mark, (*value, *value.values())))
    if isinstance(value, list | tuple):
        return any(map(holds_mark, value))
    return isinstance(value, str) and _MARK.search(value) is not None


def put_back(shown: str, content: bytes) -> bytes:
    """A text that was edited as `show` gave it. content: what it was made of. Raises: ConfigError."""
    masked = secret_masks.mask(content)
    secrets = () if masked is None else masked.secrets
    used = [int(one) for one in _MARK.findall(shown)]
    if masked is None or not used:
        return shown.encode()
    if wrong := sorted(one for one in used if not 1 <= one <= len(secrets)):
        raise ConfigError(
            f"cannot use the text: there is no secret (hidden {wrong[0]}); write the new one in its place"
        )
    written = [one.written for one in secrets]
    text, spans = _fill(shown, _MARK, ["", *written])
    found = text.encode()
    again = secret_masks.mask(found)
    if again is None:
        raise ConfigError(
            "cannot use the text: it is no YAML, and what is (hidden) cannot be put back into such a text; correct it "
            "first"
        )
    places = {(one.written, one.path) for one in secrets}
    for one in again.secrets:
        if any(one.written == known.written for known in secrets) and (one.written, one.path) not in places:
            raise ConfigError(
                f"cannot use the text: what is (hidden) may stand where it stood only, and not at {one.path}; write "
                "the value itself there"
            )
    # A short secret is found by its place alone: one mark too many is shown somewhere.
    if sum((one.written, one.path) in places for one in again.secrets) != len(used):
        raise ConfigError("cannot use the text: what is (hidden) stands at a place that does not hide it")
    # Of a long text parts were looked at, which quotes may turn into something else.
    is_read_whole = text.count("\n") >= yaml_excerpt.FEW_LINES or _may_have_aliases(text)
    if is_read_whole and _find_reaches(text, spans) - _find_reaches(*_fill(masked.text, _KEPT, written)):
        raise ConfigError(
            "cannot use the text: an alias (`*`) or a merge (`<<`) of an anchor around what is (hidden), or a quote, "
            "brings it to another place; write the value itself there"
        )
    return found


# --- by aliases ------------------------------------------------------------------------------------------------


def _fill(text: str, mark: re.Pattern[str], written: collections.abc.Sequence[str]) -> tuple[str, _Spans]:
    """The text with these in place of their numbers, and where each stands then."""
    pieces, spans, length, end = list[str](), list[tuple[int, int]](), 0, 0
    for match in mark.finditer(text):
        before, secret = text[end : match.start()], written[int(match[1])]
        length += len(before)
        spans.append((length, length + len(secret)))
        length += len(secret)
        pieces += [before, secret]
        end = match.end()
    return "".join([*pieces, text[end:]]), spans


def _may_have_aliases(text: str) -> bool:
    """Reading a long text takes seconds."""
    anchors, aliases = (set(re.findall(rf"{re.escape(sign)}(\S)", text)) for sign in "&*")
    return not anchors.isdisjoint(aliases)


def _find_reaches(text: str, spans: _Spans) -> set[tuple[str, tuple[str, ...]]]:
    """What is in the spans with each place that has it, by aliases and merges, too. Raises: ConfigError when they are
    too many."""
    moved = int(text.startswith("\ufeff"))
    node = yaml_positions.compose(text[moved:])
    starts = [start - moved for start, _ in spans]
    found: set[tuple[str, tuple[str, ...]]] = set()
    if node is None:
        return found
    left = yaml_positions.MAX_VALUES
    waiting: list[tuple[yaml.nodes.Node, tuple[str, ...]]] = [(node, ())]
    while waiting:
        one, path = waiting.pop()
        left -= 1
        if left < 0 or len(path) > yaml_positions.MAX_DEPTH:
            raise ConfigError("cannot use the text: it has too many values after its aliases are followed")
        if isinstance(one, yaml.nodes.MappingNode):
            for key, value in one.value:
                waiting += [(key, (*path, "?")), (value, _below(path, key))]
        elif isinstance(one, yaml.nodes.SequenceNode):
            waiting += [(item, (*path, str(index))) for index, item in enumerate(one.value)]
        else:
            place = bisect.bisect_left(starts, int(one.end_mark.index)) - 1
            if place >= 0 and spans[place][1] - moved > int(one.start_mark.index):
                found.add((str(one.value), path))
    return found


def _below(path: tuple[str, ...], key: yaml.nodes.Node) -> tuple[str, ...]:
    """A merge brings the keys to where it stands, and a list of them, too."""
    if str(key.tag).endswith(":merge"):
        return path
    return (*path, str(key.value) if isinstance(key, yaml.nodes.ScalarNode) else "?")
