"""One TLS handshake with the gate, by the name of a site. Nothing is verified here: what was shown is judged."""

import asyncio
import collections.abc
import functools
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from daemun import causes
from daemun.core import model, names, served_judgement

SHAKE_S = 10.0
_WORDS = {
    "TLSV1_ALERT_INTERNAL_ERROR": "nginx cannot load its certificate (TLS alert: internal error)",
    "TLSV1_UNRECOGNIZED_NAME": "nginx knows no site of this name there (TLS alert: unrecognized name)",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "nothing is offered that OpenSSL takes (TLS alert: handshake failure)",
    "TLSV1_ALERT_PROTOCOL_VERSION": "no TLS version is offered that OpenSSL takes",
}


def find_places(listeners: collections.abc.Iterable[model.Address], *, has_ipv6: bool) -> tuple[model.Address, ...]:
    """Where visitors on this machine reach them, each once. has_ipv6: nginx listens there, too, where none is named."""
    return tuple(dict.fromkeys(found for one in listeners for found in _reached_at(one, has_ipv6=has_ipv6)))


def _reached_at(address: model.Address, *, has_ipv6: bool) -> tuple[model.Address, ...]:
    """Where a visitor on this machine reaches a listener."""
    if address.host is None:
        hosts = ("127.0.0.1", "::1") if has_ipv6 else ("127.0.0.1",)
    else:
        found = names.address_of(address.host)
        is_any = found is not None and found.is_unspecified
        hosts = (("::1" if ":" in address.host else "127.0.0.1") if is_any else address.host,)
    return tuple(model.Address(host=host, port=address.port) for host in hosts)


async def shake(address: model.Address, name: str, *, sends_proxy_line: bool) -> served_judgement.Shown | str:
    """sends_proxy_line: connections start with a PROXY line. Returns: what was shown, or why nothing was, in words."""
    assert address.host is not None
    try:
        async with asyncio.timeout(SHAKE_S):
            _, writer = await asyncio.open_connection(address.host, address.port)
            try:
                if sends_proxy_line:  # haproxy.org, proxy-protocol.txt, section 2.1
                    writer.write(b"PROXY UNKNOWN\r\n")
                await writer.start_tls(_context(), server_hostname=name)
                der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            finally:
                writer.close()
    except TimeoutError:
        return f"no answer within {SHAKE_S:g} s"
    except ssl.SSLError as error:
        return _WORDS.get(error.reason or "") or causes.find_words(error) or "TLS failed"
    except OSError as error:
        return causes.find_words(error) or "the connection was closed"
    return _read(der, name) if der else "no certificate was shown"


def _read(der: bytes, name: str) -> served_judgement.Shown | str:
    try:
        found = x509.load_der_x509_certificate(der)
        return served_judgement.Shown(
            fingerprint=found.fingerprint(hashes.SHA256()).hex(),
            issuer=_issuer(found),
            not_before=found.not_valid_before_utc,
            not_after=found.not_valid_after_utc,
            covers=_covers(found, name),
        )
    except ValueError:
        return "the certificate that was shown cannot be read"


def _issuer(found: x509.Certificate) -> str:
    names = found.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else found.issuer.rfc4514_string()


def _covers(found: x509.Certificate, name: str) -> bool:
    """A wildcard stands for one label, the leftmost (RFC 9525 section 6.3)."""
    try:
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    carried = {one.lower() for one in extension.get_values_for_type(x509.DNSName)}
    return name in carried or f"*.{name.partition('.')[2]}" in carried


@functools.cache
def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
