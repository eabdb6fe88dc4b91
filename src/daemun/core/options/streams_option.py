"""`streams`: what is passed on over TCP and UDP as it comes, beside the sites."""

import collections.abc
import dataclasses
import re
import typing

import pydantic

from daemun.core import model, problem_report
from daemun.core.options import access_option, listen_option, stream_forms, upstream_tls_options
from daemun.core.options.option import Doc, Level, NamedFile, Option, Place
from daemun.core.texts import names, quantity_rules, rules, words

MOST = 500
"""Each has a file and listeners of its own."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
_WITHOUT_BACKUP = frozenset({stream_forms.StreamBalance.IP_HASH, stream_forms.StreamBalance.RANDOM})
_ITSELF = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NamedStream:
    """origin: where it is written; another line alone is no change. fault: it is set aside: what runs of it goes on, if
    `stream` is its last good version. None: nothing is wrong with it."""

    name: str
    stream: stream_forms.Stream
    fault: model.SetAside | None = None
    origin: model.Origin = dataclasses.field(default=model.NOWHERE, compare=False)

    @property
    def is_known(self) -> bool:
        """Whether there is a version that can be served."""
        return bool(self.stream.listen and self.stream.to)

    @property
    def hosts_passed(self) -> tuple[str, ...]:
        """The names in handshakes that are passed on to the servers."""
        if not self.stream.is_passthrough:
            return ()
        return self.stream.hosts or (self.name.lower(),)


Streams = tuple[NamedStream, ...]


def _make(written: dict[str, stream_forms.Stream]) -> Streams:
    return tuple(NamedStream(name=name, stream=stream) for name, stream in written.items())


def make_unknown(name: str, origin: model.Origin, fault: model.SetAside) -> NamedStream:
    """One of which no version can be served."""
    return NamedStream(name=name, stream=stream_forms.Stream(listen=(), to=()), origin=origin, fault=fault)


def with_origins(
    problems: collections.abc.Iterable[model.Problem], streams: Streams
) -> collections.abc.Iterator[model.Problem]:
    """Problems of streams, with the origins of these."""
    origins: dict[str | None, model.Origin] = {one.name: one.origin for one in streams}
    for problem in problems:
        is_placed = problem.origin != model.NOWHERE
        yield (
            problem
            if is_placed
            else dataclasses.replace(problem, origin=origins.get(find_name(problem), problem.origin))
        )


def find_name(problem: model.Problem) -> str | None:
    """The stream that a problem is about, if it is about one alone."""
    is_of_one = problem.host is None and problem.field[:1] == (OPTION.name,) and len(problem.field) > 1
    return str(problem.field[1]) if is_of_one else None


def find_enabled(settings: model.Globals) -> Streams:
    """Those that are served, in the order of the file."""
    return tuple(one for one in OPTION.of(settings) if one.stream.enabled and one.is_known)


def find_passed(settings: model.Globals) -> dict[str, NamedStream]:
    """The names in handshakes that streams take, and which one."""
    return {host: one for one in find_enabled(settings) for host in one.hosts_passed}


def _check(value: Streams, place: Place) -> None:
    if len(value) > MOST:
        place.add(f"has {len(value)} entries; expected {MOST} at most")
    for one in value:
        if one.fault is not None:
            continue  # its source reported it
        first, at = len(place.report.problems), _place_of(one, place)
        _check_one(one.name, one.stream, at)
        if one.stream.is_passthrough:
            _check_passed(one, at)
        elif one.stream.hosts:
            at.add("have a meaning only beside `tls: passthrough`", "hosts")
        _soften(one, place.report, first)


def _place_of(one: NamedStream, place: Place) -> Place:
    """Its origin is the file that it is in, which need not be daemun.yaml."""
    return Place(report=place.report.at(one.origin), field=(*place.field, one.name), sites=place.sites)


def _soften(one: NamedStream, report: problem_report.ProblemReport, first: int) -> None:
    """What is wrong with a stream that is switched off keeps nothing from being as it was written. first: the number
    of problems before."""
    if not one.stream.enabled:
        found = (dataclasses.replace(each, severity=model.Severity.WARNING) for each in report.problems[first:])
        report.problems[first:] = found


def _check_one(name: str, one: stream_forms.Stream, place: Place) -> None:
    if not _NAME.match(name):
        place.add("is no name of a stream; expected letters, digits, dots, hyphens and underscores, 100 at most")
    if not one.listen:
        place.add("is empty; expected at least one address", "listen")
    for index, address in enumerate(one.listen):
        place.add(listen_option.check_address(address), "listen", index)
    _check_servers(one, place)
    for key, value_s in (("connect", one.timeout.connect_s), ("idle", one.idle_s)):
        place.add(quantity_rules.check_duration(value_s, least=0.001, most=rules.YEAR_S), "timeout", key)
    for key in ("allow", "deny"):
        for index, network in enumerate(getattr(one, key)):
            if network not in access_option.NAMED_NETWORKS:
                place.add_value(network, access_option.check_address(network), key, index)
    if one.connections is not None:
        place.add(rules.check_number(one.connections, least=1, most=65535), "connections")
    _check_protocol(one, place)


def _check_servers(one: stream_forms.Stream, place: Place) -> None:
    if not one.to:
        place.add("is empty; expected at least one server", "to")
    for index, server in enumerate(one.to):
        at = place.below("to").below(index)
        at.add(rules.check_number(server.weight, least=1, most=65535), "weight")
        at.add(rules.check_number(server.max_fails, least=0, most=65535), "max_fails")
        at.add(rules.check_number(server.max_connections, least=0, most=10_000_000), "max_connections")
        at.add(quantity_rules.check_duration(server.fail_timeout_s, least=1, most=86400), "fail_timeout")
        if server.url.protocol is not one.protocol:
            at.add(f"is of another protocol than {words.quoted(str(one.to[0].url))}; one stream has one", "url")
        if server.url.protocol is stream_forms.StreamProtocol.UDP and server.url.socket is not None:
            at.add("is a unix socket, which takes no UDP", "url")
        if _leads_back(one, server.url):
            at.add("is where the stream itself listens: each connection would come back without end", "url")
    if one.to and all(server.backup or server.down for server in one.to):
        place.add("has no server that is in use from the start; take `backup` or `down` from one", "to")
    if one.balance in _WITHOUT_BACKUP and any(server.backup for server in one.to):
        place.add(f"{one.balance.value} cannot be used with a backup server (nginx refuses it)", "balance")


def _leads_back(one: stream_forms.Stream, server: stream_forms.StreamTarget) -> bool:
    """Whether a server's address is surely one of this machine at which the stream listens."""
    if server.port not in {address.port for address in one.listen}:
        return False
    found = None if server.host is None else names.address_of(server.host)
    host = server.host if found is None else found.compressed
    own = [address.host for address in one.listen if address.port == server.port]
    return host in own or (host in _ITSELF and not set(own).isdisjoint({None, "0.0.0.0", "::"}))  # noqa: S104 compared


