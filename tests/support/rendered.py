"""nginx on rendered files: `nginx -t` for whether it accepts them, or running for what its clients see."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import functools
import ipaddress
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import time

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from daemun.control import nginx_port, quarantine_staging
from daemun.core import layout as layout_
from daemun.core import model, render_environment
from daemun.core.certificates import certificate_choice
from daemun.core.plan import change_plan, variable_definitions
from daemun.core.plan import quarantine as quarantine_
from daemun.core.render import render_tree, variables
from daemun.core.rounds import assembly
from daemun.core.texts import names
from daemun.nginx import config_test, directories, find_nginx, worker_account
from tests.support import binaries, clients, echo, nginx_state, ports

THUMBPRINT = "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ"


@functools.cache
def nginx() -> render_environment.Nginx:
    """The nginx under test and what it can do."""
    found = find_nginx.examine(str(binaries.nginx_path()))
    assert isinstance(found, render_environment.Nginx), found
    return found


def environment_of(layout: layout_.Layout, **changes: object) -> render_environment.Environment:
    """What the tests' nginx needs. changes: other values of its fields."""
    chosen = worker_account.choose(None)
    env = render_environment.Environment(
        layout=layout,
        nginx=nginx(),
        thumbprint=THUMBPRINT,
        user=None if chosen is None else chosen.user,
        group=None if chosen is None else chosen.group,
        resolver="127.0.0.1:1",
        ca_bundle=_trusted_roots(),
        ipv6=False,
    )
    return dataclasses.replace(env, **changes)  # type: ignore[arg-type]


@functools.cache
def _trusted_roots() -> str:
    """A file with any certificate: nginx reads it at the start."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile or "/etc/ssl/certs/ca-certificates.crt"


def write(files: collections.abc.Mapping[str, bytes], folder: pathlib.Path) -> None:
    """Write a generation, with an empty file in the place of the nginx adapter's own."""
    for path, content in {"generation.conf": b"", **files}.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


@contextlib.contextmanager
def prepared() -> collections.abc.Iterator[layout_.Layout]:
    """A state directory as the daemon prepares it."""
    with nginx_state.state_directory() as layout:
        directories.prepare(layout, worker_account.choose(None))
        yield layout


