"""Which CAs a certificate is ordered from, and what exactly is ordered. Pure."""

import dataclasses
import hashlib

from daemun.core import model
from daemun.core.issuance import renewal_time


def authorities_of(spec: model.CertificateSpec, acme: model.Acme) -> tuple[model.Authority, ...]:
    """The CAs for one certificate, in the order they are tried, and the account at each. A CA knows one address of us:
    the gate's, if it has one."""
    own = spec.ordering.authority
    known = {authority.directory: authority for authority in acme.authorities}
    chosen = acme.authorities if own is None else (known.get(own.directory, own),)
    default = acme.authorities[0].email
    return tuple(dataclasses.replace(one, email=one.email or default or spec.ordering.email) for one in chosen)


def directories_of(spec: model.CertificateSpec, acme: model.Acme) -> tuple[str, ...]:
    """Of `authorities_of`, without their other parts: quick, for callers that need it of all certificates."""
    own = spec.ordering.authority
    return tuple(one.directory for one in acme.authorities) if own is None else (own.directory,)


def fingerprint(spec: model.CertificateSpec, authorities: tuple[model.Authority, ...]) -> str:
    """Of what is ordered: while it stays, failures so far count; with another one a person changed something.

    A secret is part of it by where it is kept, never by what it is.
    """
    ordering = spec.ordering
    dns = ordering.dns
    parts = [
        *sorted(renewal_time.hosts_to_order(spec)),
        *(f"{one.directory} {one.staging} {one.ca_file} {one.eab.key_id if one.eab else ''}" for one in authorities),
        f"{ordering.profile} {ordering.challenge}",
        # Only where they are set, so that failures from before there were these still count.
        *(f"{one}" for one in (ordering.key_type, ordering.preferred_chain) if one is not None),
    ]
    if dns is not None:
        options = (f"{name} {secret}" for name, secret in dns.options)
        parts += [dns.provider, *options, *dns.command, str(dns.wait_s)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]
