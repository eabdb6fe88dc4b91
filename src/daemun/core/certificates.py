"""Which certificate a site is served with: of its own, or one for several sites together. Pure."""

import functools
import hashlib

from daemun.core import model, names, per_site, validate_acme
from daemun.core.issuance import proof

DEFAULT = "_default"
"""The certificate of handshakes for names that no site has. No host has this slug."""


def name_of(site: model.Site) -> str:
    """The name of its folder under live/: the same for all sites of one group."""
    tls = site.tls
    if tls.mode is model.TlsMode.FILES or len(tls.group) < 2:
        return names.slug(site.host)
    authority = tls.ordering.authority
    told = " ".join((*sorted(tls.group), authority.directory if authority else "", tls.ordering.email or ""))
    return f"{names.slug(tls.group[0])}_{hashlib.sha256(told.encode()).hexdigest()[:10]}"


def find_specs(
    desired: model.Desired, memory: per_site.PerSite[model.CertificateSpec | None] | None = None
) -> tuple[model.CertificateSpec, ...]:
    """The certificate of every enabled site that has one, each once, sorted by the first host it is for.

    memory: of earlier calls.
    """
    specs: dict[str, model.CertificateSpec] = {}
    memory = memory or per_site.PerSite()
    memory.enter(desired.globals.acme)
    make = functools.partial(_make_spec, desired.globals.acme)
    for site in desired.enabled:
        spec = memory.get(site, make)
        if spec is not None:
            specs.setdefault(spec.name, spec)
    default = desired.globals.default
    if default.certificate is not None:
        specs[DEFAULT] = model.CertificateSpec(
            name=DEFAULT,
            host="(unknown names)",
            names=(),
            mode=model.TlsMode.FILES,
            certificate=default.certificate,
            key=default.key,
        )
    return tuple(specs.values())


def _make_spec(acme: model.Acme, site: model.Site) -> model.CertificateSpec | None:
    tls = site.tls
    if tls.mode is model.TlsMode.OFF:
        return None
    ordering = validate_acme.fill(tls.ordering, acme)
    is_file = tls.mode is model.TlsMode.FILES
    carried = site.names if is_file or not tls.group else tls.group
    mode = tls.mode
    if mode is model.TlsMode.AUTO:
        mode = (
            model.TlsMode.ACME if all(proof.is_orderable(name, ordering) for name in carried) else model.TlsMode.LOCAL
        )
    return model.CertificateSpec(
        name=name_of(site),
        host=site.host,
        names=tuple(name for name in carried if not names.is_pattern(name)),
        mode=mode,
        certificate=tls.certificate,
        key=tls.key,
        ordering=ordering,
    )
