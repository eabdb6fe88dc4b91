"""How certificates are ordered: what `acme` and a site's `tls` have in common."""

import dataclasses
import typing

import pydantic

from daemun.core import model, validate_dns
from daemun.core.issuance import public_cas
from daemun.core.options import forms
from daemun.core.options.option import Place
from daemun.core.texts import rules, url_rules, words

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
_NEED_EAB = ("acme.zerossl.com", "dv.acme-v02.api.pki.goog")


def parse_directory(value: str) -> str:
    """The URL of an ACME directory, or of one with a name. Raises: ValueError."""
    if "://" not in value and value not in DIRECTORIES:
        guess = words.guess(value, DIRECTORIES)
        raise ValueError(f"expected {words.listed([*DIRECTORIES, 'an https URL'])}, found {words.quoted(value)}{guess}")
    return DIRECTORIES.get(value, value)


def _check_key_types(value: tuple[model.KeyType, ...]) -> tuple[model.KeyType, ...]:
    if not value:
        raise ValueError("is empty; leave it out for ecdsa-p256")
    algorithms = [one.algorithm for one in value]
    if len(algorithms) > len(set(algorithms)):
        raise ValueError(
            "expected one type of ECDSA and one of RSA at most, as [ecdsa-p256, rsa-2048]: "
            f"found {words.listed([one.value for one in value], last='and')}"
        )
    return value


Directory = typing.Annotated[str, pydantic.BeforeValidator(forms.parse_text(parse_directory))]
_KeyTypes = typing.Annotated[
    tuple[typing.Annotated[model.KeyType, forms.choice(model.KeyType)], ...],
    forms.ONE_OR_MORE,
    pydantic.AfterValidator(_check_key_types),
]
"""One, or two of which clients get what they take."""
Command = typing.Annotated[forms.Texts, forms.ONE_OR_MORE]
"""A program and its arguments; a text alone is a program without any, not a line for a shell."""


# --- CAs -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WrittenEab(forms.OptionMap):
    """What a CA's web page shows for external account binding."""

    meanings: typing.ClassVar[dict[str, str]] = {
        "kid": "the key identifier",
        "hmac_key": "the HMAC key, or where it is",
    }
    kid: forms.Text
    hmac_key: forms.Secret


def _make_eab(written: WrittenEab) -> model.Eab:
    return model.Eab(key_id=written.kid, hmac_key=written.hmac_key)


Eab = typing.Annotated[WrittenEab, pydantic.AfterValidator(_make_eab)]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WrittenAuthority(forms.OptionMap):
    """A directory's name or URL, or this map."""

    shape: typing.ClassVar[str] = "the name or the URL of an ACME directory, or a map with its `directory`"
    meanings: typing.ClassVar[dict[str, str]] = {
        "directory": "the name of a CA (letsencrypt, zerossl, ...), or the URL of its directory",
        "email": "the contact of the account",
        "ca_file": "the file with the CA that signs a private directory's certificate",
        "eab": "external account binding, where the CA needs it",
        "staging": "the directory of its test system",
    }
    directory: Directory
    email: forms.Text | None = None
    ca_file: forms.File | None = None
    eab: Eab | None = None
    staging: Directory | None = None

    def make(self) -> model.Authority:
        return model.Authority(
            directory=self.directory,
            email=self.email,
            ca_file=self.ca_file,
            eab=typing.cast(model.Eab | None, self.eab),
            staging=self.staging or STAGINGS.get(self.directory),
        )


def _short(value: object) -> object:
    return {"directory": value} if isinstance(value, str) else value


Authority = typing.Annotated[WrittenAuthority, pydantic.BeforeValidator(_short), forms.Also(forms.TEXT)]


def check_authority(authority: model.Authority, place: Place) -> None:
    place.add_value(authority.directory, url_rules.check_directory(authority.directory), "directory")
    if authority.email is not None:
        place.add_value(authority.email, rules.check_email(authority.email), "email")
    if authority.ca_file is not None:
        place.add_value(authority.ca_file, rules.check_absolute(authority.ca_file), "ca_file")
    if authority.staging is not None:
        place.add_value(authority.staging, url_rules.check_directory(authority.staging), "staging")
    if authority.eab is None and public_cas.host_of(authority.directory) in _NEED_EAB:
        cause = f"{words.quoted(authority.directory)} serves only accounts that were made on its web page"
        place.add(f"{cause}; add `eab: {{kid: ..., hmac_key: ...}}` beside it", "directory")
    if authority.eab is not None:
        place.add("is empty" if not authority.eab.key_id else rules.check_text(authority.eab.key_id), "eab")


# --- proofs in DNS ---------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WrittenDns(forms.OptionMap):
    """options: whatever keys the provider has of its own; the file has them beside the others."""

    shape: typing.ClassVar[str] = "a map with its `provider`"
    meanings: typing.ClassVar[dict[str, str]] = {
        "provider": "who has the zone: a name of docs/certificates.md, rfc2136 or hook",
        "command": "the program that makes the records, with `provider: hook`",
        "wait": "how long a record may take to be visible everywhere; 10m",
    }
    provider: forms.Text
    command: Command = ()
    wait: forms.Duration = 600.0
    options: dict[str, forms.Secret] = dataclasses.field(default_factory=dict)


def make_dns(written: WrittenDns) -> model.Dns:
    return model.Dns(
        provider=written.provider,
        options=tuple(sorted(written.options.items(), key=lambda option: option[0])),
        command=written.command,
        wait_s=written.wait,
    )


_Dns = typing.Annotated[WrittenDns, forms.FurtherKeys("options"), pydantic.AfterValidator(make_dns)]


# --- orders ----------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WrittenOrdering(forms.OptionMap):
    meanings: typing.ClassVar[dict[str, str]] = {
        "profile": "the CA's profile for certificates",
        "challenge": "how names are proved: http-01, dns-01 or dns-persist-01",
        "dns": "who makes the records for proofs in DNS",
        "key_type": "the type of the key, or two types for two certificates",
        "preferred_chain": "the common name of the root to which the chain shall lead",
    }
    profile: forms.Text | None = None
    challenge: typing.Annotated[model.Challenge, forms.choice(model.Challenge)] | None = None
    dns: _Dns | None = None
    key_type: _KeyTypes | None = None
    preferred_chain: forms.Text | None = None

    def as_fields(self) -> dict[str, typing.Any]:
        """Of `model.Ordering` and `model.Acme`."""
        first, second, *_ = (*(self.key_type or ()), None, None)
        return {
            "profile": self.profile,
            "challenge": self.challenge,
            "dns": self.dns,
            "key_type": first,
            "further_key_type": second,
            "preferred_chain": self.preferred_chain,
        }


def check_ordering(ordering: model.Ordering | model.Acme, place: Place) -> None:
    if ordering.profile is not None and not ordering.profile.strip():
        place.add("is empty; leave it out for the CA's usual one", "profile")
    if ordering.preferred_chain is not None:
        fault = "is empty" if not ordering.preferred_chain.strip() else rules.check_text(ordering.preferred_chain)
        place.add(fault and f"{fault}; leave it out for the CA's usual chain", "preferred_chain")
    if ordering.dns is not None:
        validate_dns.check_dns(ordering.dns, place.report, *place.field, "dns")


def check_challenge(ordering: model.Ordering | model.Acme, place: Place) -> None:
    """ordering: as it is used, with what the gate has."""
    if ordering.challenge is model.Challenge.DNS_01 and ordering.dns is None:
        place.add("dns-01 needs `dns`, which says who makes the records", "challenge")
