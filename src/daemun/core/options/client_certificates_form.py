"""`access: {client_certificates: ...}`: who may come in by a certificate of their own (RFC 8446 section 4.3.2).

What the files hold is part of the value: whoever reads them fills it in (`sources.client_authorities`), and while it is
not there, no certificate is taken.
"""

import dataclasses
import typing

import pydantic

from daemun.core.options import forms, option
from daemun.core.texts import words

LOCAL = "local"
_CLOSED = "nobody comes in by a certificate"
_WORDS = {"true", "on", "yes", "required", "optional"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoundAuthority:
    """What nginx is given. digest: of what the files hold, which nginx loads once."""

    ca_file: str
    crl_file: str | None
    digest: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClientAuthority:
    """path: absolute, of a PEM file; None: daemun's own CA for clients. found: None: it cannot be used."""

    path: str | None = None
    found: FoundAuthority | None = None


def _parse_authority(value: object, info: pydantic.ValidationInfo) -> object:
    if value == LOCAL:
        return ClientAuthority()
    if isinstance(value, str) and value:
        return ClientAuthority(path=forms.absolute(value, info))
    raise ValueError(f"expected {LOCAL} or the path of a PEM file, found {words.describe(value)}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificates(forms.OptionMap):
    """require: False: who shows none comes in, too."""

    shape: typing.ClassVar[str] = f"{LOCAL}, the path of a CA file, or a map with `ca`"
    meanings: typing.ClassVar[dict[str, str]] = {
        "ca": f"who signed them: a PEM file, or {LOCAL}: those that `daemun clients add` makes",
        "require": "whether who shows none is refused; true",
        "revoked": "a PEM file with the revocation list of each CA; of local, `daemun clients revoke` has it",
    }
    ca: typing.Annotated[
        pydantic.InstanceOf[ClientAuthority],
        pydantic.BeforeValidator(_parse_authority),
        pydantic.WithJsonSchema(forms.TEXT),
    ]
    require: forms.Flag = True
    revoked: forms.File | None = None

    @property
    def authority(self) -> tuple[ClientAuthority, str | None]:
        """What a whole site has in common."""
        return self.ca, self.revoked


def _parse(value: object) -> object:
    """An empty key is a mistake: it must neither open the site nor close it."""
    if value is None or isinstance(value, bool) or (isinstance(value, str) and value in _WORDS):
        raise ValueError(
            f"expected {LOCAL}, the path of a CA file, or a map with `ca`, found {words.describe(value)}; "
            f"write {{ca: {LOCAL}}}"
        )
    return {"ca": value} if isinstance(value, str) else value


Form = typing.Annotated[ClientCertificates | None, pydantic.BeforeValidator(_parse), forms.Also(forms.TEXT)]


def check(value: ClientCertificates, place: option.Place) -> None:
    if value.ca.path is None and value.revoked is not None:
        place.add("has no effect beside `ca: local`, whose list `daemun clients revoke` writes; remove it", "revoked")
    site = place.site
    if site is None:
        return
    if site.tls.mode.value == "off":
        place.add("needs HTTPS, and the site has `tls: off`")
    if site.tls.clients is not None:
        place.add("cannot stand beside the CA file that the site has as nginx-proxy names it; keep one")


def files(value: ClientCertificates) -> tuple[option.NamedFile, ...]:
    """Those that the owner names."""
    named = {"ca": value.ca.path, "revoked": value.revoked}
    return tuple(
        option.NamedFile(path=path, below=("client_certificates", key), is_watched=True, until=_CLOSED)
        for key, path in named.items()
        if path is not None
    )
