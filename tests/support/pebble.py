"""Pebble, Let's Encrypt's ACME test server, with its own DNS, on free loopback ports.

    with pebble.running_pebble(http_port=port) as ca:
        acme = model.Acme(authorities=(model.Authority(directory=ca.directory, ca_file=str(ca.ca_file)),))

Every name has the address 127.0.0.1, so challenges are looked for at 127.0.0.1:http_port. What Pebble issued before is
forgotten when it ends. Debian package: pebble (with pebble-challtestsrv), 2.10 or newer.
"""

import collections.abc
import contextlib
import dataclasses
import datetime
import ipaddress
import json
import os
import pathlib
import re
import ssl
import subprocess
import tempfile
import time
import typing
import urllib.error
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support import binaries, fleet_network, ports, programs

_READY_WITHIN_S = 60.0
_PORT_ATTEMPTS = 5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pebble:
    """directory: URL of its ACME directory. ca_file: trust for that URL (not for what it issues: `root_pem`).
    resolver: its DNS server, as `acme.resolvers` names one."""

    directory: str
    ca_file: pathlib.Path
    management: str
    dns_management: str
    resolver: str
    log_file: pathlib.Path

    def root_pem(self) -> bytes:
        """The root of the certificates it issues; a new one each time Pebble starts."""
        return self.root_of_chain(0)

    def root_of_chain(self, number: int) -> bytes:
        """The root of one of the chains that it offers; 0 is its usual one."""
        return self._fetch(f"{self.management}/roots/{number}")

    def break_dns(self, host: str) -> None:
        """Answer SERVFAIL for a name: its validation fails with the problem "dns" until `repair_dns`."""
        self._tell_dns("set-servfail", {"host": host})

    def repair_dns(self, host: str) -> None:
        self._tell_dns("clear-servfail", {"host": host})

    def set_address(self, address: str) -> None:
        """Let all names have another IPv4 address than 127.0.0.1, at once. What is set for a single name would be one
        more beside those that it had, of which the CA takes any."""
        self._tell_dns("set-default-ipv4", {"ip": address})

    def set_renewal_info(self, certificate_pem: bytes, answer: object) -> None:
        """Let it say this (as JSON) of when the certificate is to be renewed (RFC 9773)."""
        value = {"Certificate": certificate_pem.decode(), "ARIResponse": json.dumps(answer)}
        self._fetch(f"{self.management}/set-renewal-info/", json.dumps(value).encode())

    def requests(self, path: str) -> int:
        """How many POST requests came for a path, such as "order-plz" (newOrder) or "sign-me-up" (newAccount)."""
        return len(re.findall(rf"POST /{re.escape(path)}\b", self.log_file.read_text()))

    @property
    def orders(self) -> int:
        """How many orders were made."""
        return len(re.findall(r"Added order ", self.log_file.read_text()))

    @property
    def issued(self) -> int:
        """How many certificates were made."""
        return len(re.findall(r"Issued certificate serial", self.log_file.read_text()))

    def certificate_status(self, serial_number: int) -> str:
        """What it says of a certificate that it issued: "Valid" or "Revoked"."""
        answer = json.loads(self._fetch(f"{self.management}/cert-status-by-serial/{serial_number:x}"))
        return str(answer["Status"])

    def _tell_dns(self, command: str, value: dict[str, object]) -> None:
        body = json.dumps(value).encode()
        urllib.request.urlopen(f"{self.dns_management}/{command}", data=body, timeout=60).close()

    def _fetch(self, url: str, body: bytes | None = None) -> bytes:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        with urllib.request.urlopen(url, body, timeout=60, context=context) as answer:
            content: bytes = answer.read()
            return content


