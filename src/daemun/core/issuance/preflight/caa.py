"""Whether CAA records let a CA sign (RFC 8659, RFC 8657). Pure."""

import dataclasses

from daemun.core import model, new_findings
from daemun.core.issuance.preflight import facts, preflight_words
from daemun.core.texts import words

TOPIC = "caa"

_KNOWN = {
    "letsencrypt.org": ("letsencrypt.org",),
    # zerossl.com/help: Sectigo signs for ZeroSSL.
    "zerossl.com": ("sectigo.com", "trust-provider.com", "usertrust.com", "comodoca.com", "comodo.com"),
    "sectigo.com": ("sectigo.com", "trust-provider.com", "usertrust.com", "comodoca.com", "comodo.com"),
    "pki.goog": ("pki.goog",),
    "buypass.com": ("buypass.com", "buypass.no"),
    "ssl.com": ("ssl.com",),
    "digicert.com": ("digicert.com",),
}
"""What CAs call themselves in CAA records, where their directory (meta.caaIdentities) has none, or is not read."""

_RESTRICTING = frozenset({"issue", "issuewild"})
_UNDERSTOOD = _RESTRICTING | {"iodef", "issuemail", "issuevmc", "contactemail", "contactphone"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Grant:
    """One issue or issuewild property. issuer: in lower case; empty: none."""

    issuer: str
    accounts: tuple[str, ...]
    methods: tuple[str, ...] | None


def known_identities(directory: str) -> tuple[str, ...]:
    """How the CA of a directory's URL calls itself, as far as daemun knows; empty: it does not."""
    host = directory.partition("://")[2].partition("/")[0].partition(":")[0].lower()
    return next((own for domain, own in _KNOWN.items() if host == domain or host.endswith("." + domain)), ())


def judge_caa(found: facts.Caa, context: facts.OrderContext, identities: tuple[str, ...]) -> tuple[model.Finding, ...]:
    """Whether the CA with these identities may sign; empty: it is not known what it calls itself."""
    if found.failure is not None:
        return (
            new_findings.warns(
                TOPIC,
                f"its CAA records cannot be looked up ({found.failure}); a CA that sees the same must not sign",
                "ask again in some minutes; if it stays, repair the name servers of the domain, or its DNSSEC",
                context.host,
            ),
        )
    if found.at is None:
        return (new_findings.good(TOPIC, "no CAA record keeps any CA from signing", context.host),)
    strange = [record.tag for record in found.records if record.is_critical and record.tag not in _UNDERSTOOD]
    if strange:
        message = f"a CAA record of {found.at} is marked critical and of an unknown kind, {words.quoted(strange[0])}"
        return (
            preflight_words.fails_for_sure(
                TOPIC, message, "remove that CAA record; no CA signs while it is there", context
            ),
        )
    grants = _grants_for(found, is_wildcard=context.host.startswith("*."))
    if grants is None:
        return (new_findings.good(TOPIC, f"the CAA records of {found.at} restrict no CA", context.host),)
    if not identities:
        return ()
    return (_judge_grants(grants, found.at, context, identities),)


def _judge_grants(
    grants: tuple[_Grant, ...], at: str, context: facts.OrderContext, identities: tuple[str, ...]
) -> model.Finding:
    ours = [grant for grant in grants if grant.issuer in identities]
    kind = "issuewild" if context.host.startswith("*.") else "issue"
    record = f'{at} CAA 0 {kind} "{identities[0]}"'
    if not ours:
        named = [words.quoted(grant.issuer) for grant in grants if grant.issuer]
        message = f"the CAA records of {at} allow nobody to sign, not this CA ({identities[0]})"
        if named:
            only = words.listed(named, last="and")
            message = f"the CAA records of {at} allow only {only} to sign, not this CA ({identities[0]})"
        cure = f"add the record `{record}`, or name a CA that they allow under `acme.directory`"
        return preflight_words.fails_for_sure(TOPIC, message, cure, context)
    method = context.challenge.value
    fitting = [grant for grant in ours if grant.methods is None or method in grant.methods]
    if not fitting:
        allowed = words.listed(sorted({name for grant in ours for name in grant.methods or ()}) or ["none"])
        message = f"the CAA record of {at} allows this CA other proofs ({allowed}), not {method}"
        return preflight_words.fails_for_sure(
            TOPIC, message, f"add {method} to its `validationmethods`, or remove them", context
        )
    free = [grant for grant in fitting if not grant.accounts or context.account in grant.accounts]
    if free:
        return new_findings.good(TOPIC, f"the CAA records of {at} allow this CA ({free[0].issuer})", context.host)
    wanted = words.quoted(fitting[0].accounts[0])
    if context.account is None:
        message = f"the CAA record of {at} allows one account only ({wanted}), and daemun has none at this CA yet"
        cure = "import that account, or leave `accounturi` out until the first certificate is there"
        return new_findings.warns(TOPIC, message, cure, context.host)
    message = f"the CAA record of {at} allows another account ({wanted}) than daemun's"
    return preflight_words.fails_for_sure(
        TOPIC, message, f"change its `accounturi` to {context.account}, or remove it", context
    )


def _grants_for(found: facts.Caa, *, is_wildcard: bool) -> tuple[_Grant, ...] | None:
    """The properties that count for a name; None: nothing restricts it. Source: RFC 8659 sections 4.2 and 4.3."""
    for tag in ("issuewild", "issue") if is_wildcard else ("issue",):
        of_tag = tuple(_parse(record.value) for record in found.records if record.tag == tag)
        if of_tag:
            return of_tag
    return None


def _parse(value: str) -> _Grant:
    """ "ca.example; accounturi=https://...; validationmethods=dns-01,http-01". What is malformed grants nothing
    (RFC 8659 section 4.2)."""
    issuer, *texts = (part.strip(" \t") for part in value.split(";"))
    pairs = [tuple(word.strip(" \t") for word in text.partition("=")[::2]) for text in texts if text]
    if any(not key or "=" not in text for (key, _), text in zip(pairs, (text for text in texts if text), strict=True)):
        issuer = ""
    methods = [given for key, given in pairs if key.lower() == "validationmethods"]
    return _Grant(
        issuer=issuer.lower().removesuffix("."),
        accounts=tuple(given for key, given in pairs if key.lower() == "accounturi"),
        methods=tuple(word.strip() for given in methods for word in given.split(",")) if methods else None,
    )