def _check_protocol(one: stream_forms.Stream, place: Place) -> None:
    if not one.to:
        return
    _check_tls(one, place)
    if one.is_udp and one.proxy_protocol:
        place.add("is for TCP: a line ahead of each connection has no place among datagrams", "proxy_protocol")
    if one.responses is None:
        return
    place.add(rules.check_number(one.responses, least=0, most=65535), "responses")
    if not one.is_udp:
        place.add("is for UDP, where a session has no end of its own", "responses")


def _check_passed(one: NamedStream, place: Place) -> None:
    for index, host in enumerate(one.hosts_passed):
        cause = rules.check_host(host) or (
            "is an address, which no handshake names" if names.address_of(host) else None
        )
        if one.stream.hosts:
            place.add_value(host, cause, "hosts", index)
        elif cause is not None or "." not in host:
            place.add(f"needs `hosts`, the names that are passed on: {words.quoted(one.name)} is none", "tls")
    if one.stream.is_encrypted:
        place.add("cannot be tls:// beside `tls: passthrough`: what is passed on is TLS already; write tcp://", "to")
    if one.stream.proxy_protocol:
        place.add(
            "cannot stand beside `tls: passthrough`: nginx would name no address of the gate in it", "proxy_protocol"
        )


def _check_tls(one: stream_forms.Stream, place: Place) -> None:
    if one.tls is not None:
        if not one.is_passthrough:
            place.add_value(one.tls, rules.check_host(one.tls), "tls")
        if one.is_udp:
            place.add("is for TCP: nginx has no DTLS", "tls")
    if one.verify.ca_file is not None:
        place.add_value(one.verify.ca_file, rules.check_absolute(one.verify.ca_file), "verify")
    if not one.is_encrypted:
        given = {"verify": one.verify != upstream_tls_options.Verify(), "server_name": one.server_name is not None}
        for key in (key for key, is_given in given.items() if is_given):
            place.add("has no effect: no server is tls://", key, severity=model.Severity.WARNING)
        return
    if one.server_name is not None:
        cause = "is an IP address, and nginx compares names only" if names.address_of(one.server_name) else None
        place.add(cause or rules.check_server(one.server_name), "server_name")
        return
    hosts = {server.url.host for server in one.to}
    named = {host for host in hosts if host is not None and names.address_of(host) is None}
    if len(hosts) > 1 and named:
        place.add("has several tls:// hosts; set `server_name`, the one name that nginx compares", "to")
    elif not named and one.verify.is_on:
        shown = words.quoted(str(one.to[0].url))
        cause = f"the certificate of {shown} cannot be verified, because nginx compares names only"
        place.add(f"{cause}; set `server_name` to a name it carries, or `verify: false`", "to")


def _files(value: Streams) -> collections.abc.Iterator[NamedFile]:
    for one in value:
        if one.stream.verify.ca_file is not None:
            yield NamedFile(path=one.stream.verify.ca_file, below=(one.name, "verify"))


def _digested(value: Streams, digest: collections.abc.Callable[[str], str]) -> Streams:
    return tuple(
        one if one.stream.verify.ca_file is None else dataclasses.replace(one, stream=_with_digest(one.stream, digest))
        for one in value
    )


def _with_digest(one: stream_forms.Stream, digest: collections.abc.Callable[[str], str]) -> stream_forms.Stream:
    verify = dataclasses.replace(one.verify, ca_digest=digest(one.verify.ca_file or ""))
    return dataclasses.replace(one, verify=verify)


OPTION = Option[Streams](
    name="streams",
    form=typing.Annotated[dict[str, stream_forms.Stream], pydantic.AfterValidator(_make)],
    default=(),
    doc=Doc(
        kind="map of names; `{listen, to: [{url, weight, backup, down, max_fails, fail_timeout, max_connections}], "
        "tls, hosts, verify, server_name, balance, timeout: {connect, idle}, allow, deny, connections, proxy_protocol, "
        "responses, enabled}`",
        default="`{}`",
        meaning="what is passed on over TCP and UDP as it comes: see [Streams](#streams)",
    ),
    levels=frozenset({Level.GATE}),
    check=_check,
    files=_files,
    digested=_digested,
)
