"""`dashboard`: daemun's own pages, and who of the sign-in's users may use them for what."""

import dataclasses
import typing

import pydantic

from daemun.core import model
from daemun.core.options import forms, login_option, login_rule_form
from daemun.core.options.option import Doc, Level, Option, Place
from daemun.core.texts import names, rules, words

ORIGIN = model.Origin(source="dashboard")
"""Of the site that daemun makes of it (`core.access.dashboard_site`)."""
LOCAL_HOST = "daemun.localhost"
"""Where it is when no host is set: a name that means this machine to browsers (RFC 6761 section 6.3)."""
_OFF = "off"
"""In place of a host: there is no dashboard. The value of an option that is set is never None."""
_SHAPE = "true, false, a host, or a map such as {host: gate.example.com, own: [ann]}"


def _split(value: object) -> object:
    return (value,) if isinstance(value, str) else value


_Names = typing.Annotated[
    tuple[forms.Text, ...], pydantic.Strict(strict=False), pydantic.BeforeValidator(_split), forms.Also(forms.TEXT)
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard(forms.OptionMap):
    """host: None: `LOCAL_HOST`, for this machine alone. look, change, own: users of `login`, and groups as "@group"."""

    shape: typing.ClassVar[str] = _SHAPE
    meanings: typing.ClassVar[dict[str, str]] = {
        "host": f"its host; without one it is `https://{LOCAL_HOST}`, for browsers on this machine",
        "look": "users of `login`, and groups as `@group`, who see everything but secrets",
        "change": "who may change sites, too",
        "own": "who may do everything, let others in among it",
    }
    host: forms.Host | None = None
    look: _Names = ()
    change: _Names = ()
    own: _Names = ()

    @property
    def has_users(self) -> bool:
        return bool(self.look or self.change or self.own)


def _parse(value: object) -> object:
    if value is True:
        return {}
    if value is False or value == _OFF:
        return {"host": _OFF}
    if value is None or (flag := forms.hint_flag(value)):
        cure = "" if value is None else flag
        raise ValueError(f"expected {_SHAPE}, found {words.describe(value)}{cure}")
    if isinstance(value, str):
        return {"host": value}
    if not isinstance(value, dict):
        raise ValueError(f"expected {_SHAPE}, found {words.describe(value)}")  # noqa: TRY004 - for pydantic
    return value


def _check(value: Dashboard, place: Place) -> None:
    if value.host == _OFF:
        return
    if value.host is not None:
        cause = rules.check_host(value.host)
        if cause is None and ("*" in value.host or names.address_of(value.host) is not None):
            cause = "is not one name, which the dashboard needs"
        place.add_value(value.host, cause, "host")
        if any(value.host in site.names for site in place.sites if site.origin != ORIGIN):
            place.add(f"{words.quoted(value.host)} is a site already; the dashboard needs a name of its own", "host")
    for key in ("look", "change", "own"):
        for index, one in enumerate(getattr(value, key)):
            is_group = one.startswith("@")
            find_cause = login_rule_form.check_rule_group if is_group else login_rule_form.check_user
            place.add_value(one, find_cause(one.removeprefix("@")), key, index)


def find(settings: model.Globals) -> Dashboard | None:
    """None: there is none."""
    value = OPTION.of(settings)
    return None if value.host == _OFF else value


def find_login_host(settings: model.Globals) -> str | None:
    """Where users of the sign-in use the dashboard; None: nobody comes in that way."""
    found = find(settings)
    is_used = found is not None and found.has_users and login_option.OPTION.of(settings) is not None
    return found.host if is_used and found is not None else None


def find_lack(settings: model.Globals) -> str | None:
    """Why users of the sign-in that are named cannot use it."""
    found = find(settings)
    if found is None or not found.has_users:
        return None
    if login_option.OPTION.of(settings) is None:
        return "names users of the sign-in, and there is none; add `login: {host: auth.example.com}`"
    if found.host is None:
        return "names users of the sign-in, who need a host to come to; add `host: gate.example.com`"
    return None


OPTION = Option[Dashboard](
    name="dashboard",
    form=typing.Annotated[Dashboard, pydantic.BeforeValidator(_parse), forms.Also(forms.TEXT, {"type": "boolean"})],
    default=Dashboard(),
    doc=Doc(
        kind="`true`, `false`, host, or `{host, look, change, own}`",
        default="`true`",
        meaning="daemun's own pages, see [Dashboard](dashboard.md); nobody comes in without signing in",
    ),
    levels=frozenset({Level.GATE}),
    check=_check,
)
"""`find` has what it means."""
