"""`default`: what a host name that is no site gets."""

import dataclasses
import typing

import pydantic

from daemun.core import model
from daemun.core.options import forms, status_option
from daemun.core.options.option import Doc, Level, Option, Place
from daemun.core.texts import rules, url_rules, words


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WrittenDefault(forms.OptionMap):
    shape: typing.ClassVar[str] = "refuse, {site: HOST} or {redirect: URL}"
    meanings: typing.ClassVar[dict[str, str]] = {
        "site": "the host whose site every other host gets",
        "redirect": "the URL to which every other host is sent",
        "status": "of that redirect",
    }
    site: forms.Host | None = None
    redirect: forms.Text | None = None
    status: forms.Number = status_option.OPTION.default


def _parse(value: object) -> object:
    if isinstance(value, dict | model.Default) or value is None:
        return value
    if value != "refuse":
        raise ValueError(f"expected {WrittenDefault.shape}, found {words.describe(value)}{_find_meant(value)}")
    return {}


_REFUSALS = frozenset(
    {"404", "444", "403", "421", "503", "close", "abort", "none", "off", "deny", "reject", "drop", "false"}
)


def _find_meant(value: object) -> str:
    text = str(value).strip()
    if text.lower() in _REFUSALS:
        return "; write refuse, with which unknown hosts get 404 and no TLS handshake"
    if text.startswith(("http://", "https://")):
        return f"; write {{redirect: {forms.written(text)}}}"
    return f"; write {{site: {forms.written(text)}}}" if "." in text and rules.check_host(text.lower()) is None else ""


def _make(written: WrittenDefault) -> model.Default:
    if written.site is not None and written.redirect is not None:
        raise ValueError("expected either `site` or `redirect`, found both")
    if written.site is not None:
        return model.Default(kind=model.DefaultKind.SITE, host=written.site)
    if written.redirect is not None:
        options = ((status_option.OPTION.name, written.status),)
        redirect = model.Redirect(to=written.redirect, options=options)
        return model.Default(kind=model.DefaultKind.REDIRECT, redirect=redirect)
    return model.Default()


def _check(value: model.Default, place: Place) -> None:
    place = dataclasses.replace(place, report=place.report.at(value.origin))
    place.add(rules.check_number(value.status, least=200, most=599), "status")
    for path in (value.page, value.certificate, value.key):
        if path is not None:
            place.add_value(path, rules.check_absolute(path))
    if (value.certificate is None) != (value.key is None):
        place.add("a certificate of your own needs both `certificate` and `key`")
    match value.kind:
        case model.DefaultKind.REDIRECT if value.redirect is not None:
            place.add_value(value.redirect.to, url_rules.check_redirect(value.redirect.to), "redirect")
            place.add(status_option.find_cause(status_option.OPTION.of(value.redirect)), "status")
        case model.DefaultKind.SITE if value.host is not None:
            _check_site(value.host, place)
        case model.DefaultKind.REFUSE:
            pass
        case _:
            place.add(f"kind {value.kind.value} needs a {value.kind.value}")


def _check_site(host: str, place: Place) -> None:
    known = {site.host: site for site in place.sites}
    if host not in known:
        place.add(f"{words.quoted(host)} is not a site{words.guess(host, known)}", "site")
    elif not known[host].enabled:
        cause = f"{words.quoted(host)} is disabled, so unknown hosts are refused"
        place.add(cause, "site", severity=model.Severity.WARNING)


OPTION = Option(
    name="default",
    form=typing.Annotated[
        WrittenDefault,
        pydantic.BeforeValidator(_parse),
        pydantic.AfterValidator(_make),
        forms.Also(forms.is_("refuse")),
    ],
    default=model.Default(),
    doc=Doc(
        kind="`refuse`, `{site: HOST}`, `{redirect: URL, status: 301}`",
        default="`refuse`",
        meaning="what a host name that is no site gets",
    ),
    levels=frozenset({Level.GATE}),
    model_field="default",
    check=_check,
)
