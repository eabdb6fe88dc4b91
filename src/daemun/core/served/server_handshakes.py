"""What a handshake with a server behind the gate that does not come about means, and what to do about it. Pure."""

import dataclasses

from daemun.core import model
from daemun.core.model import Trouble
from daemun.core.served import server_answers
from daemun.core.texts import words

SELF_SIGNED = frozenset({18})
UNKNOWN_ISSUER = frozenset({2, 7, 19, 20, 21})
EXPIRED = frozenset({10})
NOT_YET_VALID = frozenset({9})
OTHER_NAME = frozenset({62, 63, 64})
"""X509_V_ERR_..., openssl/x509_vfy.h."""


_NOT_TLS = frozenset(
    {
        "WRONG_VERSION_NUMBER",
        "RECORD_LAYER_FAILURE",
        "PACKET_LENGTH_TOO_LONG",
        "ENCRYPTED_LENGTH_TOO_LONG",
        "HTTP_REQUEST",
        "HTTPS_PROXY_REQUEST",
    }
)
"""OpenSSL's reasons for what is no record of TLS."""
_CLOSED = frozenset({None, "UNEXPECTED_EOF_WHILE_READING"})
_WORDS = {
    "TLSV1_UNRECOGNIZED_NAME": "it knows no site of the name that it is sent (TLS alert: unrecognized name)",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it offers nothing that OpenSSL takes, or wants a certificate of its clients (TLS "
    "alert: handshake failure)",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it offers no TLS version that OpenSSL takes (TLS alert: protocol version)",
    "UNSUPPORTED_PROTOCOL": "it offers no TLS version that OpenSSL takes",
    "TLSV1_ALERT_INTERNAL_ERROR": "it cannot use its certificate (TLS alert: internal error)",
    "UNEXPECTED_EOF_WHILE_READING": "it closed the connection",
}
_CERTIFICATE_REQUIRED = "TLSV13_ALERT_CERTIFICATE_REQUIRED"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeEnd:
    """How a handshake, or what followed, failed. reason: OpenSSL's; None: it has none, as when the connection was
    closed. words: for people."""

    reason: str | None
    words: str

    @property
    def is_of_tls(self) -> bool:
        """The server speaks TLS: it sent an alert, or something that OpenSSL understood and refuses."""
        return self.reason not in _NOT_TLS | _CLOSED

    @property
    def takes_no_protocol(self) -> bool:
        """Of those that ALPN offered (RFC 7301 section 3.2)."""
        return self.reason == "TLSV1_ALERT_NO_APPLICATION_PROTOCOL"

    @property
    def is_of_another_protocol(self) -> bool:
        return self.reason in _NOT_TLS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SentChain:
    """The certificates that a server sends. issuer: of the last of them."""

    count: int
    issuer: str


def certificate_refused(
    aim: model.Aim, server: str, code: int, verify_words: str, sent: SentChain | None = None
) -> server_answers.ServerFinding:
    """code, verify_words: of OpenSSL's verification. sent: None: that is not known."""
    if aim.is_pool:
        way = "set the label daemun.verify=false"
    else:
        way = "set `verify: false` beside `to`, or `verify: FILE` with the certificate of the CA that signed it"
    if code in SELF_SIGNED:
        cause, cure = "is signed by itself", f"{way.replace('of the CA that signed it', 'itself')}"
    elif code in UNKNOWN_ISSUER and sent is not None and aim.tls.ca_file is not None:
        cause, cure = _explain_chain(sent, aim.tls.ca_file)
    elif code in UNKNOWN_ISSUER:
        cause, cure = "is of a CA that this machine does not trust", way
        if sent is not None and sent.count == 1:
            cause += f" ({words.quoted(sent.issuer)})"
            cure += "; if that is an intermediate certificate of a public CA, let the server send it, too"
    elif code in EXPIRED:
        cause, cure = "has expired", f"renew it on the server, or {_or_unverified(aim)}"
    elif code in NOT_YET_VALID:
        cause, cure = "is not valid yet", f"correct the clocks, or {_or_unverified(aim)}"
    elif code in OTHER_NAME:
        cause = f'is not for "{aim.server_name}"'
        cure = f"set `server_name` to a name that it carries, or {_or_unverified(aim)}"
    else:
        cause, cure = f"is refused ({verify_words})", way
    return server_answers.ServerFinding(
        trouble=Trouble.CERTIFICATE, cause=f"the certificate of {server} {cause}", cure=cure
    )


def _explain_chain(sent: SentChain, file: str) -> tuple[str, str]:
    """Why a file that the owner named does not verify a server, and what to do."""
    issuer = words.quoted(sent.issuer)
    if sent.count == 1:
        return (
            f"is signed by {issuer}, which it does not send and {file} does not hold",
            f"let the server send its whole chain (the certificate of {issuer} after its own), or add that certificate "
            f"to {file}",
        )
    return (
        f"is of a CA that {file} does not hold: the chain that it sends ends with a certificate of {issuer}",
        f"add the certificate of {issuer} to {file}, or name another file as `verify`",
    )


def _or_unverified(aim: model.Aim) -> str:
    return "set the label daemun.verify=false" if aim.is_pool else "set `verify: false`"


def tls_failed(server: str, end: HandshakeEnd) -> server_answers.ServerFinding:
    if end.reason == _CERTIFICATE_REQUIRED:
        return wants_client_certificate(server)
    return server_answers.ServerFinding(
        trouble=Trouble.CERTIFICATE,
        cause=f"no TLS handshake with {server} comes about: {_WORDS.get(end.reason or '', end.words)}",
        cure="look at the server's TLS settings: it must offer TLS 1.2 or 1.3, and know the name of `server_name`",
    )


def wants_client_certificate(server: str) -> server_answers.ServerFinding:
    return server_answers.ServerFinding(
        trouble=Trouble.CERTIFICATE,
        cause=f"{server} wants a certificate of its clients",
        cure="give the gate one in the route's hand-written nginx (`nginx: proxy_ssl_certificate FILE; "
        "proxy_ssl_certificate_key FILE;`), or let the server take this machine without one",
    )
