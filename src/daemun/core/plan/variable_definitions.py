"""Makes the file of a tree that defines the variables which its other files use. Pure.

A `map` is not free: before nginx reads one it clears tables for sixteen thousand keys (ngx_hash_keys_array_init), which
takes a static nginx a millisecond of each test and each reload. So a tree defines what it uses and no more. A file that
stands in from an earlier generation may use what no other does. So it is of a form of log lines (`log_format`) that few
servers have.
"""

import collections.abc
import re

FILE = "variables.conf"

Definitions = collections.abc.Mapping[str, bytes]
"""A variable's name, without the dollar sign, or that of a form of log lines -> the lines that define it."""

_USED = re.compile(rb'\$\{?([a-z_][a-z0-9_]*)|\baccess_log (?:"(?:[^"\\]|\\.)*"|[^" ]\S*) ([a-z_]+)')


def complete(files: collections.abc.Mapping[str, bytes], definitions: Definitions) -> dict[str, bytes]:
    """The tree with a FILE that defines what its files use, directly or through each other, in the order given."""
    others = {path: content for path, content in files.items() if path != FILE}
    used = _close(_find_used(others.values()), definitions)
    content = b"\n".join(text for name, text in definitions.items() if name in used)
    return dict(sorted({**others, FILE: content}.items()))


def _find_used(contents: collections.abc.Iterable[bytes]) -> set[str]:
    return {(one or other).decode() for content in contents for one, other in set(_USED.findall(content))}


def _close(used: set[str], definitions: Definitions) -> set[str]:
    closed: set[str] = set()
    waiting = used & definitions.keys()
    while waiting:
        closed |= waiting
        waiting = _find_used(definitions[name] for name in waiting) & definitions.keys() - closed
    return closed
