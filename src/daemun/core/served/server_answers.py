"""What a server's behaviour on a connection means, and what to do about it. Pure."""

import dataclasses
import ipaddress
import urllib.parse

from daemun.core import model
from daemun.core.model import Trouble
from daemun.core.served import server_greetings
from daemun.core.texts import names, words

NO_CONTAINER = "no container serves it now"
CONNECT_S = 5.0
ANSWER_S = 10.0
"""How long is waited for a connection, and for an answer on it."""
WITHOUT_HEAD = frozenset({405, 501})
"""What servers answer to HEAD that know GET alone."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerFinding:
    """trouble: None: it answers. cause, cure: None without trouble."""

    trouble: Trouble | None = None
    cause: str | None = None
    cure: str | None = None


WELL = ServerFinding()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UnwellServer:
    """A server that gets no requests by its route's `health`. path, entry: of the route. server: address and port."""

    path: str
    entry: int | None
    server: str
    found: ServerFinding


def of_place(found: ServerFinding) -> ServerFinding:
    """What is true of every route to a server: a loop is one route's."""
    return WELL if found.trouble is Trouble.LOOP else found


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHead:
    """The head of an HTTP answer. location: None: it has none. sets_cookie: whether it does."""

    status: int
    location: str | None = None
    sets_cookie: bool = False


def read_answer(head: bytes) -> AnswerHead | None:
    """None: this is no HTTP answer."""
    lines = head.split(b"\r\n") if b"\r\n" in head else head.split(b"\n")
    words = lines[0].split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1][:3].isdigit():
        return None
    found: dict[bytes, bytes] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not line or not colon:
            break
        found.setdefault(name.strip().lower(), value.strip())
    location = found.get(b"location")
    return AnswerHead(
        status=int(words[1][:3]),
        location=location.decode("utf-8", "replace") if location is not None else None,
        sets_cookie=b"set-cookie" in found,
    )


def is_tls_alert(head: bytes) -> bool:
    """RFC 8446 section 5.1: content type alert, legacy version 3.x."""
    return head[:2] == b"\x15\x03"


def judge_answer(aim: model.Aim, answer: AnswerHead, gate: tuple[model.Address, ...] = ()) -> ServerFinding:
    """The answer to one request. gate: where the gate listens."""
    if answer.status in _REDIRECTS and answer.location is not None and not answer.sets_cookie:
        visited = f"{'https' if aim.is_https else 'http'}://{aim.sees}{aim.path}"
        if _is_loop(aim, visited, answer.location, {None, 80, 443, *(one.port for one in gate)}):
            return ServerFinding(
                trouble=Trouble.LOOP,
                cause=f"redirects {visited} to itself ({answer.status}), so browsers give up",
                cure=_loop_cure(aim),
            )
    return WELL


def _is_loop(aim: model.Aim, visited: str, location: str, ports: set[int | None]) -> bool:
    """ports: of the gate; it may also be reached by the usual ones, through a router or a container engine."""
    try:
        there = urllib.parse.urlsplit(urllib.parse.urljoin(visited, location))
    except ValueError:  # no URL, which no browser follows
        return False
    here = urllib.parse.urlsplit(visited)
    if (there.path or "/", there.query) != (here.path, here.query):
        return False
    if _is_the_server(aim, there):  # nginx makes the visitor's own address of it
        return True
    if (there.scheme, there.hostname) not in {(here.scheme, here.hostname), *aim.leads_back}:
        return False
    return _port(there) in ports


def _is_the_server(aim: model.Aim, there: urllib.parse.SplitResult) -> bool:
    if aim.endpoint is None and aim.named is None:
        return False
    own = urllib.parse.urlsplit(aim.written)
    return (there.scheme, there.netloc) == (own.scheme, own.netloc)


def _port(there: urllib.parse.SplitResult) -> int | None:
    try:
        return there.port
    except ValueError:
        return None


def _loop_cure(aim: model.Aim) -> str:
    if aim.is_https and aim.scheme is model.Scheme.HTTP:
        return (
            "the application does not see that visitors use https, or is told another address than they use: let it "
            "believe X-Forwarded-Proto from this machine (its setting is called trusted proxies, or behind a proxy), "
            f"set its base URL to https://{aim.sees}, or switch its own redirect off"
        )
    return "switch this redirect off in the application, or correct the address that it is told to have (its base URL)"


