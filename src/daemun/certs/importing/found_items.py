"""What is found in a tree of another ACME client. Values, and how the same kinds of files are read in all of them."""

import dataclasses
import datetime

from daemun.certs.importing import foreign_tree
from daemun.certs.served import bundle
from daemun.control import account_port
from daemun.core import model

_ISSUERS = {
    "(STAGING) Let's Encrypt": model.LETS_ENCRYPT_STAGING,
    "Let's Encrypt": model.LETS_ENCRYPT,
    "ZeroSSL": "https://acme.zerossl.com/v2/DV90",
    "Google Trust Services": "https://dv.acme-v02.api.pki.goog/directory",
    "Buypass": "https://api.buypass.com/acme/directory",
}
"""How the issuer of a certificate begins -> the directory of its CA, where no file has it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoundAccount:
    """place: where it is in the tree. uses: how many certificates it is known to be for. created: as the client wrote
    it, comparable; "" when it did not."""

    place: str
    found: account_port.ForeignAccount
    uses: int = 0
    created: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoundCertificate:
    """place: where it is in the tree. directory: of the CA; None: no file has it."""

    place: str
    directory: str | None
    bundle: bundle.Bundle

    @property
    def foreign(self) -> account_port.ForeignCertificate:
        assert self.directory is not None, "`gather` leaves out those without"
        return account_port.ForeignCertificate(
            directory=self.directory, fullchain_pem=self.bundle.fullchain_pem, key_pem=self.bundle.key_pem
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehind:
    """An item that is not taken over. reason: in words."""

    place: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """How the other client ordered one certificate. names: of the certificate.

    method: as the client calls its way of proving a name ("webroot", "dns_cf"). dns: the provider of dns-lexicon (or
    "rfc2136") that does the same; None: proved over HTTP, or daemun knows no such provider.
    credentials: the path of the file with the provider's secrets. hooks: commands after (or around) each renewal.
    """

    place: str
    names: tuple[str, ...]
    directory: str | None = None
    method: str | None = None
    is_dns: bool = False
    dns: str | None = None
    credentials: str | None = None
    key_type: str | None = None
    profile: str | None = None
    hooks: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoundTree:
    """All that one tree holds. client: in words. remarks: what else deserves a word."""

    client: str
    accounts: tuple[FoundAccount, ...] = ()
    certificates: tuple[FoundCertificate, ...] = ()
    practices: tuple[Practice, ...] = ()
    refusals: tuple[LeftBehind, ...] = ()
    remarks: tuple[str, ...] = ()


def read_certificate(
    tree: foreign_tree.ForeignTree, chain: str, key: str, *, place: str, directory: str | None, now: datetime.datetime
) -> FoundCertificate:
    """chain, key: paths in the tree. Raises: TreeError, BundleError."""
    found = bundle.parse(tree.read(chain), tree.read(key))
    if found.leaf.issuer == found.leaf.subject:
        raise bundle.BundleError("it is signed by itself, not by a CA")
    if now >= found.not_after:
        raise bundle.BundleError(f"it expired on {found.not_after:%Y-%m-%d}; daemun orders another one")
    return FoundCertificate(place=place, directory=directory, bundle=found)


def guess_directory(found: bundle.Bundle) -> str | None:
    """By who issued it; None: not one of the CAs that are known here."""
    return next((url for begin, url in _ISSUERS.items() if found.issuer.startswith(begin)), None)
