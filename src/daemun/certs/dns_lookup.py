"""Queries of DNS: where a record must be, and what the servers of its zone answer. Blocking.

Names and zones are looked up at a resolver; records are queried at the zone's own servers, because a resolver
may remember what was there before.
"""

import collections.abc
import contextlib
import dataclasses
import secrets
import typing

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from daemun import causes, errors
from daemun.core.options import acme_option

_Resolver = typing.TypeVar("_Resolver", bound=dns.resolver.BaseResolver)

LOOKUP_S = 15.0
ANSWER_S = 3.0
_LONGEST_CHAIN = 8
"""CNAMEs in a row; resolvers of CAs give up at about as many."""
_MOST_SERVERS = 13
"""No more are queried. A zone has rarely more than eight."""
_MOST_SILENT = 3
"""After so many addresses without an answer the others are not queried, either: nothing gets through to them."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NameServer:
    """A name server of a zone. addresses: of both families; none: its name does not resolve."""

    name: str
    addresses: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecordPlace:
    """Where a record must be. name, zone: without the dot at the end. aliases: the CNAMEs that lead there."""

    name: str
    zone: str
    servers: tuple[NameServer, ...]
    aliases: tuple[str, ...] = ()


class NoAnswerError(Exception):
    """A server gave no useful answer; the text is a cause. hopeless: there is no way to it."""

    def __init__(self, cause: str, *, hopeless: bool = False) -> None:
        super().__init__(cause)
        self.hopeless = hopeless


class LookupFailedError(errors.RetryableError):
    """A zone, or its servers, cannot be found. cause: why, without what to do. name: what was looked up then."""

    def __init__(self, message: str, *, cause: str, name: str) -> None:
        super().__init__(message)
        self.cause = cause
        self.name = name


class Lookup:
    """resolvers: as `model.Acme.resolvers`; empty: the system's. lookup_s: for each question. One for each thread and
    order: it remembers zones."""

    def __init__(self, resolvers: collections.abc.Sequence[str] = (), *, lookup_s: float = LOOKUP_S) -> None:
        try:
            self._resolver = make_resolver(resolvers, dns.resolver.Resolver)
        except dns.resolver.NoResolverConfiguration:
            raise errors.EnvironmentProblemError(
                "cannot look anything up in DNS: /etc/resolv.conf names no server; repair it, or set `acme.resolvers`"
            ) from None
        self._lookup_s = lookup_s
        self._servers: dict[dns.name.Name, tuple[NameServer, ...]] = {}

    def locate(self, name: str) -> RecordPlace:
        """Where the CA looks when it queries `name`: there, or where CNAMEs lead (RFC 8555 section 8.4).

        Raises: LookupFailedError when the zone cannot be found or the chain has no end.
        """
        at, aliases = dns.name.from_text(name), list[str]()
        for _ in range(_LONGEST_CHAIN):
            zone = self._zone_of(at)
            servers = self._servers_of(zone)
            target = _find_alias(at, servers)
            if target is None:
                return RecordPlace(name=text(at), zone=text(zone), servers=servers, aliases=tuple(aliases))
            aliases.append(text(at))
            at = target
        cause = f'more than {_LONGEST_CHAIN} CNAMEs follow each other, up to "{text(at)}"'
        cure = "shorten the chain, or break the circle, at the DNS provider"
        raise LookupFailedError(f'cannot find where "{name}" leads: {cause}; {cure}', cause=cause, name=name)

    def place_in(self, name: str, zone: str) -> RecordPlace:
        """A name in a zone that is known. Raises: LookupFailedError."""
        return RecordPlace(name=name, zone=zone, servers=self._servers_of(dns.name.from_text(zone)))

    def query_zone(self, name: str, *kinds: str) -> tuple[dns.message.Message, ...]:
        """What the servers of a name's zone answer about it themselves. Raises: LookupFailedError."""
        servers = self._servers_of(self._zone_of(dns.name.from_text(name)))
        found = (query_any(servers, name, kind) for kind in kinds)
        return tuple(one for one in found if one is not None)

    def _zone_of(self, name: dns.name.Name) -> dns.name.Name:
        with _explained("the zone", text(name), self._resolver):
            try:
                return dns.resolver.zone_for_name(name, resolver=self._resolver, lifetime=self._lookup_s)
            except dns.resolver.NoNameservers:
                # A CNAME here that leads nowhere, or round, is what fails: the zone that holds it is looked for above.
                return dns.resolver.zone_for_name(name.parent(), resolver=self._resolver, lifetime=self._lookup_s)

    def _servers_of(self, zone: dns.name.Name) -> tuple[NameServer, ...]:
        if zone not in self._servers:
            with _explained("the name servers", text(zone), self._resolver):
                answer = self._resolver.resolve(zone, "NS", lifetime=self._lookup_s)
                found = sorted(text(row.target) for row in answer)[:_MOST_SERVERS]
                self._servers[zone] = tuple(NameServer(name=name, addresses=self._addresses_of(name)) for name in found)
        return self._servers[zone]

    def _addresses_of(self, server: str) -> tuple[str, ...]:
        found: list[str] = []
        for kind in ("A", "AAAA"):
            try:
                found += [str(row) for row in self._resolver.resolve(server + ".", kind, lifetime=self._lookup_s)]
            except dns.exception.DNSException:  # the other family, or the other servers, may do
                continue
        return tuple(found)


