"""The rules of how certificates are ordered, and of alerts. Pure."""

import ipaddress

from daemun.core import model, names, problem_report, rules, validate_dns, words
from daemun.core.issuance import challenge_choice, public_cas

_NEED_EAB = ("acme.zerossl.com", "dv.acme-v02.api.pki.goog")
_MOST_NAMES = 100_000


def check_acme(acme: model.Acme, report: problem_report.ProblemReport) -> None:
    if not acme.authorities:
        report.add("is empty; expected at least one CA", "acme", "directory")
    for authority in acme.authorities:
        check_authority(authority, report, "acme")
    seen = [authority.directory for authority in acme.authorities]
    for url in {url for url in seen if seen.count(url) > 1}:
        report.add(f"{words.quoted(url)} is given twice", "acme", "directory")
    ordering = fill(model.Ordering(), acme)
    check_ordering(ordering, report, "acme")
    _check_challenge(ordering, report, "acme")
    report.add(rules.check_command(acme.hook), "acme", "hook")
    for index, server in enumerate(acme.resolvers):
        report.add_value(server, _check_resolver(server), "acme", "resolvers", index)


def check_authority(authority: model.Authority, report: problem_report.ProblemReport, *field: str) -> None:
    report.add_value(authority.directory, rules.check_directory(authority.directory), *field, "directory")
    if authority.email is not None:
        report.add_value(authority.email, rules.check_email(authority.email), *field, "email")
    if authority.ca_file is not None:
        report.add_value(authority.ca_file, rules.check_absolute(authority.ca_file), *field, "ca_file")
    if authority.staging is not None:
        report.add_value(authority.staging, rules.check_directory(authority.staging), *field, "staging")
    if authority.eab is None and public_cas.host_of(authority.directory) in _NEED_EAB:
        cause = f"{words.quoted(authority.directory)} serves only accounts that were made on its web page"
        report.add(f"{cause}; add `eab: {{kid: ..., hmac_key: ...}}` beside it", *field, "directory")
    if authority.eab is not None:
        report.add("is empty" if not authority.eab.key_id else rules.check_text(authority.eab.key_id), *field, "eab")


def check_ordering(ordering: model.Ordering, report: problem_report.ProblemReport, *field: str) -> None:
    if ordering.profile is not None and not ordering.profile.strip():
        report.add("is empty; leave it out for the CA's usual one", *field, "profile")
    if ordering.preferred_chain is not None:
        fault = "is empty" if not ordering.preferred_chain.strip() else rules.check_text(ordering.preferred_chain)
        report.add(fault and f"{fault}; leave it out for the CA's usual chain", *field, "preferred_chain")
    if ordering.dns is not None:
        validate_dns.check_dns(ordering.dns, report, *field, "dns")


def _check_challenge(ordering: model.Ordering, report: problem_report.ProblemReport, *field: str) -> None:
    """ordering: as it is used, with what the gate has."""
    if ordering.challenge is model.Challenge.DNS_01 and ordering.dns is None:
        report.add("dns-01 needs `dns`, which says who makes the records", *field, "challenge")


def _check_resolver(text: str) -> str | None:
    host, port = split_resolver(text)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "is not an address of a DNS server; expected 192.0.2.1 or [2001:db8::1]:53"
    return None if 1 <= port <= 65535 else "has no port from 1 to 65535"


