"""Where a record for a proof in DNS would lie, and whether the name servers there answer."""

import asyncio
import collections.abc
import functools

import dns.flags

from daemun.certs import daemon_thread, dns_lookup
from daemun.certs.preflight import dns_questions
from daemun.core import model
from daemun.core.issuance import persist_records
from daemun.core.issuance.preflight import facts


def record_of(host: str, challenge: model.Challenge) -> str:
    """The name that a CA queries. Sources: RFC 8555 section 8.4, draft-ietf-acme-dns-persist."""
    label = persist_records.LABEL if challenge is model.Challenge.DNS_PERSIST_01 else "_acme-challenge"
    return f"{label}.{host.removeprefix('*.')}"


async def find_place(servers: collections.abc.Sequence[str], host: str, challenge: model.Challenge) -> facts.ProofPlace:
    """The zone behind the record of a name, through CNAMEs, and its name servers. servers: as `dns_lookup.Lookup`."""
    record = record_of(host, challenge)

    def locate() -> dns_lookup.RecordPlace:
        return dns_lookup.Lookup(servers, lookup_s=dns_questions.LIFETIME_S).locate(record)

    try:
        place = await daemon_thread.run(locate, name=f"locate {record}")
    except dns_lookup.LookupFailedError as error:
        failure = error.cause if error.name == record else f"{error.name}: {error.cause}"
        return facts.ProofPlace(record=record, failure=failure)
    target = place.name if place.aliases else None
    if "." not in place.zone.rstrip("."):  # the root or a domain like "com" answers for what does not exist
        return facts.ProofPlace(record=record, target=target)
    tries = (daemon_thread.run(functools.partial(_try_server, one, place.zone), name=one.name) for one in place.servers)
    return facts.ProofPlace(record=record, target=target, zone=place.zone, servers=tuple(await asyncio.gather(*tries)))


def _try_server(server: dns_lookup.NameServer, zone: str) -> facts.NameServerCheck:
    """The first of its addresses that answers decides."""
    failure = "its name has no address in DNS"
    for address in server.addresses:
        try:
            answer = dns_lookup.query(address, zone, "SOA")
        except dns_lookup.NoAnswerError as error:
            failure = f"it {error}"
            continue
        has_zone = bool(answer.flags & dns.flags.AA)
        return facts.NameServerCheck(name=server.name, failure=None if has_zone else "it does not answer for this zone")
    return facts.NameServerCheck(name=server.name, failure=failure)
