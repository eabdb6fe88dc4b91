"""One TLS handshake with the gate, by the name of a site. Nothing is verified in it: what was shown is judged."""

import asyncio
import collections.abc
import dataclasses
import datetime
import functools
import socket
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from daemun import causes
from daemun.control import ports
from daemun.core import model
from daemun.core.served import probe_targets, served_judgement
from daemun.core.texts import names
from daemun.probing import expected_certificates

SHAKE_S = 10.0
_READ_BYTES = 1 << 16
_MOST_KEPT = 1_000
"""Certificates, of some 2 kB each with what was read of them."""
_WORDS = {
    "TLSV1_ALERT_INTERNAL_ERROR": "nginx cannot load its certificate (TLS alert: internal error)",
    "TLSV1_UNRECOGNIZED_NAME": "nginx knows no site of this name there (TLS alert: unrecognized name)",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "nothing is offered that OpenSSL takes (TLS alert: handshake failure)",
    "TLSV1_ALERT_PROTOCOL_VERSION": "no TLS version is offered that OpenSSL takes",
}


def find_listeners(site: model.Site, settings: model.Globals, *, has_ipv6: bool) -> tuple[model.Address, ...]:
    """Where visitors on this machine reach a site, each once. has_ipv6: nginx listens there, too, where none is
    named."""
    own, listeners = site.https_port, settings.listen.https
    listeners = listeners if own is None else tuple(one.with_port(own) for one in listeners)
    return tuple(dict.fromkeys(found for one in listeners for found in reached_at(one, has_ipv6=has_ipv6)))


def reached_at(address: model.Address, *, has_ipv6: bool) -> tuple[model.Address, ...]:
    """Where a visitor on this machine reaches a listener."""
    if address.host is None:
        hosts = ("127.0.0.1", "::1") if has_ipv6 else ("127.0.0.1",)
    else:
        found = names.address_of(address.host)
        is_any = found is not None and found.is_unspecified
        hosts = (("::1" if ":" in address.host else "127.0.0.1") if is_any else address.host,)
    return tuple(model.Address(host=host, port=address.port) for host in hosts)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeVisitor:
    """Who makes a handshake with a site. only_rsa: with a client that takes no other keys, as old ones."""

    site: model.Site
    name: str
    address: model.Address
    only_rsa: bool = False

    async def look(
        self, settings: model.Globals, expected: expected_certificates.ExpectedCertificates, clock: ports.Clock
    ) -> model.HandshakeLook | None:
        """None: it went as it should; or there is no certificate that such a client takes."""
        now_s = asyncio.get_running_loop().time()
        is_owners = probe_targets.names_a_certificate(self.site)
        is_old_served = not is_owners and probe_targets.takes_old_clients(self.site, settings)
        if self.only_rsa and not (is_old_served and expected.has_rsa(self.name, now_s)):
            return None
        shown = await shake(self.address, self.name, sends_proxy_line=settings.has_proxy_lines, only_rsa=self.only_rsa)
        fingerprint = shown.fingerprint if isinstance(shown, served_judgement.Shown) else None
        known: collections.abc.Collection[str] = ()
        if not is_owners and (fingerprint is not None or self.only_rsa):
            now_s = asyncio.get_running_loop().time()  # a handshake takes a while
            known = expected.find(self.name, fingerprint, now_s, only_rsa=self.only_rsa)
        if self.only_rsa and not known:  # it is served no longer
            return None
        return served_judgement.judge_handshake(
            shown,
            name=self.name,
            listener=str(self.address),
            expected=known,
            now=clock.now(),
            only_rsa=self.only_rsa,
        )


