"""Which of the chains that a CA offers for one certificate (RFC 8555 section 7.4.2) is used. Pure."""

import collections.abc

from cryptography import x509

from daemun.certs.served import bundle


def root_of(found: bundle.Bundle) -> str:
    """The common name of the root that a chain leads to, which is most often not part of it."""
    return _name(found.chain[-1].issuer)


def leads_to(found: bundle.Bundle, wanted: str) -> bool:
    return root_of(found).casefold() == wanted.strip().casefold()


def is_preferred(found: bundle.Bundle, wanted: str) -> bool:
    """Whether a root or another issuer has this common name."""
    return wanted.strip().casefold() in {_name(one.issuer).casefold() for one in found.chain}


def choose(offered: collections.abc.Sequence[bundle.Bundle], wanted: str) -> bundle.Bundle | None:
    """The first with this root, else the first with an issuer of this name; None: there is none."""
    by_root = (one for one in offered if leads_to(one, wanted))
    by_issuer = (one for one in offered if is_preferred(one, wanted))
    return next(by_root, None) or next(by_issuer, None)


def _name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()
