"""URLs of engines: which machine each leads to, and what ssh:// means. Pure.

Source: docs.docker.com/engine/security/protect-access, "Use SSH to protect the Docker daemon socket".
"""

import collections.abc
import dataclasses
import posixpath
import re
import urllib.parse

from daemun.core.texts import names, words

_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,63}\Z")
_MACHINE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,252}\Z")
_SOCKET = re.compile(r"(?:/[A-Za-z0-9_.\-]+){1,20}\Z")
"""The shell of the other machine reads it."""
_EXPECTED = "expected ssh://nas or ssh://nas:22, with a user and @ before the host where ssh is to take another"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SshUrl:
    """What an ssh:// URL names. user, port: None: as ssh's own configuration has them. host: may be a name of that
    configuration. socket: of the engine there; None: its standard one."""

    host: str
    user: str | None = None
    port: int | None = None
    socket: str | None = None

    def __str__(self) -> str:
        """Without the user, which what hides credentials would hide anyway."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ssh://{host}{f':{self.port}' if self.port else ''}{self.socket or ''}"


def parse_ssh(url: str) -> SshUrl:
    """ "ssh://user@host:port/path/of/docker.sock". Raises: ValueError, which repeats no password."""
    try:
        found = urllib.parse.urlsplit(url)
        port = found.port
    except ValueError as error:
        raise ValueError(_EXPECTED) from error
    if found.password is not None:
        raise ValueError(
            "expected no password in an ssh:// URL: ssh takes none there; give the account that daemun runs as a key"
        )
    host, path = found.hostname or "", found.path.rstrip("/")
    if found.query or found.fragment or not (is_machine(host) or names.address_of(host) is not None):
        raise ValueError(_EXPECTED)
    if found.username is not None and not _USER.match(found.username):
        raise ValueError("expected letters, digits, _, . and - as the user before the host of an ssh:// URL")
    if path and not _SOCKET.match(path):
        raise ValueError("expected the path of a socket, such as ssh://nas/run/podman/podman.sock")
    return SshUrl(host=host, user=found.username, port=port, socket=path or None)


def find_place(url: str) -> str:
    """The same for each spelling of where a socket is. Source: FHS 3.0, section 5.13: /var/run is /run."""
    if not url.startswith("unix:"):
        return url
    path = posixpath.normpath("/" + url.removeprefix("unix:").lstrip("/"))
    return f"unix://{path.removeprefix('/var') if path.startswith('/var/run/') else path}"


def find_once(urls: collections.abc.Iterable[str]) -> tuple[int, ...]:
    """The places in the list, without those of an engine that is there already, in this or another spelling."""
    first: dict[str, int] = {}
    for index, url in enumerate(urls):
        first.setdefault(find_place(url), index)
    return tuple(first.values())


def is_machine(name: str) -> bool:
    """Whether it can be the name of an engine's machine, which may be one of ssh's own configuration. It begins like no
    option of a command."""
    return _MACHINE.match(name) is not None


def name_machine(url: SshUrl) -> str:
    """What a person gives ssh: "-p 2222 me@nas"."""
    port = f"-p {url.port} " if url.port is not None else ""
    return f"{port}{f'{url.user}@' if url.user is not None else ''}{url.host}"


def find_host(url: str) -> str | None:
    """The machine that a URL leads to, without brackets; None for a socket of this one. Raises: ValueError."""
    if url.startswith("unix://"):
        return None
    return parse_ssh(url).host if url.startswith("ssh://") else urllib.parse.urlsplit(url).hostname


def is_of_this_machine(host: str) -> bool:
    address = names.address_of(host)
    return host == "localhost" if address is None else address.is_loopback


def hint_engine(value: object, known: collections.abc.Iterable[str]) -> str:
    """What was meant by a text that is none of the known words: a socket's path is an engine, too."""
    if value is True:
        return "; write auto"
    if not isinstance(value, str):
        return ""
    path = value.strip().removeprefix("unix:")
    if path.startswith("/") and not path.startswith("//"):
        return f"; write unix://{path}"
    if value.strip().lower() == "podman":
        return "; write the URL of its socket, such as unix:///run/podman/podman.sock"
    return words.guess(value, known)