async def shake(
    address: model.Address, name: str, *, sends_proxy_line: bool, only_rsa: bool = False, ends: bool = True
) -> served_judgement.Shown | str:
    """sends_proxy_line: connections start with a PROXY line. only_rsa: take no certificates with other keys, as old
    clients. ends: whether the last part of the handshake is sent, after which nginx connects a stream to a server.

    Returns: what was shown, or why nothing was, in words.
    """
    assert address.host is not None
    try:
        async with asyncio.timeout(SHAKE_S):
            family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
            with socket.socket(family, socket.SOCK_STREAM) as plain:
                plain.setblocking(False)
                await asyncio.get_running_loop().sock_connect(plain, (address.host, address.port))
                if sends_proxy_line:  # haproxy.org, proxy-protocol.txt, section 2.1
                    await asyncio.get_running_loop().sock_sendall(plain, b"PROXY UNKNOWN\r\n")
                der = await _shake_hands(plain, name, _context(only_rsa=only_rsa), ends=ends)
    except TimeoutError:
        return f"no answer within {SHAKE_S:g} s"
    except ssl.SSLError as error:
        if only_rsa and error.reason == "SSLV3_ALERT_HANDSHAKE_FAILURE":
            return "no certificate with an RSA key is offered (TLS alert: handshake failure)"
        return _WORDS.get(error.reason or "") or causes.find_words(error) or "TLS failed"
    except OSError as error:
        return causes.find_words(error) or "the connection was closed"
    return _read(der, name) if der else "no certificate was shown"


async def _shake_hands(plain: socket.socket, name: str, context: ssl.SSLContext, *, ends: bool) -> bytes | None:
    """Half of what asyncio's streams take for it, and there are several a second for as long as a daemon runs.

    Raises: OSError (ssl.SSLError, too).
    """
    loop, received, to_send = asyncio.get_running_loop(), ssl.MemoryBIO(), ssl.MemoryBIO()
    secured = context.wrap_bio(received, to_send, server_hostname=name)
    while True:
        try:
            secured.do_handshake()
        except ssl.SSLWantReadError:
            await loop.sock_sendall(plain, to_send.read())
            found = await loop.sock_recv(plain, _READ_BYTES)
            if not found:
                raise ConnectionResetError from None
            received.write(found)
        else:
            if ends:
                await loop.sock_sendall(plain, to_send.read())
            return secured.getpeercert(binary_form=True)


def _read(der: bytes, name: str) -> served_judgement.Shown | str:
    try:
        return _read_certificate(der).shown_for(name)
    except ValueError:
        return "the certificate that was shown cannot be read"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _ReadCertificate:
    """names: that it carries, in lower case."""

    fingerprint: str
    issuer: str
    not_before: datetime.datetime
    not_after: datetime.datetime
    names: frozenset[str]

    def shown_for(self, name: str) -> served_judgement.Shown:
        """A wildcard stands for one label, the leftmost (RFC 9525 section 6.3)."""
        return served_judgement.Shown(
            fingerprint=self.fingerprint,
            issuer=self.issuer,
            not_before=self.not_before,
            not_after=self.not_after,
            covers=name in self.names or f"*.{name.partition('.')[2]}" in self.names,
        )


@functools.lru_cache(maxsize=_MOST_KEPT)
def _read_certificate(der: bytes) -> _ReadCertificate:
    """Kept, for a name is shown the same certificate for weeks, and to read it is half of what a look takes; and after
    a start with many sites a hundred names are shown the same one. Raises: ValueError."""
    found = x509.load_der_x509_certificate(der)
    return _ReadCertificate(
        fingerprint=found.fingerprint(hashes.SHA256()).hex(),
        issuer=_issuer(found),
        not_before=found.not_valid_before_utc,
        not_after=found.not_valid_after_utc,
        names=_names(found),
    )


def _issuer(found: x509.Certificate) -> str:
    names = found.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else found.issuer.rfc4514_string()


def _names(found: x509.Certificate) -> frozenset[str]:
    try:
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(one.lower() for one in extension.get_values_for_type(x509.DNSName))


@functools.cache
def _context(*, only_rsa: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if only_rsa:  # with TLS 1.3 it is not a matter of ciphers, and Python has no setting for it
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("aRSA")
    return context
