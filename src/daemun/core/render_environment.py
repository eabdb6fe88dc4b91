"""What rendering must know of the machine, as values."""

import collections.abc
import dataclasses
import enum

from daemun.core import layout


class Feature(enum.Enum):
    """What an nginx binary can do beyond the least that daemun needs, found by running it
    (`nginx.find_nginx`)."""

    HTTP_V2 = "HTTP/2 to clients"
    HTTP_V3 = "HTTP/3 to clients"
    HTTP2_UPSTREAM = "HTTP/2 to servers (h2 and h2c targets)"
    GRPC = "gRPC targets"
    FASTCGI = "FastCGI targets"
    UWSGI = "uwsgi targets"
    SCGI = "SCGI targets"
    MEMCACHED = "memcached targets"
    STICKY = "sticky cookies and draining of servers"
    REALIP = "trusted proxies"
    REQUEST_PORT = "a variable for the port that a client names"
    LIMIT_CONN = "limits of connections"
    LIMIT_REQ = "limits of rates"
    ACCESS = "rules for addresses"
    AUTH_REQUEST = "requests to a judge"
    EARLY_HINTS = "103 Early Hints"
    TRAILERS = "trailers of servers"
    STREAM = "streams of TCP and UDP"
    STREAM_LIMIT_CONN = "limits of connections in streams"
    STREAM_ACCESS = "rules for addresses in streams"
    STREAM_TLS = "TLS in streams"
    STREAM_PREREAD = "the names of handshakes in streams"
    STREAM_HANDOVER = "passing connections on within nginx"
    STREAM_REALIP = "visitors' addresses by a balancer in streams"
    GZIP_STATIC = "files that are compressed with gzip already"
    BROTLI = "compression with Brotli"
    ZSTD = "compression with Zstandard"
    ZSTD_STATIC = "files that are compressed with Zstandard already"
    POST_QUANTUM = "key exchange that is safe from quantum computers (X25519MLKEM768)"


def count_connections(open_files: int) -> int:
    """How many connections one worker may have at a time, to visitors and to servers together: half of its files, since
    one may need a file besides, which is sent or held; more where there are few. At most 16384, for each takes 0.4 kB
    of a worker's memory whether it is open or not. Pure."""
    return max(min(2048, open_files * 3 // 4), min(16384, open_files // 2))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Nginx:
    """The nginx that will read the configuration. version: (1, 31, 3).

    keeps_large_pieces: of memory, for the next request: its allocator is glibc's, not musl's.
    modules: absolute paths of dynamic modules that came with it, for hand-written nginx. stream_module: of the one that
    has `streams`, which is loaded for these alone; None: they are part of the binary, or cannot be had.
    """

    path: str
    version: tuple[int, ...]
    features: frozenset[Feature]
    keeps_large_pieces: bool = False
    modules: tuple[str, ...] = ()
    stream_module: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """A binary that could take over from the one that serves. is_replacement: its file, or another one, is in the place
    of that one's, which was deleted or replaced while it serves."""

    binary: Nginx
    is_replacement: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """layout: the state directory.

    nginx: what will read the configuration.
    thumbprint: the ACME account key's (RFC 8555 section 8.1); None: no challenge is answered from it.
    user, group: the workers' account; None when daemun is not root (then nginx ignores `user`).
    next_user: the account that a start would choose now; None: the same. Directories and keys belong to `group`.
    resolver: "127.0.0.1:5301", where the DNS responder listens; None: no named servers.
    ca_bundle: absolute path of the system's trusted roots; None: there are none, https targets cannot be verified.
    workers: nginx worker processes.
    ipv6: whether the machine has IPv6, so that "every address" means both kinds.
    open_files: how many files one worker may have open, each connection counting as one.
    judge_cache: absolute path of a folder in memory where nginx remembers whom the judge let in; None: there is none.
    keeps_answers: whether the folder of the response cache can be there (`nginx.answers_folder`).
    named_addresses: host name of an `allow` or `deny` -> its addresses; one without any is not known.
    ban_steps: how many names of an address may be banned (`core.access.banned_networks.find_step`); 0: none is.
    ticket_keys: absolute paths of the keys of TLS session tickets, the one that encrypts first; none: nginx makes them.
    own_blocks: so many sites have nginx blocks of their own whatever they ask for (see `render.shared_blocks`).
    """

    layout: layout.Layout
    nginx: Nginx
    thumbprint: str | None = None
    user: str | None = None
    group: str | None = None
    next_user: str | None = None
    resolver: str | None = None
    ca_bundle: str | None = None
    workers: int = 1
    ipv6: bool = True
    open_files: int = 65536
    judge_cache: str | None = None
    keeps_answers: bool = True
    named_addresses: collections.abc.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    ban_steps: int = 0
    ticket_keys: tuple[str, ...] = ()
    own_blocks: int = 200
