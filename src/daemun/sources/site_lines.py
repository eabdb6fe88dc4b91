"""The lines of daemun.yaml, or of a file that it includes, that one site consists of, without their secrets. Pure."""

import dataclasses
import re

from ruamel import yaml

from daemun.core.texts import secret_forms
from daemun.sources import yaml_positions
from daemun.sources.history import secret_masks

MOST_LINES = 2000
_PLACE = re.compile(r"(?P<file>.+?):(?P<line>[0-9]{1,9})(?::[0-9]{1,9})?\Z")
_SHORT = 8
"""A shorter secret is taken for one only where no letter or digit is beside it."""
_PARTS = re.compile(r"[\\\"'$\s]+")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteLines:
    """file: as messages name it. first: the number of the first line, from 1. text: without a last line break."""

    file: str
    first: int
    text: str


def parse_place(place: str) -> tuple[str, int] | None:
    """The file and line of "daemun.yaml:14:3". None: it is no place of a file."""
    found = _PLACE.match(place)
    return None if found is None else (found["file"], int(found["line"]))


def cut(file: str, text: str, line: int) -> SiteLines | None:
    """line: where the site's name stands, from 1. None: the text has no such line (any more)."""
    lines = text.split("\n")
    if not 1 <= line <= len(lines) or not lines[line - 1].strip():
        return None
    begin = line - 1
    indent = _indent(lines[begin])
    end = begin + 1
    while end < len(lines) and end - begin < MOST_LINES and _belongs(lines[end], indent):
        end += 1
    while end > begin + 1 and (not lines[end - 1].strip() or _is_remark(lines[end - 1], indent)):
        end -= 1
    while begin > 0 and _is_remark(lines[begin - 1], indent):
        begin -= 1
    return SiteLines(file=file, first=begin + 1, text="\n".join(lines[begin:end]))


def _belongs(line: str, indent: int) -> bool:
    return not line.strip() or _indent(line) > indent or _is_remark(line, indent)


def _is_remark(line: str, indent: int) -> bool:
    """A comment beside the names of sites: it belongs to the one that follows."""
    return line.lstrip().startswith("#") and _indent(line) <= indent


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def without_secrets(masked: secret_masks.MaskedText) -> str:
    """The text with as many lines."""
    hidden = [secret_forms.HIDDEN + "\n" * one.written.count("\n") for one in masked.secrets]
    return secret_masks.fill(masked.text, hidden)


def find_values(masked: secret_masks.MaskedText) -> frozenset[str]:
    """The secrets as they are meant, and not as YAML writes them; with their parts, of which another form is made
    where something has to be quoted."""
    values = set[str]()
    for one in masked.secrets:
        whole = _value_of(one.written)
        values |= {whole, *(part for part in _PARTS.split(whole) if len(part) >= 4)}
    return frozenset(value for value in values if value.strip())


def _value_of(written: str) -> str:
    try:
        node = yaml_positions.compose(written)
    except (yaml.error.YAMLError, RecursionError, ValueError):
        return written.strip("\"'")
    return str(node.value) if isinstance(node, yaml.nodes.ScalarNode) else written.strip("\"'")


def hide_in_nginx(text: str, values: frozenset[str]) -> str:
    """nginx's file without what is secret of daemun.yaml, nor what has the form of a secret."""
    for value in sorted(values, key=len, reverse=True):
        for form in dict.fromkeys((value, value.replace("\\", "\\\\").replace('"', '\\"'))):
            if len(form) >= _SHORT:
                text = text.replace(form, secret_forms.HIDDEN)
            else:
                text = re.sub(rf"(?<![\w-]){re.escape(form)}(?![\w-])", lambda _: secret_forms.HIDDEN, text)
    return secret_forms.hide(text)
