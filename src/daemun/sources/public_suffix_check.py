"""Whether a wildcard of a site covers a public suffix ("*.com", "*.co.uk"), which no public CA signs. Blocking, a tenth
of a second where a wildcard has to be looked up.

Source: CA/Browser Forum Baseline Requirements 3.2.2.6, by the ICANN part of the Public Suffix List (publicsuffix.org).
"""

import collections.abc
import functools

import publicsuffixlist

from daemun.core import model, problem_report
from daemun.core.issuance import public_cas
from daemun.core.texts import names, words

_ORDERED = frozenset({model.TlsMode.AUTO, model.TlsMode.ACME})


def find_problems(acme: model.Acme | None, sites: collections.abc.Iterable[model.Site]) -> tuple[model.Problem, ...]:
    """Warnings, of the sites whose certificates a public CA is to sign. acme: of the gate; None: the default."""
    problems: list[model.Problem] = []
    for site in sites:
        authority = site.tls.ordering.authority
        directory = authority.directory if authority is not None else (acme or model.Acme()).directory
        if not site.enabled or site.tls.mode not in _ORDERED or not public_cas.is_public_directory(directory):
            continue
        report = problem_report.ProblemReport(host=site.host, origin=site.origin)
        for index, name in enumerate(site.names):
            bare = name.removeprefix("*.")
            if name != bare and names.is_signed_publicly(f"x.{bare}") and _is_public_suffix(bare):
                cause = f"{words.quoted(name)} stands for every name under {words.quoted(bare)}, where names are sold"
                cure = 'name the domain that is yours ("*.example.com"), or write `tls: local`'
                field = ("aliases", index - 1) if index else ()
                report.add(f"{cause}, and no public CA signs that; {cure}", *field, severity=model.Severity.WARNING)
        problems += report.problems
    return tuple(problems)


@functools.lru_cache(maxsize=256)
def _is_public_suffix(name: str) -> bool:
    """Not of a suffix that the list does not know, such as `corp`: those are private."""
    # The list takes megabytes and is not kept: few gates have a wildcard, and each is looked up once.
    suffixes = publicsuffixlist.PublicSuffixList(accept_unknown=False, only_icann=True)
    return bool(suffixes.is_public(name))