@contextlib.contextmanager
def running_pebble(
    http_port: int,
    *,
    listen_port: int | None = None,
    nonce_reject_percent: int = 0,
    authorization_reuse_percent: int = 0,
    validity_s: int = 90 * 86400,
    profiles: collections.abc.Mapping[str, int] | None = None,
    eab_keys: collections.abc.Mapping[str, str] | None = None,
    refused_domains: collections.abc.Sequence[str] = (),
    dns_server: str | None = None,
    alternate_roots: int = 0,
    machine: fleet_network.Machine | None = None,
) -> collections.abc.Iterator[Pebble]:
    """Pebble until the block ends. Skips the test when it is not installed.

    http_port: where it looks for HTTP-01 answers. listen_port: of the directory, for a Pebble that comes back where
    one was; None: a free one. nonce_reject_percent: how many good nonces it refuses. authorization_reuse_percent: how
    often a name that was validated is not validated again. validity_s: of the certificates it issues, when it offers no
    profiles. profiles: name -> validity in seconds, the first one is its usual one. eab_keys: key id -> HMAC key
    (base64url); accounts need one of them. refused_domains: that it does not
    sign. dns_server: address and port of a DNS server to be used instead of its own. alternate_roots: how many chains
    more it offers of each certificate. machine: where it runs, and its DNS; None: this one.
    """
    pebble = binaries.program("pebble", "pebble")
    dns = binaries.program("pebble-challtestsrv", "pebble")
    environment = {
        **os.environ,
        "PEBBLE_VA_NOSLEEP": "1",
        "PEBBLE_WFE_NONCEREJECT": str(nonce_reject_percent),
        "PEBBLE_AUTHZREUSE": str(authorization_reuse_percent),
        "PEBBLE_ALTERNATE_ROOTS": str(alternate_roots),
    }
    host, inside = ("127.0.0.1", ()) if machine is None else (machine.address, machine.inside)
    with tempfile.TemporaryDirectory(prefix="pebble-") as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        write_certificates(folder, host)
        dns_port, dns_management = stack.enter_context(_running_dns((*inside, dns), folder, host))
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            port, management = listen_port or ports.free_port(), ports.free_port()
            log = folder / f"pebble-{attempt}.log"
            values = {
                "httpPort": http_port,
                "profiles": {
                    name: {"description": f"{seconds} s", "validityPeriod": seconds}
                    for name, seconds in (profiles or {"default": validity_s}).items()
                },
                "externalAccountBindingRequired": eab_keys is not None,
                "externalAccountMACKeys": dict(eab_keys or {}),
                "domainBlocklist": list(refused_domains),
            }
            configuration = _write_configuration(folder, host, port, management, values)
            resolver = dns_server or f"{host}:{dns_port}"
            command = [*inside, pebble, "-config", str(configuration), "-dnsserver", resolver, "-strict"]
            found = Pebble(
                directory=f"https://{host}:{port}/dir",
                ca_file=folder / "ca.pem",
                management=f"https://{host}:{management}",
                dns_management=f"http://{host}:{dns_management}",
                resolver=resolver,
                log_file=log,
            )
            process = stack.enter_context(programs.running(command, log, environment=environment))
            if _answers(found.directory, found.ca_file, process):
                break
        else:
            raise RuntimeError(f"cannot start Pebble: {log.read_text()[-2000:]}")
        yield found


# --- processes -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _running_dns(
    program: collections.abc.Sequence[str], folder: pathlib.Path, host: str
) -> collections.abc.Iterator[tuple[int, int]]:
    """pebble-challtestsrv as a DNS server alone. Yields: the DNS port and the port of its management."""
    with contextlib.ExitStack() as stack:
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            port, management = ports.free_port(), ports.free_port()
            log = folder / f"dns-{attempt}.log"
            command = [*program, "-dnsserver", f"{host}:{port}", "-management", f"{host}:{management}"]
            command += ["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""]
            command += ["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]
            process = stack.enter_context(programs.running(command, log))
            if _answers(f"http://{host}:{management}/", None, process):
                break
        else:
            raise RuntimeError(f"cannot start pebble-challtestsrv: {log.read_text()[-2000:]}")
        yield port, management


def _answers(url: str, ca_file: pathlib.Path | None, process: subprocess.Popen[bytes]) -> bool:
    """Whether a process comes to answer HTTP (with any status) before it ends."""
    context = ssl.create_default_context(cafile=str(ca_file)) if ca_file else None
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5, context=context).close()
        except urllib.error.HTTPError as answer:
            answer.close()
            return True
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


# --- files ---------------------------------------------------------------------------------------------------------


def _write_configuration(
    folder: pathlib.Path, host: str, port: int, management: int, values: dict[str, typing.Any]
) -> pathlib.Path:
    whole = {
        "listenAddress": f"{host}:{port}",
        "managementListenAddress": f"{host}:{management}",
        "certificate": str(folder / "server.pem"),
        "privateKey": str(folder / "server-key.pem"),
        "tlsPort": 1,
        "ocspResponderURL": "",
        "keyAlgorithm": "ecdsa",
        **values,
    }
    path = folder / "pebble.json"
    path.write_text(json.dumps({"pebble": whole}))
    return path


def write_certificates(folder: pathlib.Path, host: str = "127.0.0.1") -> None:
    """For an ACME server's own HTTPS: ca.pem, server.pem, server-key.pem. Debian's package has none."""
    now = datetime.datetime.now(datetime.UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Pebble's HTTPS in a test")])
    span = (now - datetime.timedelta(days=1), now + datetime.timedelta(days=2))
    other_usages = "content_commitment key_encipherment data_encipherment key_agreement encipher_only decipher_only"
    usage = {"digital_signature": False, "key_cert_sign": True, "crl_sign": True}
    usage |= dict.fromkeys(other_usages.split(" "), False)
    ca = (
        x509.CertificateBuilder(ca_name, ca_name, ca_key.public_key(), x509.random_serial_number(), *span)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address(host))]
    server = (
        x509.CertificateBuilder(ca_name, x509.Name([]), key.public_key(), x509.random_serial_number(), *span)
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (folder / "server.pem").write_bytes(server.public_bytes(serialization.Encoding.PEM))
    (folder / "server-key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
