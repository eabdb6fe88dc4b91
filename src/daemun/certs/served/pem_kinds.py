"""What a file is that was given as a certificate or a key and is none, and the command that makes one of it. Pure; no
content of the file is part of a message."""

import collections.abc
import re
import shlex

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
_HTML = re.compile(rb"\s*(?:<!doctype html|<html|<\?xml|<head|<body)", re.IGNORECASE)
_JKS, _UTF_16 = b"\xfe\xed\xfe\xed", (b"\xff\xfe", b"\xfe\xff")
_CERTIFICATE, _KEY = "certificate", "key"

_REQUEST = "is a request for a certificate (CSR), which a CA is sent; give the certificate that it sends back"
_SSH = "is a key for logins by SSH; give the one that the certificate was ordered with"
_PARAMETERS = "holds parameters alone, and no private key; give the file that openssl wrote the key into"
_PKCS7 = "is PKCS#7; `openssl pkcs7 -print_certs -in {path} -out fullchain.pem` makes a chain of it"
_OWN_FORM = "is a certificate in OpenSSL's own form; `openssl x509 -in {path} -out cert.pem` converts it"
_LABELS = {
    "CERTIFICATE REQUEST": _REQUEST,
    "NEW CERTIFICATE REQUEST": _REQUEST,
    "PKCS7": _PKCS7,
    "CMS": _PKCS7,
    "TRUSTED CERTIFICATE": _OWN_FORM,
    "X509 CERTIFICATE": _OWN_FORM,
    "OPENSSH PRIVATE KEY": _SSH,
    "SSH2 ENCRYPTED PRIVATE KEY": _SSH,
    "EC PARAMETERS": _PARAMETERS,
    "DH PARAMETERS": _PARAMETERS,
}
"""What a file with such a first block is (RFC 7468)."""


def explain_certificate(content: bytes, path: str, key: str) -> str:
    """Why a file is no chain of certificates. path, key: of it and of its key, for the command."""
    return _explain(content, _CERTIFICATE, shlex.quote(path), other=shlex.quote(key))


def explain_key(content: bytes, path: str, certificate: str) -> str:
    """Why a file is no private key."""
    return _explain(content, _KEY, shlex.quote(path), other=shlex.quote(certificate))


def explain_encrypted(path: str) -> str:
    return (
        "the key is encrypted, and nginx needs one without a passphrase; "
        f"`openssl pkey -in {shlex.quote(path)} -out key.pem` asks for the passphrase and writes one"
    )


def _explain(content: bytes, expected: str, path: str, *, other: str) -> str:
    labels = [label.decode() for label in _BEGIN.findall(content)]
    found = _of_text(content, expected, path) or (
        _of_labels(content, labels, expected, path, other) if labels else _of_bytes(content, expected, path)
    )
    return f"the {expected} {found}" if found else f"the {expected} is not readable PEM; expected {_expected(expected)}"


def _expected(expected: str) -> str:
    return '"-----BEGIN CERTIFICATE-----"' if expected == _CERTIFICATE else '"-----BEGIN PRIVATE KEY-----"'


def _of_text(content: bytes, expected: str, path: str) -> str | None:
    if not content.strip():
        return f"is an empty file; copy it again; expected {_expected(expected)}"
    if content.startswith(_UTF_16):
        return (
            f"is text in UTF-16, as Windows writes it; `iconv -f utf-16 -t utf-8 {path} > {expected}.pem` converts it"
        )
    if _HTML.match(content):
        return "is a web page, not what was to be downloaded (most often an error or a login page); download it again"
    if content.startswith(b"PuTTY-User-Key-File"):
        return "is a key of PuTTY, for logins by SSH; give the one that the certificate was ordered with"
    return None


def _of_labels(content: bytes, labels: list[str], expected: str, path: str, other: str) -> str | None:
    first, kinds = labels[0], {_kind_of(label) for label in labels}
    if content.count(b"-----BEGIN ") > content.count(b"-----END "):
        return f'is cut off: a "-----BEGIN {first}-----" has no "-----END"; copy the whole file again'
    if expected in kinds:
        return f'begins as it should ("-----BEGIN {first}-----") and is damaged inside; copy the whole file again'
    if kinds & {_CERTIFICATE, _KEY}:
        inside = "a private key" if _KEY in kinds else "a certificate"
        return f"holds {inside}: the two files are swapped, or one was given twice; the other one is {other}"
    cause = "is a public key; the private one is needed" if first.endswith("PUBLIC KEY") else _LABELS.get(first)
    return cause.format(path=path) if cause else f'is "{first.lower()}"; expected {_expected(expected)}'


def _kind_of(label: str) -> str:
    if label == "CERTIFICATE":
        return _CERTIFICATE
    is_key = label.endswith("PRIVATE KEY") and not label.startswith(("OPENSSH", "SSH2"))
    return _KEY if is_key else label


def _of_bytes(content: bytes, expected: str, path: str) -> str | None:
    for is_it, cause in _BINARY:
        if is_it(content):
            return cause[expected == _KEY].format(path=path)
    return None


def _is_pkcs12(content: bytes) -> bool:
    """Also when a password is needed."""
    try:
        pkcs12.load_pkcs12(content, None)
    except ValueError as error:
        return "password" in str(error).lower()
    except Exception:
        return False
    return True


def _loads(load: collections.abc.Callable[[bytes], object], content: bytes) -> bool:
    try:
        load(content)
    except TypeError:  # encrypted
        return True
    except Exception:
        return False
    return True


def _load_pkcs7(content: bytes) -> object:
    from cryptography.hazmat.primitives.serialization import pkcs7  # noqa: PLC0415 - most of `email` comes with it

    return pkcs7.load_der_pkcs7_certificates(content)


_STORE = (
    "is a Java key store; `keytool -importkeystore -srckeystore {path} -destkeystore all.p12 -deststoretype pkcs12` "
    "makes PKCS#12 of it, and openssl PEM of that"
)
_BINARY: tuple[tuple[collections.abc.Callable[[bytes], bool], tuple[str, str]], ...] = (
    (lambda content: content.startswith(_JKS), (_STORE, _STORE)),
    (
        lambda content: _loads(x509.load_der_x509_certificate, content),
        (
            "is in DER; `openssl x509 -inform der -in {path} -out cert.pem` makes PEM of it",
            "is a certificate in DER; a private key is needed",
        ),
    ),
    (
        lambda content: _loads(lambda der: serialization.load_der_private_key(der, password=None), content),
        (
            "is a private key in DER; a certificate is needed",
            "is in DER; `openssl pkey -inform der -in {path} -out key.pem` makes PEM of it",
        ),
    ),
    (lambda content: _loads(x509.load_der_x509_csr, content), (_REQUEST, _REQUEST)),
    (
        _is_pkcs12,
        (
            "is PKCS#12 (.p12, .pfx); `openssl pkcs12 -in {path} -nokeys -out fullchain.pem` takes the certificate out",
            "is PKCS#12 (.p12, .pfx); `openssl pkcs12 -in {path} -nocerts -nodes -out key.pem` takes the key out of it",
        ),
    ),
    (
        lambda content: _loads(_load_pkcs7, content),
        (
            "is PKCS#7; `openssl pkcs7 -inform der -print_certs -in {path} -out fullchain.pem` makes a chain of it",
            "is PKCS#7, which holds no key; give the key that the certificate was ordered with",
        ),
    ),
)
"""What a file without PEM is, as a certificate and as a key."""
