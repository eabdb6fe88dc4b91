"""`login: {providers: [...]}`: whose accounts people may sign in with, beside daemun's own users."""

import collections.abc
import dataclasses
import ipaddress
import re
import typing
import urllib.parse

import pydantic

from daemun.core import model
from daemun.core.options import forms
from daemun.core.options.option import NamedFile, Place
from daemun.core.texts import url_rules, words

GITHUB = "https://github.com"
MOST_PROVIDERS = 20
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}\Z")
"""RFC 6749 section 3.3."""
_UNSAFE_IN_KEY = re.compile(r"[^a-z0-9.]+")


def _find_github(value: object) -> object:
    if value is True:
        return GITHUB
    if isinstance(value, str):
        return value.rstrip("/")
    raise ValueError(f"expected true, or the URL of a GitHub Enterprise Server, found {words.describe(value)}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoginProvider(forms.OptionMap):
    """oidc: the issuer (OpenID Connect). github: where GitHub is. One of the two is set."""

    shape: typing.ClassVar[str] = "a map with `oidc` or `github`, `client_id` and `client_secret`"
    meanings: typing.ClassVar[dict[str, str]] = {
        "oidc": "the issuer of an OpenID Connect provider, such as https://accounts.google.com",
        "github": "true for github.com, or the URL of a GitHub Enterprise Server",
        "client_id": "what the provider calls daemun; it gives it out together with the secret",
        "client_secret": "a secret: file:PATH, env:NAME, {file: PATH}, {env: NAME}, or the text itself",
        "name": "what the button on the page shows; the provider's host",
        "scopes": "what is requested of the provider; openid, profile, email; of GitHub user:email",
        "ca_file": "trust for a provider with a certificate of a private CA; the system's roots",
        "groups_claim": "the claim with a user's groups, which become groups KEY:GROUP of the sign-in; no claim",
    }
    oidc: forms.Text | None = None
    github: typing.Annotated[forms.Text | None, pydantic.BeforeValidator(_find_github), forms.Also({"const": True})] = (
        None
    )
    client_id: forms.Text
    client_secret: forms.Secret
    name: forms.Text | None = None
    scopes: forms.Texts = ()
    groups_claim: forms.Text | None = None
    ca_file: forms.File | None = None

    @property
    def issuer(self) -> str:
        return self.oidc or self.github or ""

    @property
    def key(self) -> str:
        """What the callback's path and the names of users begin with: the host and the path of the issuer."""
        if self.github == GITHUB:
            return "github"
        parts = urllib.parse.urlsplit(self.issuer)
        return _UNSAFE_IN_KEY.sub("-", f"{parts.netloc}{parts.path}".lower()).strip("-")


GITHUB_GROUPS = frozenset({"read:org", "write:org", "admin:org"})
"""Scopes with which GitHub gives a user's organisations."""


def find_missing_groups(one: LoginProvider) -> str | None:
    """What would let the provider give groups; None: it does."""
    if one.github is None:
        return None if one.groups_claim is not None else "`groups_claim: groups`, or what the provider calls that claim"
    return None if GITHUB_GROUPS & set(one.scopes) else "`scopes: [user:email, read:org]`"


Form = typing.Annotated[tuple[LoginProvider, ...], pydantic.Strict(strict=False), forms.ONE_OR_MORE]


def find_files(providers: tuple[LoginProvider, ...]) -> collections.abc.Iterator[NamedFile]:
    for index, one in enumerate(providers):
        if one.ca_file is not None:
            until = "nobody can sign in with it"
            yield NamedFile(path=one.ca_file, below=("providers", index, "ca_file"), until=until)


def callback(host: str, key: str, port: str = "") -> str:
    """What the provider must know as the redirect URI. port: with its colon."""
    return f"https://{host}{port}/callback/{key}"


def check(providers: tuple[LoginProvider, ...], place: Place) -> None:
    if len(providers) > MOST_PROVIDERS:
        place.add(f"has {len(providers)} providers; expected {MOST_PROVIDERS} at most")
    seen: set[str] = set()
    for index, one in enumerate(providers):
        _check_one(one, place.below(index))
        if one.issuer and one.key in seen:
            place.add(f"{words.quoted(one.issuer)} is there twice; leave one out", index)
        seen.add(one.key)


def _check_one(one: LoginProvider, place: Place) -> None:
    if (one.oidc is None) == (one.github is None):
        place.add("needs either `oidc`, the issuer of an OpenID Connect provider, or `github: true`")
    elif one.oidc is not None:
        place.add_value(one.oidc, check_issuer(one.oidc), "oidc")
    elif one.github is not None:
        place.add_value(one.github, check_issuer(one.github), "github")
        if one.groups_claim is not None:
            place.add(
                "is for OpenID Connect; organisations of GitHub become groups by `scopes: [read:org]`", "groups_claim"
            )
    for name, value in (("client_id", one.client_id), ("name", one.name), ("groups_claim", one.groups_claim)):
        if value is not None:
            place.add_value(value, _check_word(value), name)
    for index, scope in enumerate(one.scopes):
        place.add_value(
            scope, None if _SCOPE.match(scope) else "is no scope; expected one without spaces", "scopes", index
        )
    if one.oidc is not None and one.scopes and "openid" not in one.scopes:
        place.add("lacks openid, without which OpenID Connect tells nothing of the user; add it", "scopes")
    if one.client_secret.text is not None and _is_no_secret(one.client_secret.text):
        place.add("has spaces or letters that no provider gives out; copy it again", "client_secret")
    place.add(forms.hint_path(one.client_secret), "client_secret", severity=model.Severity.WARNING)


def check_issuer(url: str) -> str | None:
    """Why a URL cannot be an issuer; None: it can."""
    cause = url_rules.check_web_url(url)
    if cause is not None:
        return cause
    parts = urllib.parse.urlsplit(url)
    if parts.query or parts.fragment or "?" in url or "#" in url:
        return "has a query or a fragment; an issuer has none"
    if url.endswith("/.well-known/openid-configuration"):
        return f"is its discovery document; write {words.quoted(url.removesuffix('/.well-known/openid-configuration'))}"
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        return "is http, where everybody on the way could sign in as anybody; use https (http is for loopback only)"
    return None


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_word(text: str) -> str | None:
    if not text.strip() or len(text) > 255 or not text.isprintable():
        return "is empty, too long, or has characters that cannot be shown"
    return None


def _is_no_secret(text: str) -> bool:
    return not text.isascii() or not text.isprintable() or " " in text


def find_name(provider: LoginProvider) -> str:
    """What the button shows."""
    if provider.name is not None:
        return provider.name
    return "GitHub" if provider.key == "github" else urllib.parse.urlsplit(provider.issuer).hostname or provider.issuer


def is_public(provider: LoginProvider) -> bool:
    """Whether anybody can make an account there."""
    return provider.github == GITHUB or provider.issuer.rstrip("/") in _PUBLIC


_PUBLIC = frozenset(
    {
        "https://accounts.google.com",
        "https://gitlab.com",
        "https://appleid.apple.com",
        "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        "https://www.facebook.com",
        "https://www.linkedin.com/oauth",
        "https://id.twitch.tv/oauth2",
        "https://kauth.kakao.com",
        "https://login.yahoo.com",
        "https://access.line.me",
        "https://discord.com",
    }
)
"""Issuers as their discovery documents name them; the tenant of Microsoft is that of personal accounts."""