def split_resolver(text: str) -> tuple[str, int]:
    """Address and port of "192.0.2.1", "192.0.2.1:53", "2001:db8::1" or "[2001:db8::1]:53"; port 0: no number."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, ""
    return host, (int(port) if port.isascii() and port.isdecimal() else 0) if port else 53


# --- sites -----------------------------------------------------------------------------------------------------


def find_order_problems(site: model.Site, acme: model.Acme) -> tuple[model.Problem, ...]:
    """Names of a site that the CA in use cannot sign or that nothing can prove; an own CA may sign private ones."""
    report = problem_report.ProblemReport(host=site.host, origin=site.origin)
    ordering = fill(site.tls.ordering, acme)
    check_ordering(site.tls.ordering, report, "tls")
    if site.tls.ordering.challenge is not None:
        _check_challenge(ordering, report, "tls")
    directory = ordering.authority.directory if ordering.authority is not None else acme.directory
    private = [name for name in site.names if not names.is_signed_publicly(name)]
    if site.tls.mode is model.TlsMode.ACME and private and public_cas.is_public_directory(directory):
        cause = f"cannot order a certificate for {_listed(private)}: no public CA signs such a name"
        report.add(f"{cause}; write `tls: local`, or name your own CA in `acme.directory`", "tls")
    _check_signing(site, ordering, report)
    return tuple(report.problems)


def _check_signing(site: model.Site, ordering: model.Ordering, report: problem_report.ProblemReport) -> None:
    """Names that nothing can prove, and names beside others that only the local CA signs."""
    cure = "say under `acme.dns` who makes records in DNS, or write `tls: local`"
    unproved = [name for name in site.names if challenge_choice.choose_challenge(name, ordering) is None]
    if site.tls.mode is model.TlsMode.ACME and unproved:
        report.add(f"cannot order a certificate for {_listed(unproved)}: a wildcard is proved in DNS; {cure}", "tls")
    underscored = [name for name in site.names if "_" in name and names.is_signed_publicly(name.replace("_", "x"))]
    if site.tls.mode is model.TlsMode.AUTO and underscored:
        report.add(
            f'the local CA signs {_listed(underscored)}: no public CA signs a name with "_", so browsers warn of it; '
            'rename it (with "-", say), or write `tls: local`',
            "tls",
            severity=model.Severity.WARNING,
        )
    unsigned = [
        name for name in site.names if name not in underscored and not challenge_choice.is_orderable(name, ordering)
    ]
    wildcards = [name for name in unproved if names.is_signed_publicly(name)]
    if site.tls.mode is model.TlsMode.AUTO and (wildcards or 0 < len(unsigned) < len(site.names) - len(underscored)):
        reason = "a wildcard is proved in DNS" if wildcards else "no public CA signs such a name"
        cause = f"the local CA signs {_listed(unsigned)}: {reason}"
        advice = cure if wildcards else "give such names a site of their own with `tls: local`"
        report.add(f"{cause}; {advice}", "tls", severity=model.Severity.WARNING)


def fill(ordering: model.Ordering, acme: model.Acme) -> model.Ordering:
    """With what the gate has for all certificates, but for the CA and the address."""
    of_keys = acme if ordering.key_type is None else ordering
    return model.Ordering(
        authority=ordering.authority,
        email=ordering.email,
        profile=ordering.profile or acme.profile,
        challenge=ordering.challenge or acme.challenge,
        dns=ordering.dns or acme.dns,
        key_type=of_keys.key_type,
        further_key_type=of_keys.further_key_type,
        preferred_chain=ordering.preferred_chain or acme.preferred_chain,
    )


def check_on_demand(site: model.Site, report: problem_report.ProblemReport) -> None:
    wanted = site.on_demand
    if wanted is None:
        return
    if site.tls.mode not in {model.TlsMode.AUTO, model.TlsMode.ACME}:
        report.add(f"gets certificates by itself, but tls is {site.tls.mode.value}", "on_demand")
    report.add(rules.check_number(wanted.per_minute, least=1, most=6000), "on_demand", "per_minute")
    report.add(rules.check_number(wanted.most, least=1, most=_MOST_NAMES), "on_demand", "most")
    if wanted.ask is not None:
        report.add_value(wanted.ask, rules.check_web_url(wanted.ask), "on_demand", "ask")


def _listed(hosts: list[str]) -> str:
    return words.listed([words.quoted(host) for host in hosts], last="and")
