"""`access: {login: ...}`: who of those who signed in at daemun's own page (`login_option`) may come in."""

import collections.abc
import dataclasses
import re
import typing

import pydantic

from daemun.core import password_hashes
from daemun.core.options import forms
from daemun.core.options.option import Place
from daemun.core.texts import account_names, words

_EMAIL = re.compile(r"(?:\*|[^\s@*,<>\"]{1,64})@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")


def check_email(text: str) -> str | None:
    """Of a rule: an address, or all of a domain."""
    return None if _EMAIL.match(text) else 'is no e-mail address; expected alice@example.com or "*@example.com"'


def check_user(name: str) -> str | None:
    """Why no user can have this name; None: one can."""
    return None if account_names.find_provider(name) is not None else password_hashes.check_user(name)


def check_rule_group(name: str) -> str | None:
    """Of a rule: a group of `daemun users`, or KEY:GROUP of a provider."""
    key = account_names.find_provider(name)
    return account_names.check_group(name if key is None else name.removeprefix(f"{key}:"))


def _split(value: object) -> object:
    """A label holds a list in one text."""
    return tuple(re.split(r"[,\s]+", value.strip())) if isinstance(value, str) else value


_Names = typing.Annotated[
    tuple[forms.Text, ...], pydantic.Strict(strict=False), pydantic.BeforeValidator(_split), forms.Also(forms.TEXT)
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoginRule(forms.OptionMap):
    """Whom one of these lists has; nothing set: everybody who signed in."""

    shape: typing.ClassVar[str] = "true, groups, or {users, groups, emails}"
    texts: typing.ClassVar[frozenset[str]] = frozenset({"users", "groups", "emails"})
    meanings: typing.ClassVar[dict[str, str]] = {
        "users": "users who may come in, as `daemun users` lists them; of a provider as `daemun sessions` does",
        "groups": "groups whose users may come in; of a provider KEY:GROUP",
        "emails": "e-mail addresses whose users may come in; *@example.com: all of a domain",
    }
    users: _Names = ()
    groups: _Names = ()
    emails: _Names = ()


def _parse(value: object) -> object:
    """Labels hold the groups in one text. An empty key is a mistake: it must neither open the site nor close it."""
    if value is True:
        return {}
    if value is None or value is False or value == {}:
        raise ValueError(
            f"expected {LoginRule.shape}, found {words.describe(value)}; to let everybody in, leave it out"
        )
    if flag := forms.hint_flag(value):
        cure = flag if flag.endswith("true") else "; to let everybody in, leave it out"
        raise ValueError(f"expected {LoginRule.shape}, found {words.describe(value)}{cure}")
    return {"groups": value} if isinstance(value, str | list | tuple) else value


Form = typing.Annotated[
    LoginRule | None,
    pydantic.BeforeValidator(_parse),
    forms.Also({"const": True}, forms.TEXT, {"type": "array", "items": forms.TEXT}),
]


def check(value: LoginRule, place: Place) -> None:
    checks: dict[str, collections.abc.Callable[[str], str | None]] = {
        "users": check_user,
        "groups": check_rule_group,
        "emails": check_email,
    }
    for key, find_cause in checks.items():
        for index, one in enumerate(getattr(value, key)):
            place.add_value(one, find_cause(one), key, index)


def tighten(outer: LoginRule, inner: LoginRule) -> LoginRule:
    """Both at once. Raises: ValueError with why that cannot be."""
    if LoginRule() in {outer, inner}:
        return inner if outer == LoginRule() else outer
    raise ValueError("login: the file says for every site who may come in")
