"""Whether port 80 of a name's addresses leads to this gate. Pure.

A machine behind a router may not see itself from outside (no NAT loopback), and a packet filter may lead port 80 to
another port for others only; so what was not reached is mostly no proof that a CA would not reach it.
"""

import collections.abc

from daemun.core import model, new_findings
from daemun.core.issuance.preflight import facts, preflight_words

TOPIC = "reach"
WAIT_S = 5
"""How long an answer is waited for. Let's Encrypt waits 10 s."""

_SHUT = frozenset({facts.Reach.REFUSED, facts.Reach.SILENT, facts.Reach.CLOSED, facts.Reach.NO_WAY})
_REDIRECTED = frozenset({facts.Reach.MOVED, facts.Reach.LOOP})

_THROUGH = "let requests below /.well-known/acme-challenge/ through to this machine as they are"
_REDIRECT_CURE = f"switch that redirect off for the CA: {_THROUGH}"
_CURE_HERE = "`ss -ltnp` shows who listens there; stop that program, or let it listen elsewhere"
_LISTEN = (
    "let daemun listen at port 80 (`listen: {http: 80}`), or lead port 80 to the port that it listens at; "
    "if a packet filter does that for others, ignore this"
)
_CURES_HERE = {
    facts.Reach.REFUSED: _LISTEN,
    facts.Reach.CLOSED: _LISTEN,
    facts.Reach.SILENT: "open port 80 in the firewall of this machine",
    facts.Reach.MOVED: _REDIRECT_CURE,
    facts.Reach.LOOP: _REDIRECT_CURE,
}


def judge_visits(
    visits: collections.abc.Sequence[facts.PreflightVisit], context: facts.OrderContext, here: facts.ThisMachine
) -> tuple[model.Finding, ...]:
    """Findings about the addresses of a name (or the address that a host is), each of which was visited."""
    reached = [visit.address for visit in visits if visit.reach is facts.Reach.HERE]
    failed = [visit for visit in visits if visit.reach is not facts.Reach.HERE]
    findings = [_good(reached, context)] if reached else []
    if not reached and failed and all(_fails_for_sure(visit, here) for visit in failed):
        cure = (
            "let daemun listen at port 80 of this address, too: a port alone under `listen:` (`http: 80`) means every "
            "address"
        )
        return tuple(preflight_words.fails_for_sure(TOPIC, _cause(visit), cure, context) for visit in failed)
    for visit in failed:
        if reached:
            findings.append(_judge_stale(visit, reached, context, here))
        else:
            findings.append(new_findings.warns(TOPIC, _cause(visit), _cure(visit, here), context.host))
    return tuple(findings)


def _good(reached: list[facts.Address], context: facts.OrderContext) -> model.Finding:
    return new_findings.good(TOPIC, f"port 80 of {preflight_words.joined(reached)} leads to this daemun", context.host)


def _fails_for_sure(visit: facts.PreflightVisit, here: facts.ThisMachine) -> bool:
    """It is this machine's own address, and its port 80 is closed though daemun has port 80 of another one: nobody
    forwards it then."""
    is_own = visit.address in here.addresses and visit.address.is_global
    return visit.reach is facts.Reach.REFUSED and is_own and here.listens


def _judge_stale(
    visit: facts.PreflightVisit, reached: list[facts.Address], context: facts.OrderContext, here: facts.ThisMachine
) -> model.Finding:
    """Some addresses lead here and this one does not. CAs try IPv6 first, and each of their places may choose anew."""
    is_v6 = visit.address.version == 6
    kind = "AAAA" if is_v6 else "A"
    others = [address for address in reached if address.version != visit.address.version]
    leads = preflight_words.joined(others or reached)
    message = f"its {kind} record {visit.address} does not lead here, while {leads} does: {_cause(visit)}"
    if is_v6:
        message += "; CAs and visitors try IPv6 first"
    cure = f"remove that {kind} record, or make it point to this machine"
    if visit.address in here.addresses:
        cure = f"let daemun answer at port 80 of {visit.address}, or remove that {kind} record"
    return new_findings.warns(TOPIC, message, cure, context.host)


def _cause(visit: facts.PreflightVisit) -> str:
    where = f"port 80 of {visit.address}"
    causes = {
        facts.Reach.REFUSED: f"nothing accepts connections at {where}",
        facts.Reach.SILENT: f"{where} does not answer within {WAIT_S} s, as behind a firewall",
        facts.Reach.NO_WAY: f"there is no way from here to {visit.address} ({visit.detail})",
        facts.Reach.CLOSED: f"what listens at {where} closes the connection without an answer in HTTP",
        facts.Reach.ACCOUNT: f"{where} leads to another daemun or ACME client, which answers for another account",
        facts.Reach.MOVED: f"a request for a proof at {where} is redirected to {visit.detail}",
        facts.Reach.LOOP: f"a request for a proof at {where} is redirected without an end",
    }
    return causes.get(visit.reach, f"another server answers at {where}: {visit.detail}")


def _cure(visit: facts.PreflightVisit, here: facts.ThisMachine) -> str:
    if visit.address in here.addresses:
        return _CURES_HERE.get(visit.reach, _CURE_HERE)
    point_here = f"let the name point to {preflight_words.this_machine(here)}"
    if visit.reach is facts.Reach.NO_WAY and visit.address.version == 6:
        return "give this machine IPv6, or remove the AAAA record; CAs try IPv6 first"
    if visit.reach in _SHUT:
        return (
            f"open port 80 in firewall and router and lead it to this machine, or {point_here}; behind a router that "
            "does not lead its own network back, look from outside (a phone) before you change anything"
        )
    if visit.reach in _REDIRECTED:
        return _REDIRECT_CURE
    return f"{point_here}; or if what answers stands in front of it, {_THROUGH}"
