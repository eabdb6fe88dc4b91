"""The rules of how certificates are ordered that concern a site and the gate together. Pure."""

from daemun.core import model, problem_report
from daemun.core.issuance import challenge_choice, public_cas
from daemun.core.options import option, ordering_forms
from daemun.core.texts import names, words


def find_order_problems(site: model.Site, acme: model.Acme) -> tuple[model.Problem, ...]:
    """Names of a site that the CA in use cannot sign or that nothing can prove; an own CA may sign private ones."""
    report = problem_report.ProblemReport(host=site.host, origin=site.origin)
    ordering = fill(site.tls.ordering, acme)
    place = option.Place(report=report, field=("tls",), site=site)
    ordering_forms.check_ordering(site.tls.ordering, place)
    if site.tls.ordering.challenge is not None:
        ordering_forms.check_challenge(ordering, place)
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


def _listed(hosts: list[str]) -> str:
    return words.listed([words.quoted(host) for host in hosts], last="and")
