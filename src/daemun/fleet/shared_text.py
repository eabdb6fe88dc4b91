"""What of daemun.yaml a fleet shares, and what is each machine's own: its top-level keys `fleet` and `node`. Pure.

The text is cut by lines, so that all else stays byte for byte.
"""

import dataclasses
import re

from daemun.errors import ConfigError
from daemun.sources import three_way_merge, yaml_excerpt, yaml_positions

OWN_KEYS = ("fleet", "node")

_OWN_LINE = re.compile(rb"""(?:\xef\xbb\xbf)?(["']?)(?:fleet|node)\1[ \t]*:(?:\s|$)""")
_GOES_ON = re.compile(rb"[ \t}\]]")
_EMPTY = re.compile(rb"\s*(?:#.*)?$")
_BEFORE_KEYS = re.compile(rb"(?:\xef\xbb\xbf)?(?:%|---(?:\s|$))")
_MAY_BE_OWN_KEY = re.compile(rb"fleet|node|\\(?:[xuU\r\n]|\xc2\x85|\xe2\x80)")
"""The names as they are, or an escape, by which letters are written otherwise, or the line goes on."""
_NO_SITES = re.compile(rb"sites:\s*(?:\{\s*\})?\s*(?:#.*)?$")
_BOM = b"\xef\xbb\xbf"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SplitText:
    shared: bytes = dataclasses.field(repr=False)
    own: bytes = dataclasses.field(repr=False)


def split(content: bytes) -> SplitText:
    """Raises: ConfigError: the two cannot be told apart."""
    found = _cut(content)
    if _MAY_BE_OWN_KEY.search(found.shared) and (left := _find_own_keys(found.shared)):
        raise ConfigError(
            f"cannot tell what of the file is shared: `{left[0]}` does not stand at the beginning of a line; write it "
            f"there as `{left[0]}:`, with its keys in the lines below it"
        )
    return found


def _cut(content: bytes) -> SplitText:
    shared, own = list[bytes](), list[bytes]()
    lines = content.splitlines(keepends=True)
    at = 0
    while at < len(lines):
        if not _OWN_LINE.match(lines[at]):
            shared.append(lines[at])
            at += 1
            continue
        end = _find_end(lines, at)
        if lines[at].startswith(_BOM):
            shared.append(_BOM)
        own += [lines[at].removeprefix(_BOM), *lines[at + 1 : end]]
        at = end
    return SplitText(shared=b"".join(shared), own=b"".join(own))


def _find_end(lines: list[bytes], start: int) -> int:
    """Lines that are empty, or comments at the margin, belong to what follows them."""
    end = start + 1
    for number in range(start + 1, len(lines)):
        if _GOES_ON.match(lines[number]) and lines[number].strip():
            end = number + 1
        elif not _EMPTY.match(lines[number]):
            break
    return end


def join(shared: bytes, held: bytes) -> bytes:
    """The text of this machine with another shared part. held: its text, whose own part stays where it is, or comes
    first. Raises: ConfigError."""
    before = split(held)
    if before.shared == shared:
        return held
    wanted = SplitText(shared=shared, own=before.own)
    if not before.own:
        return shared
    merged = three_way_merge.merge(before.shared, held, shared)
    for text in (merged, _with_own(wanted)):
        if text is not None and _is_of(text, wanted):
            return text
    raise ConfigError(
        f"cannot put what the fleet shares and this machine's own part together; write {' and '.join(OWN_KEYS)} first "
        "in the file, each as `KEY:` at the beginning of a line"
    )


def _is_of(text: bytes, wanted: SplitText) -> bool:
    found = _cut(text)
    return found.shared == wanted.shared and found.own.rstrip() == wanted.own.rstrip()


def _with_own(wanted: SplitText) -> bytes:
    lines = wanted.shared.splitlines(keepends=True)
    after = next((number for number, line in reversed([*enumerate(lines, start=1)]) if _BEFORE_KEYS.match(line)), 0)
    own = wanted.own if wanted.own.endswith((b"\n", b"\r")) else wanted.own + b"\n"
    head, rest = b"".join(lines[:after]), b"".join(lines[after:])
    if not after and rest.startswith(_BOM):
        head, rest = _BOM, rest.removeprefix(_BOM)
    return head + own + rest


def is_blank(shared: bytes) -> bool:
    """Whether it holds nothing but comments, or that there are no sites yet."""
    lines = shared.removeprefix(_BOM).splitlines()
    return all(_EMPTY.match(line) or _BEFORE_KEYS.match(line) or _NO_SITES.match(line) for line in lines)


def _find_own_keys(shared: bytes) -> list[str]:
    text = yaml_positions.decode(shared, [])
    if text is None:
        return []
    excerpt = yaml_excerpt.make(text, lambda _: False)
    value = yaml_positions.load(text if excerpt is None else excerpt.text, is_literal=True).value
    return [key for key in OWN_KEYS if isinstance(value, dict) and key in value]
