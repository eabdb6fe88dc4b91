"""`alerts`: where alerts go when something is in danger, which dangers are reported, and when."""

import dataclasses
import enum
import typing

import pydantic

from daemun.core import model
from daemun.core.options import alerting_forms, forms
from daemun.core.options.option import Doc, Level, Option, Place
from daemun.core.texts import quantity_rules, url_rules, words
from daemun.core.texts import rules as text_rules

_LONGEST_PATIENCE_S = 7 * 86400.0


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
    """webhooks, ntfy, mails: each of them gets every alert. quiet: None: alerts are sent at any time."""

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
    quiet: (
        typing.Annotated[
            alerting_forms.Quiet, pydantic.BeforeValidator(alerting_forms.read_hours), forms.Also(alerting_forms.HOURS)
        ]
        | None
    ) = None
    rules: alerting_forms.Rules = alerting_forms.USUAL_RULES

    @property
    def has_targets(self) -> bool:
        return bool(self.webhooks or self.ntfy or self.mails)


def _check(value: Alerts, place: Place) -> None:
    for index, hook in enumerate(value.webhooks):
        _check_secret_url(hook.url, place, "webhook", index)
    for index, topic in enumerate(value.ntfy):
        _check_secret_url(topic.url, place, "ntfy", index, "url")
    for index, mail in enumerate(value.mails):
        _check_mail(mail, place.below("smtp").below(index))
    if value.quiet is not None and value.quiet.zone is not None:
        place.add(_check_zone(value.quiet.zone), "quiet", "zone")
    _check_rules(value.rules, place.below("rules"))


def _check_zone(name: str) -> str | None:
    if alerting_forms.find_zone(name) is not None:
        return None
    return (
        f"{words.quoted(name)} is no time zone that this machine knows; expected one such as Europe/Berlin or "
        "Asia/Seoul (Debian has them in the package tzdata)"
    )


def _check_rules(rules: alerting_forms.Rules, place: Place) -> None:
    for name, span in (("sites", rules.sites_s), ("changes", rules.changes_s)):
        if span is not None:
            place.add(quantity_rules.check_duration(span, least=0, most=_LONGEST_PATIENCE_S), name)
    if rules.old_workers is not None:
        place.add(text_rules.check_number(rules.old_workers, least=0, most=1000), "old_workers")
    if rules.bans is not None:
        place.add(text_rules.check_number(rules.bans, least=1, most=1_000_000), "bans")
    if rules.disk is not None and rules.disk.size_bytes is not None:
        place.add(
            quantity_rules.check_size(rules.disk.size_bytes, least=1, most=text_rules.MAX_BYTES_OF_A_FILE), "disk"
        )


def _check_mail(mail: Mail, place: Place) -> None:
    place.add(text_rules.check_server(mail.server), "server")
    place.add_value(mail.sender, text_rules.check_email(mail.sender), "from")
    for address in mail.recipients:
        place.add_value(address, text_rules.check_email(address), "to")
    if not mail.recipients:
        place.add("is empty; expected at least one address", "to")
    if mail.port is not None:
        place.add(text_rules.check_number(mail.port, least=1, most=65535), "port")
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
            kind="URL, secret, or a list",
            default="none",
            meaning="gets alerts in JSON, see [certificates.md](certificates.md#alerts)",
        ),
        "ntfy": Doc(
            kind="URL, `{url, token}`, or a list", default="none", meaning="the same, as a message to a topic of ntfy"
        ),
        "smtp": Doc(
            kind="`{server, port, security, user, password, from, to}`, or a list",
            default="none",
            meaning="the same, as mail; `security`: `starttls` (default), `tls`, `none`",
        ),
        "quiet": Doc(
            kind='`"22:00-07:00"`, `{hours, zone, urgent}`',
            default="none",
            meaning="hours of every day in which only what visitors suffer from now is sent, with `urgent: wait`"
            " nothing; the rest is sent when they end. `zone`: such as `Europe/Berlin`; the machine's",
        ),
        "rules": Doc(
            kind="`{certificates, sites, errors, disk, changes, old_workers, nginx, bans, fleet}`",
            default="all but `bans`",
            meaning="what is reported: each true, false, or its limit, see"
            " [certificates.md](certificates.md#which-alerts)",
        ),
    },
    levels=frozenset({Level.GATE}),
    check=_check,
)
