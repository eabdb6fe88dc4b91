"""`alerts`: where alerts go when a certificate or a site is in danger."""

import dataclasses
import enum
import typing

import pydantic

from daemun.core import model
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option, Place
from daemun.core.texts import rules, url_rules


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(forms.OptionMap):
    """url: https, or http to an own machine; a secret, because tokens are often part of it."""

    shape: typing.ClassVar[str] = "a URL, or where it is: {env: NAME} or {file: PATH}"
    meanings: typing.ClassVar[dict[str, str]] = {"url": "where alerts are sent, in JSON"}
    url: forms.Secret


def _hook(value: object) -> object:
    return {"url": value}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ntfy(forms.OptionMap):
    """url: of a topic ("https://ntfy.sh/mine"). token: None: the topic is open to all."""

    shape: typing.ClassVar[str] = 'the URL of a topic such as "https://ntfy.sh/mine", or a map with its `url`'
    meanings: typing.ClassVar[dict[str, str]] = {
        "url": "of the topic",
        "token": "an access token, for a topic that is not open to all",
    }
    url: forms.Secret
    token: forms.Secret | None = None


def _topic(value: object) -> object:
    return value if isinstance(value, dict) and "url" in value else {"url": value}


class MailSecurity(enum.Enum):
    """STARTTLS: on port 587. TLS: from the first byte, on port 465. NONE: in clear, on port 25."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mail(forms.OptionMap):
    """Sent by an SMTP server (RFC 5321). port: None: the usual one of `security`. user, password: both or none."""

    meanings: typing.ClassVar[dict[str, str]] = {
        "server": "the host of the mail server",
        "from": "the sender's address",
        "to": "the recipients' addresses",
        "port": "of the mail server; the usual one of `security`",
        "security": "starttls (port 587), tls (port 465), or none (port 25)",
        "user": "the account at the mail server",
        "password": "of that account",
    }
    server: forms.Text
    sender: typing.Annotated[forms.Text, pydantic.Field(alias="from")]
    recipients: typing.Annotated[forms.Texts, forms.ONE_OR_MORE, pydantic.Field(alias="to")]
    port: forms.Number | None = None
    security: typing.Annotated[MailSecurity, forms.choice(MailSecurity)] = MailSecurity.STARTTLS
    user: forms.Text | None = None
    password: forms.Secret | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Alerts(forms.OptionMap):
    """Each of them gets every alert."""

    webhooks: typing.Annotated[
        tuple[typing.Annotated[Webhook, pydantic.BeforeValidator(_hook), pydantic.WithJsonSchema(forms.SECRET)], ...],
        forms.ONE_OR_MORE,
        pydantic.Field(alias="webhook"),
    ] = ()
    ntfy: typing.Annotated[
        tuple[typing.Annotated[Ntfy, pydantic.BeforeValidator(_topic), forms.Also(forms.SECRET)], ...],
        forms.ONE_OR_MORE,
    ] = ()
    mails: typing.Annotated[tuple[Mail, ...], forms.ONE_OR_MORE, pydantic.Field(alias="smtp")] = ()


def _check(value: Alerts, place: Place) -> None:
    for index, hook in enumerate(value.webhooks):
        _check_secret_url(hook.url, place, "webhook", index)
    for index, topic in enumerate(value.ntfy):
        _check_secret_url(topic.url, place, "ntfy", index, "url")
    for index, mail in enumerate(value.mails):
        _check_mail(mail, place.below("smtp").below(index))


def _check_mail(mail: Mail, place: Place) -> None:
    place.add(rules.check_server(mail.server), "server")
    place.add_value(mail.sender, rules.check_email(mail.sender), "from")
    for address in mail.recipients:
        place.add_value(address, rules.check_email(address), "to")
    if not mail.recipients:
        place.add("is empty; expected at least one address", "to")
    if mail.port is not None:
        place.add(rules.check_number(mail.port, least=1, most=65535), "port")
    if (mail.user is None) != (mail.password is None):
        place.add("`user` and `password` belong together")
    if mail.user is not None and mail.security is MailSecurity.NONE:
        place.add("a password is not sent in clear; use `security: starttls` or `tls`")


def _check_secret_url(url: model.Secret, place: Place, *below: str | int) -> None:
    """The message leaves its text out: a part of it may be a secret."""
    if url.text is not None and url_rules.check_web_url(url.text) is not None:
        place.add("is not an http or https URL", *below)


OPTION = Option(
    name="alerts",
    form=Alerts,
    default=Alerts(),
    doc={
        "webhook": Doc(
            kind="URL, secret, or a list", usual="none", meaning="told in JSON when a certificate is in danger"
        ),
        "ntfy": Doc(
            kind="URL, `{url, token}`, or a list", usual="none", meaning="the same, as a message to a topic of ntfy"
        ),
        "smtp": Doc(
            kind="`{server, port, security, user, password, from, to}`, or a list",
            usual="none",
            meaning="the same, as mail; `security`: `starttls` (default), `tls`, `none`",
        ),
    },
    levels=frozenset({Level.GATE}),
    check=_check,
)
