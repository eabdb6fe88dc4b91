"""Whether each certificate of a file leads to the next one, as the programs of visitors find it out (RFC 5280 section
6.1): by its issuer's name, its signature and its dates. Pure.

Their order does not matter, and neither does what is there beside the way: several certificates of one issuer, of which
one holds, are enough.
"""

import collections.abc
import datetime
import re

from cryptography import exceptions, x509
from cryptography.x509 import oid

_INTERMEDIATE = re.compile(r"intermediate|issuing|subordinate|\bsub[ -]?ca\b", re.IGNORECASE)
_APPEND = "append that certificate to the file, as in the fullchain.pem of its issuer"
_REPLACE = "put the issuer's present one in its place, as in the fullchain.pem of its issuer"


def find_broken(
    chain: tuple[x509.Certificate, ...], now: datetime.datetime, trusted: collections.abc.Container[x509.Name]
) -> collections.abc.Iterator[str]:
    """Where the way from the first certificate to a root ends, as the rest of a sentence about the certificate.

    trusted: roots that visitors have. A private root need not be there: who trusts it has it.
    """
    last, rest = chain[0], [one for one in dict.fromkeys(chain) if one != chain[0]]
    while last.issuer != last.subject and last.issuer not in trusted:
        found = [one for one in rest if one.subject == last.issuer]
        if not found:
            # What is appended to a site's own certificate is meant to be its issuer; further up it may be too much.
            strays = rest if last == chain[0] else []
            if strays or _is_of_intermediate(last):
                yield _missing(last, strays)
            return
        faults = [(_find_fault(one, last, now), one) for one in found]
        good = next((one for fault, one in faults if fault is None), None)
        if good is None:
            yield str(faults[0][0])
            return
        last = good
        rest = [one for one in rest if one not in found]


def _find_fault(issuer: x509.Certificate, issued: x509.Certificate, now: datetime.datetime) -> str | None:
    """Why a certificate of the right name is not what the other one was signed with, or cannot be used."""
    named = f'the intermediate certificate "{_common_name(issuer.subject)}" in its file'
    if not _has_signed(issuer, issued):
        what = f"{named} has another key than the one that signed it, so visitors refuse it"
        return f"does not fit its chain: {what}; {_REPLACE}"
    if now >= issuer.not_valid_after_utc:
        what = f"{named} expired on {issuer.not_valid_after_utc:%Y-%m-%d}, and many visitors refuse it so"
        return f"has an expired chain: {what}; {_REPLACE}"
    if now < issuer.not_valid_before_utc:
        what = f"{named} is not valid before {issuer.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        return f"has a chain that is not valid yet: {what}; {_REPLACE}, or correct this machine's clock"
    if not _is_authority(issuer):
        return f"does not fit its chain: {named} is no CA's (basicConstraints), so visitors refuse it; {_REPLACE}"
    return None


def _has_signed(issuer: x509.Certificate, issued: x509.Certificate) -> bool:
    try:
        issued.verify_directly_issued_by(issuer)
    except (exceptions.UnsupportedAlgorithm, TypeError):  # a kind of key that is not known here
        return True
    except (exceptions.InvalidSignature, ValueError):
        return False
    return True


def _is_authority(certificate: x509.Certificate) -> bool:
    """Version 1, which has no extensions, is that of old roots."""
    if certificate.version is x509.Version.v1:
        return True
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _missing(last: x509.Certificate, rest: collections.abc.Sequence[x509.Certificate]) -> str:
    behind = f' (its file has "{_common_name(rest[0].subject)}" there, which did not sign it)' if rest else ""
    return (
        f'lacks the intermediate certificate "{_common_name(last.issuer)}" behind it{behind}, and many visitors refuse '
        f"it so; {_APPEND}"
    )


def _is_of_intermediate(last: x509.Certificate) -> bool:
    """Whether a certificate seems to be signed by something else than a root. A private root signs certificates, too,
    and visitors who trust it have it; so its name must show it, or the place where its issuer can be fetched (RFC 5280
    section 4.2.2.1), which a certificate signed by a root has no use for."""
    if _INTERMEDIATE.search(_common_name(last.issuer)):
        return True
    try:
        places = last.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return any(place.access_method == oid.AuthorityInformationAccessOID.CA_ISSUERS for place in places)


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()
