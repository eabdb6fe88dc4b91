"""Table and question -> answer, as DNS messages (RFC 1035, RFC 2782). Pure.

What nginx makes of an answer (ngx_resolver.c and ngx_http_upstream_zone_module.c of 1.31.3; the integration tests show
it), for `server NAME.daemun service=http resolve;` and a `resolver` without `valid=`:

- It queries SRV for `_http._tcp.NAME.daemun`, then A and AAAA for every target; then the servers are ready.
- It queries again TTL + 1 s later; TTL is the smallest one of SRV and addresses. So it does with TTL 0 a second after
each answer, and no sooner (`timer` in ngx_http_upstream_zone_resolve_handler; the same since 1.27.3). `valid=` would
make it query the addresses as often, which never change.
- The lowest priority number is primary, all others are backups: when primaries vanish, the next priority is primary.
  A weight in the configuration (`weight=` other than 1) wins over those of the SRV records.
- No records, or NXDOMAIN: every server is removed at once, and it queries again only after 11 s.
- SERVFAIL, REFUSED or silence: the servers stay, also across a reload if the upstream and its zone keep their names.
  It queries again after `resolver_timeout`; while it waits for an answer it repeats the question every 5 s.
- A question is repeated over TCP when the UDP answer is marked as cut (TC).
"""

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from daemun.discovery import responder_sockets, service_table

ZONE = dns.name.from_text("daemun.")
_ADDRESSES = dns.name.from_text("ep.daemun.")
_SERVICE = (b"_http", b"_tcp")
_PRIMARY, _BACKUP = 1, 2

SERVICE_TTL_S = 0
ADDRESS_TTL_S = 86400
"""An address is part of its name."""


def answer(table: service_table.Table, query: bytes, *, max_bytes: int) -> tuple[bytes, str | None] | None:
    """Returns: the answer and the service it is about (None: about something else), or None for what is no question:
    that is dropped, for an answer to an answer would go on for ever."""
    try:
        question = dns.message.from_wire(query)
        response = dns.message.make_response(question, our_payload=responder_sockets.UDP_BYTES)
    except (dns.exception.DNSException, ValueError):
        return None
    service = None
    if question.opcode() != dns.opcode.QUERY:
        response.set_rcode(dns.rcode.NOTIMP)
    elif len(question.question) != 1:
        response.set_rcode(dns.rcode.FORMERR)
    else:
        service = _fill(response, table, question.question[0])
    return response.to_wire(max_size=max_bytes, prefer_truncation=True), service


def _fill(response: dns.message.Message, table: service_table.Table, question: dns.rrset.RRset) -> str | None:
    if question.rdclass != dns.rdataclass.IN or not question.name.is_subdomain(ZONE):
        response.set_rcode(dns.rcode.REFUSED)
        return None
    response.flags |= dns.flags.AA
    name = question.name.canonicalize()
    if name.labels[:2] == _SERVICE:
        service = dns.name.Name(name.labels[2:]).to_text(omit_final_dot=True)
        endpoints = table.get(service)
        if endpoints is None:
            # An old generation, or one from before daemun's restart, queries: its servers are to stay as they are.
            response.set_rcode(dns.rcode.SERVFAIL)
            return None
        if question.rdtype == dns.rdatatype.SRV:
            _add(response, question, SERVICE_TTL_S, [_srv(endpoint) for endpoint in endpoints])
        return service
    address = (
        service_table.address_of(name.labels[0].decode("ascii", "replace")) if name.parent() == _ADDRESSES else None
    )
    if address is None:
        response.set_rcode(dns.rcode.NXDOMAIN)
    elif question.rdtype == (dns.rdatatype.A if address.version == 4 else dns.rdatatype.AAAA):
        _add(response, question, ADDRESS_TTL_S, [str(address)])
    return None


def _srv(endpoint: service_table.ServiceEndpoint) -> str:
    priority = _BACKUP if endpoint.backup else _PRIMARY
    return f"{priority} {endpoint.weight} {endpoint.port} {service_table.name_of(endpoint.address)}.{_ADDRESSES}"


def _add(response: dns.message.Message, question: dns.rrset.RRset, ttl_s: int, records: list[str]) -> None:
    response.answer.append(dns.rrset.from_text_list(question.name, ttl_s, question.rdclass, question.rdtype, records))
