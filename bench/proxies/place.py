"""What every contestant is told, and what it answers with."""

import dataclasses
import pathlib

HOST = "localhost"
"""Programs that make load find it in /etc/hosts and send it in the TLS handshake."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """PEM files."""

    certificate: pathlib.Path
    key: pathlib.Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """folder: for files of its own. http, https: the ports to listen on. app, echo, sink: those of the servers behind.

    ecdsa: P-256. rsa: 4096 bits. nginx: the binary that daemun and the contestants made of nginx run. cores: how many
    workers or threads one may have.
    """

    folder: pathlib.Path
    http: int
    https: int
    app: int
    echo: int
    sink: int
    ecdsa: Pair
    rsa: Pair
    nginx: str
    cores: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A contestant that runs. roots: its processes; what they started counts, too."""

    name: str
    http: int
    https: int
    roots: tuple[int, ...]
