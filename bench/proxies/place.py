"""What every contestant is told, and what it answers with."""

import dataclasses
import pathlib

HOST = "localhost"
"""Where nothing else is said."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """PEM files."""

    certificate: pathlib.Path
    key: pathlib.Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """host: the site's name. folder: for files of its own. http, https: the ports to listen on. app, echo, sink: those
    of the servers behind.

    ecdsa: P-256. rsa: 4096 bits. nginx: the binary that contestants made of nginx run. cores: how many
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
    host: str = HOST


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A contestant that runs. host: the site's name. roots: its processes; what they started counts, too. headers: what
    each request to it has beside those of the variation, such as a credential."""

    name: str
    http: int
    https: int
    roots: tuple[int, ...]
    host: str = HOST
    headers: tuple[str, ...] = ()
