"""How certificates are ordered: at which CAs, by which account, and how a name is proved to be ours."""

import dataclasses
import enum

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
LETS_ENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A value that is written nowhere: one of a text, the name of an environment variable, or the path of a file.

    `daemun.secret` reads it when it is used, so that a file can be renewed while daemun runs.
    """

    text: str | None = dataclasses.field(default=None, repr=False)
    variable: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        """Where it is, never what it is."""
        if self.variable is not None:
            return f"the environment variable {self.variable}"
        return self.file if self.file is not None else "a secret"


class Challenge(enum.Enum):
    """How a CA is shown that a name is ours (RFC 8555 section 8, draft-ietf-acme-dns-persist)."""

    HTTP_01 = "http-01"
    DNS_01 = "dns-01"
    DNS_PERSIST_01 = "dns-persist-01"


class KeyType(enum.Enum):
    """Of the key of a certificate."""

    ECDSA_P256 = "ecdsa-p256"
    ECDSA_P384 = "ecdsa-p384"
    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"

    @property
    def algorithm(self) -> str:
        """Of which nginx shows a client at most one certificate."""
        return self.value.partition("-")[0]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Eab:
    """The account at a CA's web page that an ACME account is bound to (RFC 8555 section 7.3.4).

    hmac_key: base64url, as the CA's page shows it.
    """

    key_id: str
    hmac_key: Secret


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A CA, and the account there.

    directory: the URL of its ACME directory (RFC 8555 section 7.1.1). email: where it may write to.
    ca_file: absolute path of the roots to trust for a private one. eab: None: it needs none.
    staging: the directory of its test system, where tries go after a failure; None: it has none.
    """

    directory: str
    email: str | None = None
    ca_file: str | None = None
    eab: Eab | None = None
    staging: str | None = None


RFC2136, HOOK = "rfc2136", "hook"
"""Providers of `Dns` that are not dns-lexicon's."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dns:
    """Who makes records in DNS.

    provider: one of dns-lexicon's, RFC2136 (dynamic update) or HOOK. options: as the provider calls them, sorted.
    command: with HOOK, the program and its arguments. wait_s: how long a record may take to be seen everywhere.
    """

    provider: str
    options: tuple[tuple[str, Secret], ...] = ()
    command: tuple[str, ...] = ()
    wait_s: float = 600.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ordering:
    """How one certificate is ordered where it differs from others. None: as the whole gate.

    profile: of the CA (draft-ietf-acme-profiles): "classic", "tlsserver", "shortlived".
    email: sent to the CA where the gate has no address of its own: a CA knows one of an account.
    challenge: None also in the gate's: DNS-01 for wildcards, HTTP-01 for all others.
    key_type: None also in the gate's: ECDSA on P-256. preferred_chain: the common name of a root or another issuer.
    further_key_type: of the other algorithm, beside key_type: a certificate with each is ordered and shown.
    """

    authority: Authority | None = None
    email: str | None = None
    profile: str | None = None
    challenge: Challenge | None = None
    dns: Dns | None = None
    key_type: KeyType | None = None
    further_key_type: KeyType | None = None
    preferred_chain: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Acme:
    """How the gate orders.

    authorities: at least one; the next one is tried when one is down or refuses.
    profile, challenge, dns, key_type, further_key_type, preferred_chain: as `Ordering`.
    hook: a program and its arguments, run after each new certificate; empty: none.
    resolvers: DNS servers ("192.0.2.1", "[2001:db8::1]:53") queried before an order; empty: the system's.
    """

    authorities: tuple[Authority, ...] = (Authority(directory=LETS_ENCRYPT, staging=LETS_ENCRYPT_STAGING),)
    profile: str | None = None
    challenge: Challenge | None = None
    dns: Dns | None = None
    key_type: KeyType | None = None
    further_key_type: KeyType | None = None
    preferred_chain: str | None = None
    hook: tuple[str, ...] = ()
    resolvers: tuple[str, ...] = ()

    @property
    def directory(self) -> str:
        """Of the CA that is tried first."""
        return self.authorities[0].directory
