"""Operations on accounts at CAs, and on certificates that exist already: the contract between their callers
(`web.accounts_api`, and the command line behind it) and who answers (`certs.account_service`). Values only.
"""

import dataclasses
import enum
import typing

REASONS = {
    "unspecified": 0,
    "keycompromise": 1,
    "affiliationchanged": 3,
    "superseded": 4,
    "cessationofoperation": 5,
}
"""Why a certificate is revoked, and the code for it (RFC 5280 section 5.3.1); named as certbot does."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KnownAccount:
    """directory: of the CA. url: of the account there; None: to be looked up. email: the contact that the CA has.

    is_own: it has a key of its own, not the shared one. state: "active", "changing" or "deactivated" (RFC 8555
    section 7.1.2; "changing": a change of its key was interrupted).
    """

    directory: str
    url: str | None
    email: str | None
    is_own: bool
    state: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AccountList:
    """is_rolling: a new shared key is known to some CAs only; `roll_over` goes on with it."""

    accounts: tuple[KnownAccount, ...]
    is_rolling: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeyRolloverResult:
    """What became of the account at one CA. error: why it still has its old key; None: it has the new one."""

    directory: str
    error: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForeignAccount:
    """An account that another ACME client had. key_pem: not encrypted. url: None: the CA is queried by the key."""

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


class ImportVerdict(enum.Enum):
    """TAKEN: it is ours now. KNOWN: it was already. REFUSED: it cannot be, or must not."""

    TAKEN = "taken"
    KNOWN = "known"
    REFUSED = "refused"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """How it went. text: what a person should know of it, without a subject ("is served for a.example.com").
    certificates: those (`model.CertificateSpec.name`) that it is now."""

    verdict: ImportVerdict
    text: str
    certificates: tuple[str, ...] = ()


class AcmeAccounts(typing.Protocol):
    """All methods are called on the event loop's thread. Each raises DaemunError with its words."""

    def list_accounts(self) -> AccountList: ...

    async def roll_over(self, *, everything: bool) -> tuple[KeyRolloverResult, ...]:
        """A new shared key at every CA that knows the old one; everything: at those that know a key of their own, too.
        Holds orders back meanwhile. Calling it again goes on with what failed."""
        ...

    async def deactivate(self, directory: str) -> None:
        """The CA serves the account no more, for good. What is ordered there later gets a new account."""
        ...

    async def revoke(self, host: str, reason: str) -> None:
        """Revoke what is served for the site `host`, and order another one at once. reason: one of REASONS."""
        ...


class Adopter(typing.Protocol):
    """As `AcmeAccounts`. dry: change nothing, only report what would be done."""

    async def adopt_account(self, found: ForeignAccount, *, dry: bool) -> Adoption: ...

    async def adopt_certificate(self, found: ForeignCertificate, *, dry: bool) -> Adoption: ...
