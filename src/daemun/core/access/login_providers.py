"""Identity providers of daemun's own sign-in, and whose account a visitor signed in with. Pure.

A person is known by provider and subject, never by an e-mail address alone, which may be another person's tomorrow
(OpenID Connect Core section 5.7). The name, `accounts.google.com:1234`, has a colon, which the name of no user of
`daemun users` has, so nobody becomes such a user by an account elsewhere. Groups are named in the same way,
`github:family`: anybody can make an organisation of that name.
"""

import dataclasses
import enum
import hashlib
import json
import re
import typing
import urllib.parse

from daemun.core import model
from daemun.core.access import login_url, login_users
from daemun.core.options import login_option, login_provider_form
from daemun.core.texts import account_names

LONGEST_SUBJECT = 255
"""OpenID Connect Core section 2."""
MOST_GROUPS = 50
_NO_SECRET = model.Secret(text="")
_LONGEST_DISPLAY = 200
_LONGEST_EMAIL = 254
_SAFE_IN_SUBJECT = "@+=~|!$&'()*"
_EMAIL = re.compile(r"[^\s@,<>\"\x00-\x1f\x7f-\x9f]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")


class ProviderKind(enum.Enum):
    OIDC = "oidc"
    GITHUB = "github"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """key: as of `LoginProvider.key`. name: what people see. secret: of the client, where it is; no text is passed on
    with the rest. groups_claim: "": groups are not taken over.
    ca_file: the roots that its certificate must lead to; "": the system's."""

    key: str
    kind: ProviderKind
    issuer: str
    client_id: str
    name: str
    scopes: tuple[str, ...]
    groups_claim: str = ""
    ca_file: str = ""
    secret: model.Secret = _NO_SECRET

    @property
    def stamp(self) -> str:
        """Sessions of another one with the same key are over (`login_users.User.stamp`)."""
        parts = (self.key, self.kind.value, self.issuer, self.client_id)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who signed in. provider: its key. email: one that the provider verified, or none. groups: as the provider names
    them; those of a user have its key before them."""

    provider: str
    subject: str
    display: str = ""
    email: str = ""
    groups: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the user: what servers receive as Remote-User."""
        return f"{self.provider}:{urllib.parse.quote(self.subject, safe=_SAFE_IN_SUBJECT)}"

    def make_user(self, stamp: str) -> login_users.User:
        groups = tuple(f"{self.provider}:{one}" for one in self.groups)
        return login_users.User(
            name=self.name, hashed="", stamp=stamp, display=self.display, email=self.email, groups=groups
        )


def make(form: login_provider_form.LoginProvider) -> Provider:
    kind = ProviderKind.GITHUB if form.github is not None else ProviderKind.OIDC
    default = ("user:email",) if kind is ProviderKind.GITHUB else ("openid", "profile", "email")
    return Provider(
        key=form.key,
        kind=kind,
        issuer=form.issuer,
        client_id=form.client_id,
        name=login_provider_form.find_name(form),
        scopes=tuple(form.scopes) or default,
        groups_claim=form.groups_claim or "",
        ca_file=form.ca_file or "",
        secret=form.client_secret,
    )


def make_identity(
    provider: Provider, subject: str, *, display: object, email: object, is_verified: bool, groups: object
) -> Identity:
    """Of what a provider sent, which is not trusted in its form: what cannot be used is left out.

    Raises: ValueError when the subject is none."""
    if not subject or len(subject) > LONGEST_SUBJECT or not subject.isprintable():
        raise ValueError("the subject is empty, too long, or no text")
    return Identity(
        provider=provider.key,
        subject=subject,
        display=_clean(display),
        email=email if is_verified and isinstance(email, str) and is_email(email) else "",
        groups=read_groups(groups),
    )


def is_email(text: str) -> bool:
    return len(text) <= _LONGEST_EMAIL and _EMAIL.match(text) is not None


def read_groups(value: object) -> tuple[str, ...]:
    """Names that groups of `daemun users` could have, too; Keycloak writes a slash before them."""
    every = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    names = {one.removeprefix("/") for one in every[:1000] if isinstance(one, str)}
    return tuple(sorted(one for one in names if account_names.check_group(one) is None)[:MOST_GROUPS])


def _clean(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(sign for sign in text if sign.isprintable())[:_LONGEST_DISPLAY].strip()


def find_callbacks(settings: model.Globals) -> dict[str, str]:
    """Where each provider leads back to, by its key, for those who make a client there."""
    login = login_option.OPTION.of(settings)
    port = login_url.write_port(login_url.find_port(settings))
    providers = () if login is None else login.providers
    return {one.key: login_provider_form.callback(login.host, one.key, port) for one in providers if login is not None}


# --- as text -------------------------------------------------------------------------------------------------------


def to_json(provider: Provider) -> dict[str, object]:
    """Without the text of a secret, which is in no file."""
    found = {**dataclasses.asdict(provider), "kind": provider.kind.value}
    found["secret"] = {"variable": provider.secret.variable, "file": provider.secret.file}
    return found


def from_json(value: dict[str, typing.Any]) -> Provider:
    """Raises: ValueError, KeyError, TypeError, AttributeError when it is none."""
    secret = {key: str(value["secret"][key]) for key in ("variable", "file") if value["secret"][key] is not None}
    return Provider(
        key=str(value["key"]),
        kind=ProviderKind(value["kind"]),
        issuer=str(value["issuer"]),
        client_id=str(value["client_id"]),
        name=str(value["name"]),
        scopes=tuple(map(str, value["scopes"])),
        groups_claim=str(value["groups_claim"]),
        ca_file=str(value.get("ca_file", "")),
        secret=model.Secret(**secret) if secret else _NO_SECRET,
    )


def read_identity(value: dict[str, typing.Any] | None) -> Identity | None:
    """As `from_json`; None: there is none."""
    if value is None:
        return None
    provider, subject, display, email = (str(value[key]) for key in ("provider", "subject", "display", "email"))
    groups = tuple(map(str, value["groups"]))
    return Identity(provider=provider, subject=subject, display=display, email=email, groups=groups)
