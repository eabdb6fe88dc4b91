"""A certificate chain with its key, as PEM, read and checked. The key is never part of a message or a repr."""

import collections.abc
import dataclasses
import datetime
import functools
import hashlib
import ipaddress
import sys

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from daemun.certs.served import pem_kinds
from daemun.core.texts import names


class BundleError(ValueError):
    """A chain and a key that cannot be served; the text says why, without any of their content."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a pair that was read once: all that follows from its bytes and is needed of every certificate.

    dns: in lower case. issuer: as a person knows it: "Let's Encrypt E7". issuer_digest: of the issuer's whole name.
    fingerprint: SHA-256 of the (first) certificate, as hexadecimal digits. serial: in hexadecimal. algorithm: of its
    key, as `model.KeyType.algorithm`.
    """

    not_before: datetime.datetime
    not_after: datetime.datetime
    dns: frozenset[str]
    addresses: frozenset[ipaddress.IPv4Address | ipaddress.IPv6Address]
    issuer: str
    issuer_digest: str
    fingerprint: str
    serial: str
    algorithm: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """fullchain_pem: the certificate, then its issuers. key_pem: not encrypted. facts: what follows from the two, so
    that most of what is done with a certificate needs no reading of it."""

    fullchain_pem: bytes
    key_pem: bytes = dataclasses.field(repr=False)
    facts: Facts = dataclasses.field(repr=False, compare=False)

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """What fullchain_pem holds."""
        return _load_chain(self.fullchain_pem)

    @property
    def leaf(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def not_before(self) -> datetime.datetime:
        return self.facts.not_before

    @property
    def not_after(self) -> datetime.datetime:
        return self.facts.not_after

    @property
    def issuer(self) -> str:
        return self.facts.issuer

    @property
    def fingerprint(self) -> str:
        return self.facts.fingerprint

    def names(self) -> tuple[str, ...]:
        """What it is for, as in `model.Site.names`; domain names first, each kind sorted."""
        shown = (f"[{found}]" if found.version == 6 else str(found) for found in self.facts.addresses)
        return (*sorted(self.facts.dns), *sorted(shown))

    def is_valid_at(self, now: datetime.datetime) -> bool:
        return self.not_before <= now < self.not_after

    def missing(self, hosts: collections.abc.Iterable[str]) -> tuple[str, ...]:
        """Those of the hosts (as in `model.Site.names`) that the certificate is not good for."""
        dns, addresses = self.facts.dns, self.facts.addresses
        return tuple(host for host in hosts if not _is_covered(host, dns, addresses))

    def is_for_exactly(self, hosts: collections.abc.Collection[str]) -> bool:
        """Whether the certificate is for these hosts and no others."""
        dns, addresses = self.facts.dns, self.facts.addresses
        wanted = {names.address_of(host) or host for host in hosts}
        return wanted == {*dns, *addresses}


def parse(fullchain_pem: bytes, key_pem: bytes, *, paths: tuple[str, str] = ("fullchain.pem", "key.pem")) -> Bundle:
    """Read a chain and its key. paths: of the two, for commands that make something readable of them.

    Raises: BundleError: one of them is not PEM, the key is encrypted, or it does not fit the first certificate.
    """
    try:
        chain = _load_chain(fullchain_pem)
    except ValueError:
        raise BundleError(pem_kinds.explain_certificate(fullchain_pem, *paths)) from None
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
    except TypeError:
        raise BundleError(pem_kinds.explain_encrypted(paths[1])) from None
    except (ValueError, exceptions.UnsupportedAlgorithm):
        raise BundleError(pem_kinds.explain_key(key_pem, paths[1], paths[0])) from None
    try:
        keys = [_public_bytes(one.public_key()) for one in chain]
    except (ValueError, exceptions.UnsupportedAlgorithm):
        raise BundleError(f"a certificate of {paths[0]} has a key of a kind that is not known here") from None
    if _public_bytes(key.public_key()) != keys[0]:
        raise BundleError(
            "the certificates are in the wrong order: the site's own comes first, then its issuers"
            if _public_bytes(key.public_key()) in keys
            else "the key does not fit the (first) certificate; give the key that it was ordered with"
        )
    try:
        return Bundle(fullchain_pem=fullchain_pem, key_pem=key_pem, facts=read_facts(chain[0]))
    except ValueError as error:
        raise BundleError(f"the (first) certificate of {paths[0]} is damaged: {error}") from None


def read_facts(leaf: x509.Certificate) -> Facts:
    """Of the certificate that a chain begins with."""
    dns, addresses = _alternative_names(leaf)
    return Facts(
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        dns=dns,
        addresses=addresses,
        issuer=sys.intern(_describe(leaf.issuer)),
        issuer_digest=sys.intern(digest_of_name(leaf.issuer)),
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
        serial=f"{leaf.serial_number:x}",
        algorithm="rsa" if isinstance(leaf.public_key(), rsa.RSAPublicKey) else "ecdsa",
    )


def digest_of_name(name: x509.Name) -> str:
    """Equal for equal names."""
    return hashlib.sha256(name.public_bytes()).hexdigest()[:32]


def general_name(host: str) -> x509.GeneralName:
    """A host (as in `model.Site.names`) as a subjectAltName entry."""
    address = names.address_of(host)
    return x509.DNSName(host) if address is None else x509.IPAddress(address)


@functools.lru_cache(maxsize=16)
def _load_chain(fullchain_pem: bytes) -> tuple[x509.Certificate, ...]:
    """Raises: ValueError."""
    return tuple(x509.load_pem_x509_certificates(fullchain_pem))


def _describe(issuer: x509.Name) -> str:
    attributes = (x509.NameOID.ORGANIZATION_NAME, x509.NameOID.COMMON_NAME)
    found = [str(item.value) for oid in attributes for item in issuer.get_attributes_for_oid(oid)]
    if len(found) == 2 and found[1].startswith(found[0]):
        return found[1]
    return " ".join(found) or issuer.rfc4514_string()


def _alternative_names(
    leaf: x509.Certificate,
) -> tuple[frozenset[str], frozenset[ipaddress.IPv4Address | ipaddress.IPv6Address]]:
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return frozenset(), frozenset()
    dns = frozenset(name.lower() for name in extension.get_values_for_type(x509.DNSName))
    found = extension.get_values_for_type(x509.IPAddress)
    return dns, frozenset(item for item in found if isinstance(item, ipaddress.IPv4Address | ipaddress.IPv6Address))


def _is_covered(
    host: str, dns: frozenset[str], addresses: frozenset[ipaddress.IPv4Address | ipaddress.IPv6Address]
) -> bool:
    """A wildcard stands for one label, the leftmost (RFC 9525 section 6.3)."""
    address = names.address_of(host)
    if address is not None:
        return address in addresses
    parent = host.partition(".")[2]
    return host in dns or (bool(parent) and f"*.{parent}" in dns)


def _public_bytes(key: object) -> bytes:
    assert hasattr(key, "public_bytes")
    encoded: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded
