"""Names that are added to a site while the gate runs: which may be, and their certificates. Pure."""

import collections.abc
import dataclasses
import enum

from daemun.core import model
from daemun.core.issuance import challenge_choice
from daemun.core.options import on_demand_option
from daemun.core.texts import names, rules, words
from daemun.core.validation import validate_acme

LONGEST = 100
"""What is longer has a folder of another name (`names.slug`), which nginx could not find by the name."""


class Denial(enum.Enum):
    """Why a name cannot be added. INVALID: it is no host name. NO_SITE: no site takes names. TAKEN: a site has it.
    FULL: the site has as many as it may. NOT_ALLOWED: the URL of `ask` refuses it. BUSY: too many came at once.
    UNREACHABLE: the URL of `ask` does not answer."""

    INVALID = "invalid"
    NO_SITE = "no_site"
    TAKEN = "taken"
    FULL = "full"
    NOT_ALLOWED = "not_allowed"
    BUSY = "busy"
    UNREACHABLE = "unreachable"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RefusedName:
    """denial: for programs. message: for people, with what to do."""

    denial: Denial
    message: str


def find_site(desired: model.Desired) -> model.Site | None:
    """The site that takes names. `rounds.merge` lets there be one at most."""
    return next((site for site in desired.enabled if on_demand_option.OPTION.of(site) is not None), None)


class Owners:
    """Which site has a name without its being added, disabled ones too: no other is to be answered under it."""

    def __init__(self, sites: collections.abc.Iterable[model.Site]) -> None:
        self._by_name: dict[str, model.Site] = {}
        for site in sites:
            for name in site.names:
                self._by_name.setdefault(name, site)

    def find(self, host: str) -> model.Site | None:
        """The one with the name itself, or with the nearest wildcard above it."""
        found, parent = self._by_name.get(host), host
        while found is None and "." in parent:
            parent = parent.partition(".")[2]
            found = self._by_name.get(f"*.{parent}")
        return found


def find_denial(host: str, site: model.Site | None, owners: Owners, *, count: int) -> RefusedName | None:
    """Why `host` cannot be added; None: it can. site: the one that takes names. count: how many it has."""
    wanted = None if site is None else on_demand_option.OPTION.of(site)
    if site is None or wanted is None:
        return _refuse(
            Denial.NO_SITE, host, "no site takes names on demand; write `on_demand: true` beside its `routes`"
        )
    cause = rules.check_host(host)
    if cause is None and (names.address_of(host) is not None or host.startswith("*.") or "." not in host):
        cause = "is not a whole host name"
    if cause is None and len(host) > LONGEST:
        cause = f"is too long: {len(host)} characters, at most {LONGEST}"
    if cause is not None:
        return _refuse(Denial.INVALID, host, cause)
    owner = owners.find(host)
    if owner is not None:
        belongs = f"it already belongs to site {words.quoted(owner.host)} ({owner.origin})"
        return _refuse(Denial.TAKEN, host, belongs if owner.enabled else f"{belongs}, which is disabled")
    if count >= wanted.most:
        cause = f"site {words.quoted(site.host)} has {count} names and may have {wanted.most}"
        return _refuse(Denial.FULL, host, f"{cause}; remove some, or raise `on_demand.most`")
    return None


def _refuse(denial: Denial, host: str, cause: str) -> RefusedName:
    return RefusedName(denial=denial, message=f"cannot add {words.quoted(host)}: {cause}")


def make_spec(host: str, site: model.Site, acme: model.Acme) -> model.CertificateSpec:
    """The certificate of a name that was added: for this name alone."""
    ordering = validate_acme.fill(site.tls.ordering, acme)
    is_ordered = site.tls.mode is model.TlsMode.ACME or challenge_choice.is_orderable(host, ordering)
    return model.CertificateSpec(
        name=names.slug(host),
        host=host,
        names=(host,),
        mode=model.TlsMode.ACME if is_ordered else model.TlsMode.LOCAL,
        ordering=ordering,
        is_added=True,
    )
