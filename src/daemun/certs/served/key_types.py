"""Two certificates for the same names, with keys of two types: one of ECDSA, and one of RSA for old clients.

Each is ordered, renewed and counted for itself, as if it were for a site of its own; the second lies in the folders of
the first (`layout.SECOND_CHAIN`), because nginx must find both in one generation of these.
"""

import collections.abc
import dataclasses

from daemun.certs.served import bundle
from daemun.core import model
from daemun.core.issuance import renewal_time

_BETWEEN = ".."
"""In no name of a certificate: they are made of host names."""
ALGORITHMS = tuple(dict.fromkeys(kind.algorithm for kind in model.KeyType))


def with_seconds(specs: collections.abc.Iterable[model.CertificateSpec]) -> tuple[model.CertificateSpec, ...]:
    """Each, followed by the second where two types are wanted and a CA issues it."""
    found: list[model.CertificateSpec] = []
    for spec in specs:
        found.append(spec)
        if spec.has_two_types and renewal_time.hosts_to_order(spec):
            found.append(second_of(spec))
    return tuple(found)


def second_of(spec: model.CertificateSpec) -> model.CertificateSpec:
    further = spec.ordering.further_key_type
    assert further is not None
    return dataclasses.replace(
        spec,
        name=name_of_second(spec.name, further.algorithm),
        ordering=dataclasses.replace(spec.ordering, key_type=further, further_key_type=None),
        shown=(),
        first=spec,
    )


def name_of_second(first: str, algorithm: str) -> str:
    return f"{first}{_BETWEEN}{algorithm}"


def first_name(name: str) -> str:
    """The name of the certificate in whose folders it is."""
    return name.partition(_BETWEEN)[0]


def is_of_its_type(found: bundle.Bundle, spec: model.CertificateSpec) -> bool:
    """Whether a certificate has a key of the algorithm that is wanted. Where one type is, the renewal sees to that."""
    return spec.algorithm is None or found.facts.algorithm == spec.algorithm
