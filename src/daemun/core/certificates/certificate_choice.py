"""Which certificate a site is served with: of its own, or one for several sites together; and where nginx finds what
each of its names is shown. Pure."""

import dataclasses
import functools
import hashlib

from daemun.core import model, site_memory
from daemun.core.access import dashboard_site
from daemun.core.options import on_demand_option, streams_option
from daemun.core.texts import names
from daemun.core.validation import validate_acme

DEFAULT = "_default"
"""The certificate of handshakes for names that no site has. No host has this slug."""


def name_of(site: model.Site) -> str:
    """The name of its folder under live/: the same for all sites of one group."""
    tls = site.tls
    if tls.mode is model.TlsMode.FILES or len(tls.group) < 2:
        return names.slug(site.host)
    authority = tls.ordering.authority
    text = " ".join((*sorted(tls.group), authority.directory if authority else "", tls.ordering.email or ""))
    return f"{names.slug(tls.group[0])}_{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def folder_of(site: model.Site, name: str) -> str:
    """The folder under live/ with what a handshake for one name of a site is shown.

    A site of several names has one for each, so that a name is shown the best certificate there is for it, whatever
    becomes of the others; most often they all hold the same one.
    """
    return folders(site).get(name, name_of(site))


def folders(site: model.Site) -> dict[str, str]:
    """The folder of each name, where handshakes look for that of their name; empty: there is one for all."""
    shown, common = frozenset(_shown(site)), name_of(site)
    found = {name: names.slug(name) if name in shown else common for name in site.names}
    return found if any(folder != common for folder in found.values()) else {}


def _shown(site: model.Site) -> tuple[str, ...]:
    """Not of a regular expression, whose names are not known."""
    group = () if site.tls.mode is model.TlsMode.FILES else site.tls.group
    is_one = len(site.names) < 2 and len(group) < 2
    if site.tls.mode is model.TlsMode.OFF or is_one or any(name.startswith("~") for name in site.names):
        return ()
    of_group = frozenset(group or site.names)
    return tuple(name for name in site.names if not names.is_pattern(name) and name in of_group)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShownCertificate:
    """folder: under live/. has_two_types: as of `has_two_types`."""

    folder: str
    has_two_types: bool


def find_shown(desired: model.Desired, hosts: frozenset[str]) -> dict[str, ShownCertificate]:
    """What handshakes for these names are shown by the enabled sites that have them."""
    if not hosts:
        return {}
    return {
        name: ShownCertificate(folder=folder_of(site, name), has_two_types=has_two_types(site, desired.globals.acme))
        for site in desired.enabled
        if site.tls.mode is not model.TlsMode.OFF
        for name in site.names
        if name in hosts
    }


def find_of_streams(desired: model.Desired) -> dict[str, ShownCertificate]:
    """The certificates of streams, by their hosts: those of sites, or, of hosts that no site has, their own."""
    every = (one.stream.certificate_host for one in streams_option.find_enabled(desired.globals))
    hosts = frozenset(host for host in every if host is not None)
    shown = find_shown(desired, hosts)
    others = {host: _site_of_stream(host, model.NOWHERE) for host in hosts - shown.keys()}
    return shown | {
        host: ShownCertificate(folder=name_of(site), has_two_types=has_two_types(site, desired.globals.acme))
        for host, site in others.items()
    }


def _site_of_stream(host: str, origin: model.Origin) -> model.Site:
    """A certificate of a stream's own is ordered as if the host were a site."""
    return model.Site(host=host, origin=origin)


def has_two_types(site: model.Site, acme: model.Acme) -> bool:
    """Whether its folders hold a second certificate, with a key of another type, for nginx to show."""
    ordering = site.tls.ordering
    return (acme if ordering.key_type is None else ordering).further_key_type is not None


def find_specs(
    desired: model.Desired, memory: site_memory.PerSite[model.CertificateSpec | None] | None = None
) -> tuple[model.CertificateSpec, ...]:
    """The certificate of every enabled site that has one, and of streams, each once, those of sites first, by host.

    memory: of earlier calls.
    """
    specs: dict[str, model.CertificateSpec] = {}
    memory = memory or site_memory.PerSite()
    memory.enter(desired.globals.acme)
    make = functools.partial(_make_spec, desired.globals.acme)
    for site in desired.enabled:
        spec = memory.get(site, make)
        if spec is not None:
            known = specs.get(spec.name)
            specs[spec.name] = spec if known is None else _join(known, spec)
    every = streams_option.find_enabled(desired.globals)
    streams = {host: one for one in every if (host := one.stream.certificate_host) is not None}
    for host in sorted(streams.keys() - find_shown(desired, frozenset(streams)).keys()):
        own = _make_spec(desired.globals.acme, _site_of_stream(host, streams[host].origin))
        assert own is not None  # it has TLS
        specs.setdefault(own.name, own)
    default = desired.globals.default
    if default.certificate is not None:
        specs[DEFAULT] = model.CertificateSpec(
            name=DEFAULT,
            host="(unknown names)",
            names=(),
            mode=model.TlsMode.FILES,
            certificate=default.certificate,
            key=default.key,
            origin=default.origin,
        )
    return tuple(specs.values())


def find_own_specs(desired: model.Desired) -> tuple[model.CertificateSpec, ...]:
    """That of the dashboard for browsers on this machine, which no site has and nobody ordered."""
    site = dashboard_site.make_local(desired)
    spec = None if site is None else _make_spec(desired.globals.acme, site)
    return () if spec is None else (spec,)


def _join(one: model.CertificateSpec, other: model.CertificateSpec) -> model.CertificateSpec:
    """Of two sites that share a certificate."""
    ordering = other.ordering if other.has_two_types else one.ordering
    return dataclasses.replace(one, shown=(*one.shown, *other.shown), ordering=ordering)


def _make_spec(acme: model.Acme, site: model.Site) -> model.CertificateSpec | None:
    tls = site.tls
    if tls.mode is model.TlsMode.OFF:
        return None
    ordering = validate_acme.fill(tls.ordering, acme)
    is_file = tls.mode is model.TlsMode.FILES
    carried = site.names if is_file or not tls.group else tls.group
    mode, wanted = tls.mode, tuple(name for name in carried if not names.is_pattern(name))
    unordered: tuple[str, ...] = ()
    if mode is model.TlsMode.AUTO:
        unordered = tuple(name for name in wanted if not names.is_signed_publicly(name))
        mode = model.TlsMode.ACME if len(unordered) < len(wanted) else model.TlsMode.LOCAL
    return model.CertificateSpec(
        name=name_of(site),
        host=site.host,
        names=wanted,
        mode=mode,
        certificate=tls.certificate,
        key=tls.key,
        ordering=ordering,
        unordered=unordered if mode is model.TlsMode.ACME else (),
        shown=_shown(site),
        takes_names=on_demand_option.OPTION.of(site) is not None,
        origin=site.origin,
    )