def find_refusal(files: collections.abc.Mapping[str, bytes], layout: layout_.Layout) -> str | None:
    """nginx's words when it does not accept the files as they are, warnings included; None when it does.

    One warning is passed over: names that meet in the hash of FastCGI parameters, for whose size there is no directive.
    """
    folder = pathlib.Path(layout.generation(1))
    shutil.rmtree(folder, ignore_errors=True)  # nginx would read what another tree left under sites/
    write(files, folder)
    arguments = [nginx().path, "-t", "-q", "-c", str(folder / "nginx.conf")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    words = [line for line in done.stderr.splitlines() if "could not build optimal fastcgi_params_hash" not in line]
    return done.stderr if done.returncode or any(line.strip() for line in words) else None


# --- a running one ---------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """Where nginx listens."""

    host: str = "127.0.0.1"
    http: int = dataclasses.field(default_factory=ports.free_port)
    https: int = dataclasses.field(default_factory=ports.free_port)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """clients: what `tests.support.clients` needs. layout: its state directory. files: its configuration.

    refused: files that others stand in for.
    """

    clients: clients.GateAddress
    layout: layout_.Layout
    http: int
    https: int
    files: dict[str, bytes]
    refused: tuple[quarantine_.RefusedFile, ...] = ()

    def ask(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: collections.abc.Mapping[str, str] | None = None,
        http2: bool = False,
    ) -> httpx.Response:
        """One request on a connection of its own."""
        with clients.client(self.clients, http2=http2) as once:
            return once.request(method, url, content=body, headers=headers)

    def get(self, url: str, *, http2: bool = False, **headers: str) -> httpx.Response:
        """As `clients.get`."""
        return clients.get(self.clients, url, http2=http2, **headers)

    def said(self, url: str, **headers: str) -> echo.Said:
        """What the echo server behind this URL received."""
        answer = self.get(url, http2=False, **headers)
        assert answer.status_code == 200, answer
        return echo.Said.parse(answer.content)

    def raw(self, request: str, *, name: str | None = None, tls: bool = False) -> bytes:
        """The whole answer to a request written by hand, whose line breaks become CRLF; with TLS, name is the SNI."""
        return self.raw_bytes(request.replace("\n", "\r\n").encode(), name=name, tls=tls)

    def raw_bytes(self, request: bytes, *, name: str | None = None, tls: bool = True) -> bytes:
        """The same of a request as it is."""
        with contextlib.ExitStack() as stack:
            port = self.https if tls else self.http
            connection = stack.enter_context(socket.create_connection((clients.LOOPBACK, port), timeout=20))
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                connection = stack.enter_context(context.wrap_socket(connection, server_hostname=name))
            connection.sendall(request)
            answer = b""
            while part := connection.recv(65536):
                answer += part
            return answer


@contextlib.contextmanager
def running(
    *sites: model.Site,
    settings: model.Globals | None = None,
    replace: collections.abc.Callable[[model.Site, render_environment.Environment], bytes] | None = None,
    certify: collections.abc.Callable[[layout_.Layout, model.Desired], bytes] | None = None,
    last_good: collections.abc.Mapping[str, bytes] | None = None,
    at: At | None = None,
    **changes: object,
) -> collections.abc.Iterator[Running]:
    """nginx with these sites, each with a self-signed certificate that clients trust. at: None: free ports of loopback.

    settings: its listening addresses are replaced.
    replace: renders each site's file instead. certify: puts other certificates in the state directory, and returns what
    clients trust. last_good: what nginx ran before; with it nginx may refuse files, for which others stand in then.
    changes: other values of the Environment.
    """
    with prepared() as layout:
        at = at or At()
        settings = settings or model.Globals()
        listen = dataclasses.replace(
            settings.listen,
            http=(model.Address(host=at.host, port=at.http),),
            https=(model.Address(host=at.host, port=at.https),),
        )
        settings = dataclasses.replace(settings, listen=listen)
        http, https = at.http, at.https
        desired = model.Desired(globals=settings, sites=sites)
        env = environment_of(layout, **changes)
        files = render_tree.render_files(desired, env)
        if replace is not None:
            others = {change_plan.site_file(site.host): replace(site, env) for site in desired.enabled}
            files = variable_definitions.complete(files | others, variables.define(desired, env))
        trusted = (certify or certify_all)(layout, desired)
        roots = pathlib.Path(layout.state, "trusted.pem")
        roots.write_bytes(trusted)
        refused: tuple[quarantine_.RefusedFile, ...] = ()
        if last_good is not None:
            staged = _quarantine(desired, env, files, last_good)
            files, refused = staged.files, staged.refused
        refusal = find_refusal(files, layout)
        assert refusal is None, refusal
        with _process(layout, http):
            gate = clients.GateAddress(http=http, https=https, ca=roots)
            yield Running(clients=gate, layout=layout, http=http, https=https, files=files, refused=refused)


def _quarantine(
    desired: model.Desired,
    env: render_environment.Environment,
    files: dict[str, bytes],
    last_good: collections.abc.Mapping[str, bytes],
) -> quarantine_staging.Staged:
    assembled = assembly.assemble_files(desired, env, last_good=last_good)
    return asyncio.run(
        quarantine_staging.stage_with_quarantine(
            _Judge(env.layout),  # type: ignore[arg-type]  # it stages, and no more
            files,
            last_good=assembled.last_good,
            unavailable=assembled.unavailable,
            known=assembled.definitions,
        )
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Judge:
    layout: layout_.Layout

    async def stage(self, files: collections.abc.Mapping[str, bytes]) -> nginx_port.TestFailure | None:
        refusal = find_refusal(files, self.layout)
        return None if refusal is None else config_test.translate_refusal(refusal, self.layout.generation(1))


@contextlib.contextmanager
def _process(layout: layout_.Layout, port: int) -> collections.abc.Iterator[None]:
    configuration = f"{layout.generation(1)}/nginx.conf"
    process = subprocess.Popen([nginx().path, "-c", configuration, "-g", "daemon off;"])
    try:
        _wait_for(port, process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(3000):
        assert process.poll() is None, "nginx ended by itself"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        time.sleep(0.02)
    raise AssertionError("nginx does not listen after a minute")


def certify_all(layout: layout_.Layout, desired: model.Desired) -> bytes:
    """Put a certificate of every enabled site where nginx looks for it. Returns: them, as PEM."""
    return b"".join(_certify(layout, site) for site in desired.enabled)


def _certify(layout: layout_.Layout, site: model.Site) -> bytes:
    """Put a certificate for all names of the site where nginx looks for it. Returns: it, as PEM."""
    certificate, key = self_signed(*site.names)
    folder = pathlib.Path(layout.live, certificate_choice.name_of(site))
    folder.mkdir(parents=True)
    (folder / "fullchain.pem").write_bytes(certificate)
    (folder / "privkey.pem").write_bytes(key)
    (folder / "privkey.pem").chmod(0o644)
    pathlib.Path(layout.live).chmod(0o755)
    for name in site.names:
        with contextlib.suppress(FileExistsError):
            pathlib.Path(layout.live, certificate_choice.folder_of(site, name)).symlink_to(folder.name)
    return certificate


def self_signed(*hosts: str) -> tuple[bytes, bytes]:
    """A certificate for these names and addresses, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hosts[0][:64])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _general_name(host: str) -> x509.GeneralName:
    address = names.address_of(host)
    return x509.DNSName(host) if address is None else x509.IPAddress(ipaddress.ip_address(str(address)))
