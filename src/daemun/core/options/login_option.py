"""`login`: daemun's own sign-in, one for all sites whose `access` has `login`."""

import collections.abc
import dataclasses
import typing

import pydantic

from daemun.core import model
from daemun.core.options import forms, login_provider_form
from daemun.core.options.option import Doc, Level, NamedFile, Option, Place
from daemun.core.texts import names, quantity_rules, rules, words

ORIGIN = model.Origin(source="login")
"""Of the site that daemun makes of it (`core.access.login_site`)."""
_DAY_S = 86400.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Login(forms.OptionMap):
    """host: where people sign in. idle_s: after how long without a request a session ends. lifetime_s: after how long
    it ends in any case. providers: whose accounts people may sign in with, too."""

    shape: typing.ClassVar[str] = "the host of the sign-in page, or {host, idle, lifetime, providers}"
    meanings: typing.ClassVar[dict[str, str]] = {
        "host": "the host of the sign-in page, which daemun serves itself",
        "idle": "after how long without a request a session ends; 7d",
        "lifetime": "after how long a session ends in any case; 30d",
        "providers": "identity providers whose accounts people may sign in with: OpenID Connect, GitHub; none",
    }
    host: forms.Host
    idle_s: typing.Annotated[forms.Duration, pydantic.Field(alias="idle")] = 7 * _DAY_S
    lifetime_s: typing.Annotated[forms.Duration, pydantic.Field(alias="lifetime")] = 30 * _DAY_S
    providers: login_provider_form.Form = ()


def _parse(value: object) -> object:
    if isinstance(value, bool) or forms.hint_flag(value):
        cure = "write the host, such as auth.example.com, or leave it out for no sign-in page"
        raise ValueError(f"expected {Login.shape}, found {words.describe(value)}; {cure}")
    return {"host": value} if isinstance(value, str) else value


def _check(value: Login | None, place: Place) -> None:
    if value is None:
        return
    cause = rules.check_host(value.host)
    if cause is None and ("*" in value.host or names.address_of(value.host) is not None):
        cause = "is not one name, which the sign-in page needs"
    place.add_value(value.host, cause, "host")
    if any(value.host in site.names for site in place.sites if site.origin != ORIGIN):
        place.add(f"{words.quoted(value.host)} is a site already; the sign-in page needs a name of its own", "host")
    for key, duration_s in (("idle", value.idle_s), ("lifetime", value.lifetime_s)):
        place.add(quantity_rules.check_duration(duration_s, least=60, most=3660 * _DAY_S), key)
    login_provider_form.check(value.providers, place.below("providers"))


def _files(value: Login | None) -> collections.abc.Iterable[NamedFile]:
    return () if value is None else login_provider_form.find_files(value.providers)


OPTION = Option[Login | None](
    name="login",
    form=typing.Annotated[Login | None, pydantic.BeforeValidator(_parse), forms.Also(forms.TEXT)],
    default=None,
    doc=Doc(
        kind="host, or `{host, idle, lifetime, providers: [{oidc, github, client_id, client_secret, name, scopes, "
        "groups_claim}]}`",
        default="none",
        meaning="daemun's own sign-in page, for sites whose `access` has `login`, see [Access](#access)",
    ),
    levels=frozenset({Level.GATE}),
    check=_check,
    files=_files,
)
"""None: nobody can sign in."""
