"""Writes known addresses beside the names of servers, for a new nginx that has not looked up any name yet. Pure.

One that is reloaded keeps what it knows of names, and one that takes over from another begins with nothing: without
these it would have no server for its first requests, and for as long as daemun were away.
"""

import collections.abc
import re

from daemun.core import model

FindEndpoints = collections.abc.Callable[[str], collections.abc.Sequence[model.Endpoint]]
"""What is known of a service ("abc123.daemun")."""

_NAMED = re.compile(
    rb"^(?P<indent>[ ]*)server (?P<service>[a-z0-9.-]+) service=http resolve(?P<options>[^;\"\n]*);", re.MULTILINE
)


def add(files: collections.abc.Mapping[str, bytes], find_endpoints: FindEndpoints) -> dict[str, bytes]:
    """The same tree, with a line for each address in front of the line of its name."""

    def extend(match: re.Match[bytes]) -> bytes:
        found = find_endpoints(match["service"].decode())
        # Not all ways to balance have backups, so those of a pool are left to its name, unless there is nothing else.
        chosen = [one for one in found if not one.backup] or found
        lines = [_line(match, one) for one in chosen]
        return b"".join((*lines, match[0]))

    return {path: _NAMED.sub(extend, content) for path, content in files.items()}


def _line(match: re.Match[bytes], endpoint: model.Endpoint) -> bytes:
    host = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    weight = f" weight={endpoint.weight}" if endpoint.weight != 1 and b" weight=" not in match["options"] else ""
    address = f"server {host}:{endpoint.port}{weight}".encode()
    return match["indent"] + address + match["options"] + b";\n"
