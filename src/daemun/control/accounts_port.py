"""What a person can ask about accounts at CAs, and about certificates that exist already: the contract between who asks
(`web.accounts_api`, and the command line behind it) and who answers (`certs.clerk`). Values only.
"""

import dataclasses
import enum
import typing


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForeignAccount:
    """An account that another ACME client had. key_pem: not encrypted. url: None: the CA is asked by the key."""

    directory: str
    url: str | None
    email: str | None
    key_pem: bytes = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForeignCertificate:
    """A certificate that another ACME client had. fullchain_pem, key_pem: PEM, the key not encrypted."""

    directory: str
    fullchain_pem: bytes
    key_pem: bytes = dataclasses.field(repr=False)


class Verdict(enum.Enum):
    """TAKEN: it is ours now. KNOWN: it was already. REFUSED: it cannot be, or must not."""

    TAKEN = "taken"
    KNOWN = "known"
    REFUSED = "refused"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """How it went. text: what a person should know of it, without a subject ("is served for a.example.com").
    certificates: those (`model.CertificateSpec.name`) that it is now."""

    verdict: Verdict
    text: str
    certificates: tuple[str, ...] = ()


class Adopter(typing.Protocol):
    """All methods are called on the event loop's thread. Each raises DaemunError with its words.

    dry: change nothing, only tell what would be done.
    """

    async def adopt_account(self, found: ForeignAccount, *, dry: bool) -> Adoption: ...

    async def adopt_certificate(self, found: ForeignCertificate, *, dry: bool) -> Adoption: ...