def query(address: str, name: str, kind: str) -> dns.message.Message:
    """What the server at an address answers itself, without recursion. Raises: NoAnswerError."""
    query = dns.message.make_query(name + ".", kind, use_edns=0, payload=1232)
    query.flags &= ~dns.flags.RD
    try:
        answer, _ = dns.query.udp_with_fallback(query, address, timeout=ANSWER_S, ignore_unexpected=True)
    except dns.exception.Timeout:
        raise NoAnswerError(f"does not answer within {ANSWER_S:.0f} s") from None
    except dns.exception.DNSException as error:
        raise NoAnswerError(f"answers with something else than DNS ({type(error).__name__})") from None
    except ConnectionError as error:
        raise NoAnswerError(f"cannot be queried: {causes.describe(error)}") from None
    except OSError as error:  # no route, or no IPv6 on this machine
        raise NoAnswerError(f"cannot be reached: {causes.describe(error)}", hopeless=True) from None
    if answer.rcode() not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        raise NoAnswerError(f"answers {dns.rcode.to_text(answer.rcode())}")
    return answer


def query_any(servers: collections.abc.Iterable[NameServer], name: str, kind: str) -> dns.message.Message | None:
    """The first answer of a server that has the zone; None: there is none."""
    silent = 0
    for address in (address for server in servers for address in server.addresses):
        try:
            answer = query(address, name, kind)
        except NoAnswerError as error:
            silent += not error.hopeless
            if silent == _MOST_SILENT:
                return None
            continue
        if answer.flags & dns.flags.AA:
            return answer
    return None


def read_texts(answer: dns.message.Message, name: str) -> tuple[str, ...]:
    """The TXT records of a name in an answer; the strings of one record are one text (RFC 8555 section 8.4)."""
    owner = dns.name.from_text(name)
    rows = [
        row for found in answer.answer if found.name == owner and found.rdtype == dns.rdatatype.TXT for row in found
    ]
    return tuple(b"".join(row.strings).decode("latin-1") for row in rows)


def text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _find_alias(name: dns.name.Name, servers: collections.abc.Iterable[NameServer]) -> dns.name.Name | None:
    """The CNAME at a name; None also when no server answers: then the wait for the record reports it.

    One that is there only by a wildcard is none: it goes away when a record is made at the name. What no person thinks
    of as a name shows it (RFC 4592 section 2.1.1).
    """
    other = dns.name.Name([f"_daemun-{secrets.token_hex(8)}".encode(), *name.parent().labels])
    target = _read_alias(servers, name)
    return None if target is None or target == _read_alias(servers, other) else target


def _read_alias(servers: collections.abc.Iterable[NameServer], name: dns.name.Name) -> dns.name.Name | None:
    answer = query_any(servers, text(name), "CNAME")
    for found in answer.answer if answer is not None else ():
        if found.name == name and found.rdtype == dns.rdatatype.CNAME:
            target: dns.name.Name = found[0].target
            return target
    return None


def make_resolver(servers: collections.abc.Sequence[str], kind: type[_Resolver]) -> _Resolver:
    """servers: as `model.Acme.resolvers`; empty: the system's. Raises: NoResolverConfiguration: it has none."""
    resolver = kind(configure=not servers)
    if servers:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(*acme_option.split_resolver(one)) for one in servers]
    return resolver


@contextlib.contextmanager
def _explained(what: str, name: str, resolver: dns.resolver.Resolver) -> collections.abc.Iterator[None]:
    """Turns errors into one that names what of a name could not be found, and why. Raises: LookupFailedError."""
    queried = ", ".join(str(server) for server in resolver.nameservers)
    try:
        yield
    except (dns.exception.DNSException, OSError) as error:
        cause, cure = _explain(error, queried)
        message = f'cannot find {what} of "{name}": {cause}; {cure}'
        raise LookupFailedError(message, cause=cause, name=name) from error


def _explain(error: Exception, queried: str) -> tuple[str, str]:
    """Cause and cure. queried: the resolvers."""
    match error:
        case dns.resolver.NoRootSOA() | dns.resolver.NXDOMAIN() | dns.resolver.NoAnswer():
            cure = "check that the domain is registered, and that its registrar names its name servers"
            return "it is not in DNS", cure
        case dns.resolver.NoNameservers():
            cure = "check the domain's name servers, and DNSSEC, at its registrar; or set `acme.resolvers`"
            return f"the resolver ({queried}) refuses, or fails, to answer", cure
        case dns.exception.Timeout():
            cure = "check this machine's way to the internet, or set `acme.resolvers`"
            return f"the resolver ({queried}) does not answer", cure
    return f"the resolver ({queried}) fails with {type(error).__name__}", "set `acme.resolvers` to another one"
