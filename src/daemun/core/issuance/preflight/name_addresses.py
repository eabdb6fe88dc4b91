"""Whether a name has addresses that a CA could reach. Pure."""

from daemun.core import model, new_findings
from daemun.core.issuance.preflight import facts, preflight_words

TOPIC = "dns"


def judge_names(found: facts.Names, context: facts.OrderContext, here: facts.ThisMachine) -> tuple[model.Finding, ...]:
    """Findings about the records of a name that is proved over HTTP."""
    if not found.addresses:
        return (_judge_absence(found, context, here),)
    findings = [_judge_addresses(found.addresses, context, here)]
    if found.failures:
        findings.append(
            new_findings.warns(
                TOPIC,
                f"some of its records cannot be found ({'; '.join(found.failures)}); a CA that sees the same refuses",
                "ask again in some minutes; if it stays, repair the name servers of the domain, or its DNSSEC",
                context.host,
            )
        )
    return tuple(findings)


def judge_literal(
    context: facts.OrderContext, address: facts.Address, here: facts.ThisMachine
) -> tuple[model.Finding, ...]:
    """Findings about a host that is an address itself."""
    if address in here.addresses:
        return (new_findings.good(TOPIC, "it is an address of this machine", context.host),)
    return (
        new_findings.warns(
            TOPIC,
            "no interface of this machine has this address",
            "if a router leads it here, all is well; otherwise name an address that `ip address` shows",
            context.host,
        ),
    )


def _judge_absence(found: facts.Names, context: facts.OrderContext, here: facts.ThisMachine) -> model.Finding:
    if found.failures:
        return new_findings.warns(
            TOPIC,
            f"cannot be looked up ({'; '.join(found.failures)})",
            "check the name servers of the domain and its DNSSEC, and this machine's resolver (/etc/resolv.conf); "
            "`acme.resolvers` names others to ask",
            context.host,
        )
    what = "has neither an A nor an AAAA record in DNS" if found.exists else "does not exist in DNS (NXDOMAIN)"
    cure = f"make an A or AAAA record for it that points to {preflight_words.this_machine(here)}"
    if context.is_public:
        cure += "; if only this machine's resolver does not know it, name public ones under `acme.resolvers`"
    return preflight_words.fails_for_sure(TOPIC, what, cure, context)


def _judge_addresses(
    addresses: tuple[facts.Address, ...], context: facts.OrderContext, here: facts.ThisMachine
) -> model.Finding:
    private = [address for address in addresses if not address.is_global]
    if context.is_public and private:
        return new_findings.warns(
            TOPIC,
            f"resolves to {preflight_words.joined(private)}, which no CA on the internet can reach",
            f"let the name point to {preflight_words.this_machine(here)}; if it only looks so from inside your "
            "network, name public resolvers under `acme.resolvers` to see what the CA sees",
            context.host,
        )
    return new_findings.good(TOPIC, f"resolves to {preflight_words.joined(addresses)}", context.host)
