"""Whether a record for a proof in DNS could be seen by a CA. Pure."""

from daemun.core import model, new_findings
from daemun.core.issuance.preflight import facts, preflight_words

TOPIC = "record"


def judge_place(found: facts.ProofPlace, context: facts.OrderContext) -> tuple[model.Finding, ...]:
    """Findings about the zone in which the record of a DNS proof lies, or is looked for through a CNAME."""
    through = f"{found.record} is a CNAME that leads to {found.target}" if found.target is not None else None
    name = found.target or found.record
    if found.failure is not None:
        return (
            new_findings.warns(
                TOPIC,
                f"the zone of {name} cannot be found out ({found.failure})",
                "check the name servers of the domain and its DNSSEC, and this machine's resolver (`acme.resolvers`)",
                context.host,
            ),
        )
    # A domain that is not registered is answered for by the zone above it, "com".
    if found.zone is None or "." not in found.zone:
        if through is not None:
            cure = f"correct that CNAME, or remove it, so that records are made at {found.record} itself"
            return (
                preflight_words.fails_for_sure(TOPIC, f"{through}, a domain that does not exist in DNS", cure, context),
            )
        cure = "register the domain, or let its registrar name its name servers, or correct the name's spelling"
        return (preflight_words.fails_for_sure(TOPIC, "lies in no domain that exists in DNS", cure, context),)
    return _judge_servers(found, through, context)


def _judge_servers(
    found: facts.ProofPlace, through: str | None, context: facts.OrderContext
) -> tuple[model.Finding, ...]:
    lead = f"{through}; " if through is not None else ""
    silent = [server for server in found.servers if server.failure is not None]
    failures = "; ".join(f"{server.name}: {server.failure}" for server in silent)
    if not found.servers:
        message = f"{lead}the zone {found.zone} names no name server"
        return (
            new_findings.warns(TOPIC, message, "correct the NS records of the zone at its DNS provider", context.host),
        )
    if len(silent) == len(found.servers):
        message = f"{lead}no name server of the zone {found.zone} answers ({failures})"
        cure = "check the zone, and that this machine may send DNS questions to the internet (port 53, UDP and TCP)"
        return (new_findings.warns(TOPIC, message, cure, context.host),)
    if silent:
        message = (
            f"{lead}not every name server of the zone {found.zone} answers ({failures}), and a CA may ask any of them"
        )
        cure = "repair that name server, or take it out of the NS records of the zone"
        return (new_findings.warns(TOPIC, message, cure, context.host),)
    answering = preflight_words.joined(server.name for server in found.servers)
    return (
        new_findings.good(TOPIC, f"{lead}the name servers of the zone {found.zone} answer ({answering})", context.host),
    )
