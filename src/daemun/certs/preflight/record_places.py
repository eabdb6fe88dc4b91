"""Where a record for a proof in DNS would lie, and whether the name servers there answer."""

import asyncio

import dns.exception
import dns.flags
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver

from daemun.certs.preflight import dns_questions, zones
from daemun.core import model
from daemun.core.issuance.preflight import facts

_MOST_STEPS = 8
"""Of a chain of CNAMEs; longer ones resolvers refuse, too."""


def record_of(host: str, challenge: model.Challenge) -> str:
    """The name that a CA queries. Sources: RFC 8555 section 8.4, draft-ietf-acme-dns-persist."""
    prefix = "_validation-persist" if challenge is model.Challenge.DNS_PERSIST_01 else "_acme-challenge"
    return f"{prefix}.{host.removeprefix('*.')}"


async def find_place(resolver: dns_questions.Resolver, host: str, challenge: model.Challenge) -> facts.ProofPlace:
    """The zone behind the record of a name, through CNAMEs, and its name servers."""
    record = record_of(host, challenge)
    target: str | None = None
    try:
        name = await _follow(resolver, dns.name.from_text(record))
        target = zones.text(name) if zones.text(name) != record else None
        zone = await zones.find_zone(resolver, name)
        if len(zone) <= 2:  # the root or a domain like "com" answers for what does not exist
            return facts.ProofPlace(record=record, target=target, zone=zones.text(zone))
        servers = await zones.find_servers(resolver, zone)
    except dns.resolver.NoAnswer:
        return facts.ProofPlace(record=record, target=target, zone=zones.text(zone))
    except (dns.exception.DNSException, OSError) as error:
        return facts.ProofPlace(record=record, target=target, failure=dns_questions.explain(error))
    found = await asyncio.gather(*(_try_server(server, zone) for server in servers))
    return facts.ProofPlace(record=record, target=target, zone=zones.text(zone), servers=tuple(found))


async def _follow(resolver: dns_questions.Resolver, name: dns.name.Name) -> dns.name.Name:
    for _ in range(_MOST_STEPS):
        try:
            answer = await resolver.resolve(name, "CNAME")
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return name
        name = answer[0].target
    raise OSError(f"more than {_MOST_STEPS} CNAMEs follow each other")


async def _try_server(server: zones.ZoneServer, zone: dns.name.Name) -> facts.NameServer:
    try:
        answer = await zones.query_server(server, zone, dns.rdatatype.SOA)
    except dns.exception.Timeout:
        return facts.NameServer(name=server.name, failure="no answer")
    except (dns.exception.DNSException, OSError) as error:
        return facts.NameServer(name=server.name, failure=dns_questions.explain(error))
    if answer.rcode() != dns.rcode.NOERROR:
        return facts.NameServer(name=server.name, failure=f"it answers {dns.rcode.to_text(answer.rcode())}")
    if not answer.flags & dns.flags.AA:
        return facts.NameServer(name=server.name, failure="it does not answer for this zone")
    return facts.NameServer(name=server.name)