# --- what keeps a connection from coming about -----------------------------------------------------------------


def is_the_gate(aim: model.Aim, gate: tuple[model.Address, ...], peer: tuple[str, int], own: str) -> bool:
    """Whether a connection to a server came to the gate itself, which sends it on to the same server, and so on.

    gate: where it listens. peer: the other end. own: this end's address; on one machine both are the same."""
    if aim.sees not in {host for _, host in aim.leads_back}:
        return False  # another site of the gate is meant
    here, there = names.address_of(own), names.address_of(peer[0])
    return here == there and any(one.port == peer[1] and _covers(one, there) for one in gate)


def _covers(listening: model.Address, address: object) -> bool:
    host = names.address_of(listening.host) if listening.host is not None else None
    return host is None or host.is_unspecified or host == address


def leads_back(aim: model.Aim, server: str) -> ServerFinding:
    return ServerFinding(
        trouble=Trouble.LOOP,
        cause=f"{server} is daemun's own port, so requests would come back to this site without end",
        cure="name the port that the server listens on"
        + ("" if aim.is_pool else "; if another site of this gate is meant, set `host_header` to its name"),
    )


def refused(aim: model.Aim, server: str, *, in_container: bool) -> ServerFinding:
    """Nothing listens there."""
    cause = f"{server} refuses connections: nothing listens there"
    if aim.socket is not None:
        return ServerFinding(trouble=Trouble.REFUSED, cause=cause, cure="start the server that makes this socket")
    if aim.is_pool:
        cure = (
            "let the application listen on 0.0.0.0 in its container, not on 127.0.0.1, or name the port that it "
            "listens on with the label daemun.port"
        )
    elif in_container and _is_loopback(aim):
        cure = (
            "start the server, or correct the port; if it is in another container than daemun, write that container's "
            "name in place of 127.0.0.1, and host.docker.internal for one on the machine itself"
        )
    elif not _is_loopback(aim):
        cure = (
            "start the server, let it listen on an address that others reach (0.0.0.0, not 127.0.0.1), or correct the "
            "port"
        )
    else:
        cure = "start the server, or correct the port; `ss -ltn` lists what listens on this machine"
    return ServerFinding(trouble=Trouble.REFUSED, cause=cause, cure=cure)


def without_connection(server: str) -> ServerFinding:
    return ServerFinding(
        trouble=Trouble.SILENT,
        cause=f"{server} does not take a connection within {CONNECT_S:g} s",
        cure="correct the address, or let the firewall in between allow connections from this machine",
    )


def without_answer(server: str) -> ServerFinding:
    return ServerFinding(
        trouble=Trouble.SILENT,
        cause=f"{server} takes the connection and does not answer within {ANSWER_S:g} s",
        cure="look at the server: it is overloaded, hangs, or speaks another protocol",
    )


def unreachable(server: str, words: str) -> ServerFinding:
    """words: the system's."""
    return ServerFinding(
        trouble=Trouble.UNREACHABLE,
        cause=f"{server} cannot be reached: {words}",
        cure="correct the address, or the network and the rights in between",
    )


def no_socket(server: str, what: str) -> ServerFinding:
    """what: lies there instead, in words."""
    return ServerFinding(
        trouble=Trouble.REFUSED,
        cause=f"{server} is {what}, and no unix socket",
        cure="write the path of the socket that the server makes while it runs",
    )


def socket_refused(server: str, place: str, user: str) -> ServerFinding:
    """place: the socket, or the folder on the way to it, that the account `user` may not use."""
    is_socket = server == f"unix:{place}"
    cause = f"nginx may not open {server}: its workers run as {words.quoted(user)}, which may not "
    if is_socket:
        cause += "write to it"
        way = "write to the socket: most servers have a setting for its mode or its group"
    else:
        cause += f"pass through {place}"
        way = f"pass through that folder (`chmod o+x {place}`), or let the socket lie elsewhere, as in /run"
    return ServerFinding(
        trouble=Trouble.FORBIDDEN,
        cause=cause,
        cure=f"give {words.quoted(user)} the right to {way}",
    )


def unresolved(aim: model.Aim) -> ServerFinding:
    name = aim.named or aim.written
    return ServerFinding(
        trouble=Trouble.UNRESOLVED,
        cause=f'the name "{name}" does not resolve on this machine',
        cure=f"correct the name, or make it known (`getent hosts {name}` shows when it is)",
    )


