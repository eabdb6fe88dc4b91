"""Whether the DNS providers that a configuration names exist, with options that they have. Blocking, milliseconds."""

import collections.abc

from daemun import dns_providers
from daemun.core import model, problem_report, validate_dns
from daemun.core.texts import words

OWN = (model.RFC2136, model.HOOK)

_AMBIENT = frozenset({"oci", "route53"})
"""Providers whose own libraries find credentials on this machine: files in a home, roles of a machine in the cloud."""
_KEYS = ("auth_", "api_key", "secret_")
"""How the options begin by which providers know who asks."""


def find_problems(acme: model.Acme | None, sites: collections.abc.Iterable[model.Site]) -> tuple[model.Problem, ...]:
    """What `validate_dns` cannot know, because it looks at nothing."""
    problems: list[model.Problem] = []
    if acme is not None and acme.dns is not None:
        problems += _check(acme.dns, problem_report.ProblemReport(host=None, origin=model.NOWHERE), "acme", "dns")
    for site in sites:
        if site.enabled and site.tls.ordering.dns is not None:
            problems += _check(
                site.tls.ordering.dns, problem_report.ProblemReport(host=site.host, origin=site.origin), "tls", "dns"
            )
    return tuple(problems)


def _check(dns: model.Dns, report: problem_report.ProblemReport, *field: str) -> list[model.Problem]:
    known = (*OWN, *dns_providers.find_providers())
    if dns.provider in OWN or not dns.provider.strip():
        return []
    if dns.provider not in known:
        guess = words.guess(dns.provider, known) or f"; known are {words.listed(known, last='and')}"
        report.add_value(dns.provider, f"is no provider that daemun or dns-lexicon knows{guess}", *field, "provider")
        return report.problems
    missing = dns_providers.find_missing_package(dns.provider)
    if missing is not None:
        cause = f'needs the package {missing}: pip install "dns-lexicon[{dns.provider}]" beside daemun'
        report.add_value(dns.provider, cause, *field, "provider")
    options = dns_providers.find_options(dns.provider)
    if options:
        validate_dns.check_options(dns, options, report, *field)
    keys = [name for name in options if name.startswith(_KEYS)]
    given = {name for name, _ in dns.options}
    if keys and given.isdisjoint(keys) and given <= {*options} and dns.provider not in _AMBIENT:
        cause = (
            f"has nothing by which `provider: {dns.provider}` lets daemun in; expected {words.listed(keys)} beside it"
        )
        report.add(cause, *field)
    return report.problems
