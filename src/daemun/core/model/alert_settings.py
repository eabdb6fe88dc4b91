"""Whom daemun tells when a certificate is in danger."""

import dataclasses
import enum

from daemun.core.model.acme_settings import Secret


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """url: https, or http to an own machine; a secret, because tokens are often part of it."""

    url: Secret


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ntfy:
    """url: of a topic ("https://ntfy.sh/mine"). token: None: the topic is open to everybody."""

    url: Secret
    token: Secret | None = None


class MailSecurity(enum.Enum):
    """STARTTLS: on port 587. TLS: from the first byte, on port 465. NONE: in clear, on port 25."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """Sent by an SMTP server (RFC 5321). port: None: the usual one of `security`. user, password: both or none."""

    server: str
    sender: str
    recipients: tuple[str, ...]
    port: int | None = None
    security: MailSecurity = MailSecurity.STARTTLS
    user: str | None = None
    password: Secret | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SentAlert:
    """How telling one of them went. target: in words, without a secret. error: why it was not taken; None: it was.
    remark: what a person should know although it was taken."""

    target: str
    error: str | None = None
    remark: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """Every one of them is told."""

    webhooks: tuple[Webhook, ...] = ()
    ntfy: tuple[Ntfy, ...] = ()
    mails: tuple[Mail, ...] = ()
