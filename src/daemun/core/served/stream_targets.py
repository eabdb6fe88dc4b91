"""Which servers of a stream are tried, and where it is looked at from outside. Pure."""

import collections.abc
import dataclasses

from daemun.core import model
from daemun.core.model import Trouble
from daemun.core.options import stream_forms, streams_option
from daemun.core.served import server_answers
from daemun.core.services import dns_services
from daemun.core.texts import names

_CONNECTS = model.Scheme.FASTCGI
"""A connection is all that is tried of such a server: nothing is sent that it could misunderstand."""
_WITHOUT_TLS = frozenset({Trouble.SPEAKS_HTTP, Trouble.OTHER_PROTOCOL})


def find_aims(one: streams_option.NamedStream) -> tuple[model.Aim, ...]:
    """Over UDP none: that nothing comes back from a server proves nothing. One that is `down` gets no connections."""
    if one.stream.is_udp or not one.stream.enabled:
        return ()
    return tuple(_make_aim(one, server.url) for server in one.stream.to if not server.down)


def find_pools(
    desired: model.Desired, streams: collections.abc.Iterable[streams_option.NamedStream]
) -> dict[str, model.Pool]:
    """Those that are behind these streams."""
    used = {server.url.pool for one in streams for server in one.stream.to}
    return {pool.name: pool for pool in desired.pools if pool.name in used}


def _make_aim(one: streams_option.NamedStream, target: stream_forms.StreamTarget) -> model.Aim:
    stream, service = one.stream, dns_services.find_stream_service(target)
    is_literal = service is None and target.socket is None
    # A server that wants the PROXY line first takes no handshake without it.
    shakes = stream.is_encrypted and not stream.proxy_protocol
    return model.Aim(
        host=one.name,
        path="",
        written=str(target),
        scheme=model.Scheme.HTTPS if shakes else _CONNECTS,
        tls=model.UpstreamTls(verify=stream.verify.is_on, ca_file=stream.verify.ca_file),
        service=service.name if service is not None else None,
        named=service.host if service is not None else None,
        endpoint=model.Endpoint(address=target.host or "", port=target.port or 0) if is_literal else None,
        socket=target.socket,
        is_pool=target.pool is not None,
        server_name=stream.name_of_servers,
        sees=stream.name_of_servers or "",
    )


def of_stream(aim: model.Aim, server: str, found: server_answers.ServerFinding) -> server_answers.ServerFinding:
    """A finding in the words of streams."""
    if found.trouble is Trouble.ABSENT and aim.is_pool:
        return dataclasses.replace(found, cure="start a container of this stream")
    if found.trouble not in _WITHOUT_TLS:
        return found
    plain = aim.written.replace("tls://", "tcp://", 1)
    return dataclasses.replace(
        found,
        cause=f"{server} answers without TLS, and the target says tls://",
        cure=f"write {plain}, or correct the port",
    )


def find_shaken_host(one: streams_option.NamedStream) -> str | None:
    """The name with which handshakes are made from this machine; None: none are. Whom `allow` and `deny` let in may
    be others."""
    stream = one.stream
    is_open = not stream.allow and not stream.deny
    return stream.certificate_host if is_open and stream.enabled else None


def find_bound(one: streams_option.NamedStream, *, has_ipv6: bool) -> tuple[tuple[str, int], ...]:
    """The addresses and ports at which something has to listen."""
    if one.stream.is_passthrough:
        return ()  # they are the gate's
    return tuple(
        (host, address.port)
        for address in one.stream.listen
        for host in (_hosts_of_every(has_ipv6=has_ipv6) if address.host is None else (address.host,))
    )


def find_listeners(
    streams: collections.abc.Iterable[streams_option.NamedStream],
) -> dict[tuple[str, int, bool], str]:
    """Address, port and whether it is UDP, as nginx's error log names them -> the stream."""
    return {
        (host, port, one.stream.is_udp): one.name for one in streams for host, port in find_bound(one, has_ipv6=True)
    }


def _hosts_of_every(*, has_ipv6: bool) -> tuple[str, ...]:
    return ("0.0.0.0", "::") if has_ipv6 else ("0.0.0.0",)  # noqa: S104 compared, not bound


def is_among(host: str, port: int, bound: collections.abc.Set[tuple[str, int]]) -> bool:
    """bound: what is listened on now. A socket for every address has each single one."""
    every = "::" if ":" in host else "0.0.0.0"  # noqa: S104 compared, not bound
    found = names.address_of(host)
    return bool({(host if found is None else found.compressed, port), (every, port)} & bound)
