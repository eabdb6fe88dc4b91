"""Certificates in daemun.yaml: `acme:` at the top, `tls:` and `on_demand:` of a site."""

import enum
import typing

import pydantic

from daemun.core import model, words
from daemun.core.options import forms
from daemun.sources import yaml_entry

DIRECTORIES = {
    "letsencrypt": model.LETS_ENCRYPT,
    "letsencrypt-staging": model.LETS_ENCRYPT_STAGING,
    "zerossl": "https://acme.zerossl.com/v2/DV90",
    "google": "https://dv.acme-v02.api.pki.goog/directory",
}
STAGINGS = {
    model.LETS_ENCRYPT: model.LETS_ENCRYPT_STAGING,
    DIRECTORIES["google"]: "https://dv.acme-v02.test-api.pki.goog/directory",
}
"""The test systems of known CAs. Sources: letsencrypt.org/docs/staging-environment,
cloud.google.com/certificate-manager/docs/public-ca-tutorial."""


def parse_directory(value: str) -> str:
    """The URL of an ACME directory, or of one with a name. Raises: ValueError."""
    if "://" not in value and value not in DIRECTORIES:
        guess = words.guess(value, DIRECTORIES)
        raise ValueError(f"expected {words.listed([*DIRECTORIES, 'an https URL'])}, found {words.quoted(value)}{guess}")
    return DIRECTORIES.get(value, value)


Directory = typing.Annotated[str, pydantic.BeforeValidator(forms.parse_text(parse_directory))]
Challenge = typing.Annotated[model.Challenge, forms.choice(model.Challenge)]


def _check_key_types(value: list[model.KeyType]) -> list[model.KeyType]:
    if not value:
        raise ValueError("is empty; leave it out for ecdsa-p256")
    algorithms = [one.algorithm for one in value]
    if len(algorithms) > len(set(algorithms)):
        raise ValueError(
            "expected one type of ECDSA and one of RSA at most, as [ecdsa-p256, rsa-2048]: "
            f"found {words.listed([one.value for one in value], last='and')}"
        )
    return value


KeyTypes = typing.Annotated[
    list[typing.Annotated[model.KeyType, forms.choice(model.KeyType)]],
    forms.ONE_OR_MORE,
    pydantic.AfterValidator(_check_key_types),
]
"""One, or two of which clients get what they take."""
Command = typing.Annotated[list[str], forms.ONE_OR_MORE]
"""A program and its arguments; a text alone is a program without any, not a line for a shell."""


class EabEntry(yaml_entry.Entry):
    """What a CA's web page shows for external account binding."""

    kid: str
    hmac_key: forms.Secret


class AuthorityEntry(yaml_entry.Entry):
    """A directory's name or URL, or this map."""

    shape = "the name or the URL of an ACME directory, or a map with its `directory`"
    directory: Directory
    email: str | None = None
    ca_file: forms.File | None = None
    eab: EabEntry | None = None
    staging: Directory | None = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        return {"directory": value} if isinstance(value, str) else value


class DnsEntry(yaml_entry.Entry):
    """A provider, and whatever keys it has of its own."""

    model_config = pydantic.ConfigDict(extra="allow", strict=True)
    __pydantic_extra__: dict[str, forms.Secret]
    shape = "a map with its `provider`"
    provider: str
    command: Command = []
    wait: forms.Duration = 600.0


class AcmeEntry(yaml_entry.Entry):
    email: str | None = None
    directory: typing.Annotated[list[typing.Annotated[AuthorityEntry, forms.Also(forms.TEXT)]], forms.ONE_OR_MORE] = [
        AuthorityEntry(directory=model.LETS_ENCRYPT)
    ]
    ca_file: forms.File | None = None
    eab: EabEntry | None = None
    staging: Directory | None = None
    profile: str | None = None
    challenge: Challenge | None = None
    dns: DnsEntry | None = None
    key_type: KeyTypes | None = None
    preferred_chain: str | None = None
    hook: Command = []
    resolvers: typing.Annotated[list[str], forms.ONE_OR_MORE] = []


# --- of a site -------------------------------------------------------------------------------------------------


class TlsFilesEntry(yaml_entry.Entry):
    """A certificate of one's own."""

    certificate: forms.File
    key: forms.File


class TlsWord(enum.Enum):
    """`model.TlsMode` without FILES, which is set by giving the files."""

    AUTO = "auto"
    ACME = "acme"
    LOCAL = "local"
    OFF = "off"


class TlsOrderEntry(yaml_entry.Entry):
    """How the certificate of one site is ordered, where it differs from `acme:`."""

    mode: typing.Annotated[TlsWord, forms.choice(TlsWord)] = TlsWord.AUTO
    directory: typing.Annotated[AuthorityEntry, forms.Also(forms.TEXT)] | None = None
    profile: str | None = None
    challenge: Challenge | None = None
    dns: DnsEntry | None = None
    key_type: KeyTypes | None = None
    preferred_chain: str | None = None


def _kind_of_tls(value: object) -> str:
    if not isinstance(value, dict):
        return "(word)"
    return "(order)" if value and not {"certificate", "key"} & value.keys() else "(files)"


Tls = typing.Annotated[
    typing.Annotated[
        TlsWord,
        forms.choice(TlsWord, "{certificate: FILE, key: FILE}"),
        forms.Also(forms.is_(False)),
        pydantic.Tag("(word)"),
    ]
    | typing.Annotated[TlsFilesEntry, pydantic.Tag("(files)")]
    | typing.Annotated[TlsOrderEntry, pydantic.Tag("(order)")],
    pydantic.Discriminator(_kind_of_tls),
]


class OnDemandEntry(yaml_entry.Entry):
    """`true`, the URL to ask, or this map."""

    shape = "true, false, the URL to ask, or a map"
    ask: str | None = None
    per_minute: int = model.OnDemand().per_minute
    most: int = model.OnDemand().most

    def translate(self) -> model.OnDemand:
        return model.OnDemand(ask=self.ask, per_minute=self.per_minute, most=self.most)


def _on_demand(value: object) -> object:
    if value is True:
        return {}
    if isinstance(value, str):
        return {"ask": value}
    return None if value is False else value


OnDemand = typing.Annotated[
    OnDemandEntry | None, pydantic.BeforeValidator(_on_demand), forms.Also(forms.FLAG, forms.TEXT)
]
