"""Where alerts go: one target of each entry under `alerts`."""

import hashlib
import ssl
import typing
import urllib.parse

import certifi

from daemun.alerts import alert_message
from daemun.core import model
from daemun.core.options import alerts_option


class AlertTarget(typing.Protocol):
    """Where alerts are sent.

    key: distinguishes it from others, and stays the same over restarts and for a secret that is renewed in its file.
    name: for people. Neither holds a secret.
    """

    @property
    def key(self) -> str: ...

    @property
    def name(self) -> str: ...

    async def deliver(self, what: alert_message.AlertMessage, context: ssl.SSLContext) -> str | None:
        """Returns: what a person should know although it was taken. Takes half a minute at most.

        Raises: DaemunError with why it was not taken, without any secret; RetryableError with the wait demanded.
        """
        ...


def make_targets(alerts: alerts_option.Alerts) -> tuple[AlertTarget, ...]:
    """All of them, in the order of the file; what is listed twice gets each alert once."""
    if not (alerts.webhooks or alerts.ntfy or alerts.mails):
        return ()
    # Here, so that gates without alerts neither wait for aiohttp and aiosmtplib nor have them in memory.
    from daemun.alerts import mail, webhooks  # noqa: PLC0415

    made: list[AlertTarget] = [
        *(
            webhooks.WebhookSender(key=_key("webhook", one.url), name=_name("webhook", one.url), url=one.url)
            for one in alerts.webhooks
        ),
        *(webhooks.NtfySender(key=_key("ntfy", one.url), name=_name("ntfy", one.url), ntfy=one) for one in alerts.ntfy),
        *(
            mail.Smtp(
                key=_digest("smtp", one.server, str(one.port or ""), one.sender, *one.recipients),
                name=f"mail to {', '.join(one.recipients)}",
                mail=one,
            )
            for one in alerts.mails
        ),
    ]
    return tuple({target.key: target for target in made}.values())


def make_context() -> ssl.SSLContext:
    """Trusts the system's roots, and what SSL_CERT_FILE names; certifi's where the system has none. Some 20 ms."""
    paths = ssl.get_default_verify_paths()
    return ssl.create_default_context(cafile=None if paths.cafile or paths.capath else certifi.where())


def _key(kind: str, url: model.Secret) -> str:
    return _digest(kind, url.text or "", url.variable or "", url.file or "")


def _digest(kind: str, *parts: str) -> str:
    return f"{kind}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:16]}"


def _name(kind: str, url: model.Secret) -> str:
    """A URL's host: its path is often a password."""
    if url.text is None:
        return f"{kind} in {url}"
    return f"{kind} at {urllib.parse.urlsplit(url.text).hostname}"
