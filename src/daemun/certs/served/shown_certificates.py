"""What each name of a certificate's site is shown, and the folders under live/ that it is found in. Pure."""

import collections.abc
import dataclasses
import datetime
import enum

from daemun.certs.served import bundle
from daemun.core import model
from daemun.core.issuance import renewal_time
from daemun.core.texts import names

_Bundle = bundle.Bundle


class CertificateSource(enum.Enum):
    """Who made the certificate that is served."""

    PUBLIC = "a public CA"
    OWN = "the owner"
    LOCAL = "the local CA"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OtherNames:
    """Names of a certificate's site that are shown another one. directory: as of `ServedCertificate`."""

    names: tuple[str, ...]
    kind: CertificateSource
    bundle: bundle.Bundle
    directory: str | None = None


Second = tuple[str, bundle.Bundle]
"""A name, and a second certificate that clients may take for it instead, with a key of the other type."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServedCertificate:
    """What is shown for the first name that is ordered, and for all that are in none of the `others`.

    directory: of the CA, with Kind.PUBLIC; None: another one is needed, because this is revoked there, or has a key of
    the other of two types.
    problems: of the owner's files, or of the disk. is_stand_in: those could not be used, and this is served instead.
    changes_at: when their problems will change. is_shared: the certificate names other sites, too, until each
    has its own. is_written: whether live/ holds all that it should; if not, the last of the problems is why.
    """

    kind: CertificateSource
    bundle: bundle.Bundle
    directory: str | None = None
    problems: tuple[model.Problem, ...] = ()
    is_stand_in: bool = False
    changes_at: datetime.datetime | None = None
    is_shared: bool = False
    others: tuple[OtherNames, ...] = ()
    seconds: tuple[Second, ...] = ()
    is_written: bool = True

    def shown_for(self, name: str) -> "ServedCertificate | OtherNames":
        return next((part for part in self.others if name in part.names), self)

    def parts(self) -> "dict[str, OtherNames]":
        """For who looks for many names: those of the `others`."""
        return {name: part for part in reversed(self.others) for name in part.names}

    def shows(self, found: _Bundle) -> bool:
        beside = (*(part.bundle for part in self.others), *(second for _, second in self.seconds))
        return any(one.fingerprint == found.fingerprint for one in (self.bundle, *beside))


def folder_names(spec: model.CertificateSpec) -> collections.abc.Iterable[str]:
    """Of `folders`. Quick, for who looks at very many."""
    return (spec.name,) if not spec.shown and spec.first is None else folders(spec)


def folders(spec: model.CertificateSpec) -> dict[str, str]:
    """The folders under live/ that are for one certificate, each with the name that it is for; its own for the first
    name that is ordered. None for the second of two types."""
    if spec.first is not None:
        return {}
    hosts = renewal_time.hosts_to_order(spec) or spec.names
    shown = {names.slug(name): name for name in spec.shown}
    return shown if spec.name in shown else {spec.name: hosts[0] if hosts else "", **shown}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Of a folder under live/. second: as of `live.replace`."""

    bundle: _Bundle
    kind: CertificateSource
    second: _Bundle | None


def contents_of(spec: model.CertificateSpec, served: ServedCertificate) -> dict[str, Content]:
    """What each folder under live/ is to hold."""
    contents, parts, seconds = {}, served.parts(), dict(served.seconds)
    for folder, name in folders(spec).items():
        one = parts.get(name, served)
        second = seconds.get(name, one.bundle) if spec.has_two_types else None
        contents[folder] = Content(bundle=one.bundle, kind=one.kind, second=second)
    return contents
