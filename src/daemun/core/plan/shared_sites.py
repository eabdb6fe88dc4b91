"""Reads from nginx's files which sites share their blocks (`render.shared_blocks` writes them). Pure.

A site with a file of its own has that file as its state. One that shares its blocks is a line in each of three lists,
and for whoever compares trees these lines are as good as a file.
"""

import collections.abc
import dataclasses
import functools
import re
import types

MAIN = "shared.conf"
NAMES = "shared/names.conf"
HOSTS = "shared/hosts.conf"
ALIASES = "shared/aliases.conf"
SERVERS = "shared/servers.conf"
LISTS = frozenset({NAMES, HOSTS, ALIASES, SERVERS})

_NAMES = re.compile(rb"^server_name ([^;\n]+);", re.MULTILINE)
_SERVER = re.compile(rb"^([^#\s]\S*) ([^\s;]+);", re.MULTILINE)

Files = collections.abc.Mapping[str, bytes]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SharedSite:
    """All that such a site has of its own. names: the main one first. server: "10.0.0.5:80".

    place: where it comes from, for people; two entries that differ in it alone are equal.
    """

    names: tuple[str, ...]
    server: str
    place: str = dataclasses.field(default="", compare=False)

    @property
    def host(self) -> str:
        return self.names[0]


def read(files: Files) -> collections.abc.Mapping[str, SharedSite]:
    """Every site that shares its blocks in this tree, by its host."""
    return _read(files.get(NAMES, b""), files.get(SERVERS, b""))


# A round reads the lists that nginx has and those that it is to have, each several times.
@functools.lru_cache(maxsize=2)
def _read(names: bytes, servers: bytes) -> collections.abc.Mapping[str, SharedSite]:
    by_host = dict(_SERVER.findall(servers))
    found: dict[str, SharedSite] = {}
    for written in _NAMES.findall(names):
        given = written.split(b" ")
        if given[0] in by_host:
            entry = SharedSite(names=tuple([name.decode() for name in given]), server=by_host[given[0]].decode())
            found[entry.host] = entry
    return types.MappingProxyType(found)


def without(files: Files, hosts: collections.abc.Set[str]) -> Files:
    """The tree without these of the sites that share their blocks."""
    if not hosts:
        return files
    gone = {host.encode() for host in hosts}
    names = {name.encode() for host, entry in read(files).items() if host in hosts for name in entry.names}
    left = {
        NAMES: [line for line in _lines(files, NAMES) if _first(line, 1) not in gone],
        HOSTS: [line for line in _lines(files, HOSTS) if _first(line) not in names],
        ALIASES: [line for line in _lines(files, ALIASES) if _first(line) not in names],
        SERVERS: [line for line in _lines(files, SERVERS) if _first(line) not in gone],
    }
    return {**files, **{path: b"".join(lines) for path, lines in left.items()}}


def _lines(files: Files, path: str) -> list[bytes]:
    return files.get(path, b"").splitlines(keepends=True)


def _first(line: bytes, index: int = 0) -> bytes:
    words = line.split()
    return words[index].rstrip(b";") if len(words) > index else b""