def absent(aim: model.Aim) -> ServerFinding:
    if aim.is_pool:
        return ServerFinding(trouble=Trouble.ABSENT, cause=NO_CONTAINER, cure="start a container with this host")
    return unresolved(aim)


def of_judge(found: ServerFinding) -> ServerFinding:
    """The same of a server that decides who may come in."""
    if found.trouble is None:
        return found
    cause = f"its judge (`access.forward_auth`) is not there, so visitors get 503: {found.cause}"
    return dataclasses.replace(found, cause=cause)


def unwell(server: str, reason: str | None) -> ServerFinding:
    """By its own `health:`."""
    cause = f"{server} does not pass its health check: {reason or 'it was not well'}; it gets no requests until it does"
    return ServerFinding(
        trouble=Trouble.UNWELL, cause=cause, cure="look at the server, or correct the route's `health`"
    )


def closed(server: str) -> ServerFinding:
    return ServerFinding(
        trouble=Trouble.CLOSED,
        cause=f"{server} takes the connection and closes it without an answer",
        cure="look at the server's log; it may want another protocol, or no requests from this machine",
    )


def speaks_tls(aim: model.Aim, server: str, *, is_http2: bool = False) -> ServerFinding:
    """is_http2: it takes HTTP/2 over TLS."""
    scheme = "grpcs" if aim.scheme is model.Scheme.GRPC else "https"
    if is_http2 and aim.scheme is model.Scheme.H2C:
        scheme = "h2"
    return ServerFinding(
        trouble=Trouble.SPEAKS_TLS,
        cause=f"{server} speaks https, and the target says {aim.scheme.value}",
        cure=_write(aim, aim.written.replace(aim.scheme.value, scheme, 1), scheme),
    )


def speaks_http(aim: model.Aim, server: str, *, is_over_tls: bool = False) -> ServerFinding:
    """HTTP/1.1. is_over_tls: in a handshake, or behind one."""
    scheme = "https" if is_over_tls else "http"
    what = "plain http" if aim.scheme.is_encrypted and not is_over_tls else "HTTP/1.1"
    return ServerFinding(
        trouble=Trouble.SPEAKS_HTTP,
        cause=f"{server} speaks {what}, and the target says {aim.scheme.value}",
        cure=_write(aim, aim.written.replace(aim.scheme.value, scheme, 1), scheme),
    )


def speaks_other(aim: model.Aim, server: str, head: bytes, *, is_over_tls: bool = False) -> ServerFinding:
    """head: what it sent."""
    known = server_greetings.describe(head)
    cure = "correct the port, or the scheme of the target (fastcgi://, uwsgi://, scgi://, grpc://, h2c://, h2://)"
    if server_greetings.is_page(head):
        cure = "let it answer with a head of HTTP/1.1 (a script prints one before the page), or correct the port"
    elif server_greetings.is_http2(head):
        known = "it speaks HTTP/2 alone" if is_over_tls else "it speaks HTTP/2 without TLS"
        scheme, grpc = ("h2", "grpcs") if is_over_tls else ("h2c", "grpc")
        cure = _write(aim, aim.written.replace(aim.scheme.value, scheme, 1), scheme)
        cure += f", or {grpc}:// for gRPC" if not aim.is_pool else f", or {grpc} for gRPC"
    elif known is not None:
        cure = "correct the port: the gate carries HTTP, and no other protocol to this kind of server"
    return ServerFinding(
        trouble=Trouble.OTHER_PROTOCOL,
        cause=f"{server} answers with something else than {aim.scheme.value}{f': {known}' if known else ''}",
        cure=cure,
    )


def _write(aim: model.Aim, wanted: str, scheme: str) -> str:
    if aim.is_pool:
        return f"set the label daemun.scheme={scheme}, or name another port with daemun.port"
    return f"write {wanted}" if aim.socket is None else f"write {wanted.replace('::', ':')}"


def _is_loopback(aim: model.Aim) -> bool:
    if aim.named is not None:
        return aim.named == "localhost" or aim.named.endswith(".localhost")
    # One with a health check is a service, whose address stands in its name alone.
    host = aim.endpoint.address if aim.endpoint is not None else urllib.parse.urlsplit(aim.written).hostname
    address = names.address_of(host) if host and not aim.is_pool else None
    return isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address) and address.is_loopback
