"""Versions and ciphers of TLS: Mozilla's intermediate profile, version 5.7 (ssl-config.mozilla.org), and what `tls` of
a site sets instead (`min`, `ciphers`)."""

import re
import typing

import pydantic

from daemun.core import model
from daemun.core.options import forms
from daemun.core.texts import words

_CIPHERS = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "DHE-RSA-AES128-GCM-SHA256",
        "DHE-RSA-AES256-GCM-SHA384",
        "DHE-RSA-CHACHA20-POLY1305",
    )
)

INTERMEDIATE = model.TlsPolicy(name="Mozilla-Intermediate", protocols=("TLSv1.2", "TLSv1.3"), ciphers=_CIPHERS)

_VERSIONS = {"1.2": INTERMEDIATE.protocols, "1.3": ("TLSv1.3",)}
_OLD = ("1", "1.0", "1.1")
_CIPHER = re.compile(r"[A-Z0-9][A-Za-z0-9-]{2,60}\Z")
_MOST = 50


def _min(value: object) -> object:
    """YAML's 1.3 is a number."""
    text = str(value).strip().lower().removeprefix("tls").removeprefix("v").strip()
    if not isinstance(value, bool) and text in _VERSIONS:
        return text
    old = "; older ones are not safe any more (RFC 8996)" if text in _OLD else ""
    raise ValueError(f"expected 1.2 or 1.3, found {words.describe(value)}{old}")


def _ciphers(value: object) -> object:
    found = [one for one in re.split(r"[\s:,]+", value) if one] if isinstance(value, str) else value
    if not isinstance(found, list) or not 1 <= len(found) <= _MOST:
        raise ValueError(f"expected a list of OpenSSL's names of ciphers, found {words.describe(value)}")
    for one in found:
        if not isinstance(one, str) or not _CIPHER.match(one):
            raise ValueError(f"{words.describe(one)} is no name of a cipher such as ECDHE-RSA-AES128-GCM-SHA256")
        if one.startswith("TLS_"):
            raise ValueError(f"{one} is of TLS 1.3, whose ciphers are all good and stay; name those of TLS 1.2")
    return tuple(found)


Min = typing.Annotated[
    str,
    pydantic.BeforeValidator(_min),
    pydantic.WithJsonSchema({"enum": [1.2, 1.3, "1.2", "1.3"]}),
]
Ciphers = typing.Annotated[
    tuple[str, ...],
    pydantic.BeforeValidator(_ciphers),
    pydantic.WithJsonSchema({"anyOf": [forms.TEXT, {"type": "array", "items": forms.TEXT, "minItems": 1}]}),
]
MEANINGS = {
    "min": "the oldest version of TLS that visitors may use: 1.2 or 1.3; 1.2",
    "ciphers": "OpenSSL's names of the ciphers of TLS 1.2, in place of Mozilla's intermediate ones",
}


def make(least: str | None, ciphers: tuple[str, ...] | None) -> model.TlsPolicy | None:
    """None: that of the gate."""
    if least is None and ciphers is None:
        return None
    chosen = INTERMEDIATE.ciphers if ciphers is None else ":".join(ciphers)
    return model.TlsPolicy(name="tls", protocols=_VERSIONS[least or "1.2"], ciphers=chosen)
