"""Containers made for nginx-proxy, a real engine, and the running daemun in nginx-proxy's place."""

import asyncio
import base64
import collections.abc
import concurrent.futures
import contextlib
import dataclasses
import os
import pathlib
import queue
import re
import socket
import socketserver
import ssl
import statistics
import threading
import time

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from daemun.certs.acme import acme_accounts
from daemun.control import round_reports
from daemun.store import file_store
from tests.support import clients, docker_proxy, docker_tls, nginx_proxy, pebble, ports, rendered
from tests.support import daemon as daemons
from tests.support.docker_engine import DockerEngine

pytestmark = [pytest.mark.nginx, pytest.mark.docker, pytest.mark.timeout(600)]

HTTPD = ("httpd", "-f", "-p", "8000", "-h", "/www")
ROUNDS = 10
PAGE = "a page\n"


@pytest.fixture
def gate(daemon: daemons.Daemon, docker_engine: DockerEngine) -> daemons.Daemon:
    """A daemun in nginx-proxy's place; its folders are below `mounted` of the root."""
    daemon.environment["DOCKER_HOST"] = docker_engine.url
    daemon.environment["DAEMUN_COMPAT"] = "nginx-proxy"
    daemon.environment["DAEMUN_COMPAT_DIR"] = str(daemon.root / "mounted")
    daemon.write("sites: {}\n")
    return daemon


def run(engine: DockerEngine, name: str, labels: dict[str, str] | None = None, /, **environment: str) -> None:
    given = {"VIRTUAL_PORT": "8000", **environment}
    engine.run(name, *HTTPD, labels=labels, options=[f"--env={key}={value}" for key, value in given.items()])


def mount(gate: daemons.Daemon, path: str, text: str) -> None:
    target = pathlib.Path(gate.root, "mounted", path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def until_served(gate: daemons.Daemon, url: str) -> None:
    gate.wait_answer(url, lambda answer: (answer.status_code, answer.text) == (200, PAGE))


@pytest.mark.shows(gate="DOCKER_HOST")
def test_the_first_steps_of_nginx_proxys_users(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    run(docker_engine, "plain", VIRTUAL_HOST="plain.test")
    run(docker_engine, "secure", VIRTUAL_HOST="secure.test", LETSENCRYPT_HOST="secure.test")
    run(docker_engine, "app", VIRTUAL_HOST="plain.test", VIRTUAL_PATH="/app/", VIRTUAL_DEST="/")
    run(docker_engine, "bad", VIRTUAL_HOST="}bad{")
    gate.start()
    gate.wait_log("Watching docker events")  # scripts wait for it

    until_served(gate, "http://plain.test/")
    until_served(gate, "http://plain.test/app/index.html")
    until_served(gate, "https://secure.test/")
    assert gate.get("http://secure.test/").status_code == 301
    assert gate.get("http://unknown.test/").status_code == 503
    assert clients.handshake(gate.gate, "plain.test").alert == "TLSV1_UNRECOGNIZED_NAME"
    served = {"app": True, "bad": False, "plain": True, "secure": True}

    def look() -> daemons.Json | None:
        found = gate.status()
        return found if {one["name"]: one["served"] for one in found["containers"]} == served else None

    status = gate.wait(look, "all but the bad one to be served")
    assert "VIRTUAL_HOST" in str(status["problems"]) or "is not a host name" in str(status["problems"])


def test_a_port_that_another_program_holds_is_one_containers_trouble(
    gate: daemons.Daemon, docker_engine: DockerEngine
) -> None:
    gate.start()
    gate.wait_ready()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run(docker_engine, "own", VIRTUAL_HOST="own.test", EXTERNAL_HTTP_PORT=str(port))
        run(docker_engine, "other", VIRTUAL_HOST="other.test")
        until_served(gate, "http://other.test/")
        gate.wait_state("own.test", "quarantined")
        found = {one["name"]: one for one in gate.status()["containers"]}
        assert (found["own"]["served"], found["other"]["served"]) == (False, True)
        assert f"cannot listen on 127.0.0.1:{port}: the port is taken by " in found["own"]["why"]
        assert f"(pid {os.getpid()})" in found["own"]["why"]
        assert found["own"]["cure"] == "stop that program, or give the site another port"

    def answer() -> str | None:
        seen = clients.try_get(dataclasses.replace(gate.gate, http=port), "http://own.test/")
        return None if seen is None else seen.text

    gate.wait(lambda: answer() == PAGE, "the container on its own port", within_s=round_reports.RETRY_S + 30)
    gate.wait_state("own.test", "live")
    gate.wait(lambda: all(one["served"] for one in gate.status()["containers"]), "both to be served")


def test_how_soon_a_variable_is_a_site(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    gate.start()
    gate.wait_ready()
    took_s = []
    for number in range(ROUNDS):
        host = f"web-{number}.test"
        run(docker_engine, f"web-{number}", VIRTUAL_HOST=host, LETSENCRYPT_HOST=host)
        begin = time.monotonic()
        until_served(gate, f"https://{host}/")
        took_s.append(time.monotonic() - begin)

    print(f"\nvariable to HTTPS: median {statistics.median(took_s):.2f} s, longest {max(took_s):.2f} s")


def test_files_that_are_mounted_are_live_without_a_container_changing(
    gate: daemons.Daemon, docker_engine: DockerEngine
) -> None:
    run(docker_engine, "plain", VIRTUAL_HOST="plain.test")
    run(docker_engine, "other", VIRTUAL_HOST="other.test")
    gate.start()
    gate.wait_ready()
    until_served(gate, "http://plain.test/")

    mount(gate, "vhost.d/plain.test", "add_header X-Mine yes;")
    gate.wait_answer("http://plain.test/", lambda answer: answer.headers.get("X-Mine") == "yes")

    mount(gate, "vhost.d/plain.test", "no_such_directive on;")
    gate.wait_state("plain.test", "quarantined")
    assert gate.get("http://plain.test/").headers["X-Mine"] == "yes"
    until_served(gate, "http://other.test/")


def test_what_nginx_loads_once_is_live_when_it_changes(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    """Who was thrown out of a CA's file, or of a file that is included, does not stay let in."""
    first, second = rendered.self_signed("client.test"), rendered.self_signed("client.test")
    mount(gate, "certs/ca.crt", first[0].decode())
    mount(gate, "vhost.d/plain.test", "include snippets/more.conf;")
    mount(gate, "snippets/more.conf", "add_header X-Mine before;")
    run(docker_engine, "plain", VIRTUAL_HOST="plain.test")
    run(docker_engine, "closed", VIRTUAL_HOST="closed.test", LETSENCRYPT_HOST="closed.test")
    gate.start()
    gate.wait_ready()

    def status(certificate: bytes, key: bytes) -> int | None:
        pem = gate.root / "client.pem"
        pem.write_bytes(certificate + key)
        context = clients.trust(gate.gate.ca)
        context.load_cert_chain(pem)
        with httpx.Client(transport=httpx.HTTPTransport(verify=context), trust_env=False, timeout=20) as client:
            url = f"https://{clients.LOOPBACK}:{gate.https}/"
            with contextlib.suppress(httpx.TransportError):
                asked = client.get(url, headers={"Host": "closed.test"}, extensions={"sni_hostname": "closed.test"})
                return asked.status_code
        return None

    gate.wait(lambda: status(*first) == 200, "the first client to be let in")
    assert status(*second) == 400
    mount(gate, "certs/ca.crt", second[0].decode())
    gate.wait(lambda: status(*second) == 200, "the second client to be let in")
    gate.wait(lambda: status(*first) == 400, "the first client to be out")

    gate.wait_answer("http://plain.test/", lambda answer: answer.headers.get("X-Mine") == "before")
    mount(gate, "snippets/more.conf", "add_header X-Mine after;")
    gate.wait_answer("http://plain.test/", lambda answer: answer.headers.get("X-Mine") == "after")


def test_without_compat_mode_daemuns_own_defaults_hold(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    del gate.environment["DAEMUN_COMPAT"]
    run(docker_engine, "plain", VIRTUAL_HOST="plain.test")
    gate.start()
    gate.wait_ready()

    until_served(gate, "https://plain.test/")
    assert gate.get("http://plain.test/").status_code == 301
    assert gate.get("http://unknown.test/").status_code == 404


def test_no_secret_of_a_container_reaches_the_store(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    run(docker_engine, "plain", VIRTUAL_HOST="plain.test", DB_PASSWORD="s3cr3t-a", ACME_EAB_HMAC_KEY="s3cr3t-b")
    gate.start()
    gate.wait_ready()
    until_served(gate, "http://plain.test/")
    kept = gate.state / "store" / "history" / "docker.json"
    gate.wait(kept.exists, "the listing that is kept")

    assert "plain.test" in kept.read_text()
    assert "s3cr3t" not in kept.read_text()


def test_the_default_certificate_is_for_unknown_names(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    certificate, key = rendered.self_signed("fallback.test")
    mount(gate, "certs/default.crt", certificate.decode())
    mount(gate, "certs/default.key", key.decode())
    run(docker_engine, "plain", VIRTUAL_HOST="plain.test", HTTPS_METHOD="nohttps")
    gate.start()
    until_served(gate, "http://plain.test/")

    assert clients.handshake(gate.gate, "unknown.test").names == {"fallback.test"}
    assert clients.handshake(gate.gate, None).names == {"fallback.test"}
    unknown = [one for one in gate.status()["problems"] if one["severity"] == "error"]
    assert unknown == []


# --- what is not followed ----------------------------------------------------------------------------------------


@pytest.mark.shows(container=nginx_proxy.TOLD["container"], label=nginx_proxy.TOLD["label"])
def test_what_of_a_container_is_not_followed_is_told(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    labels = {f"{nginx_proxy.LABEL}{name}": "true" for name in nginx_proxy.told("label")}
    run(docker_engine, "asking", labels, VIRTUAL_HOST="a.test", **dict.fromkeys(nginx_proxy.told("container"), "true"))
    gate.start()
    gate.wait_ready()
    until_served(gate, "http://a.test/")
    status = gate.cli("status").stdout

    found = (re.search(r'.*asking"?:? (\S+)', line) for line in status.splitlines() if line.startswith("warning: "))
    warned = {match[1] for match in found if match is not None}
    assert warned == {*nginx_proxy.told("container"), "label"}
    for label in labels:
        assert f'label "{label}" is not supported' in status


# --- where the engine is -----------------------------------------------------------------------------------------


@pytest.mark.shows(gate="DOCKER_HOST DOCKER_TLS_VERIFY DOCKER_CERT_PATH")
async def test_an_engine_that_speaks_tls(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    folder = gate.root / "tls"
    folder.mkdir()
    docker_tls.write_certificates(folder)
    run(docker_engine, "plain", VIRTUAL_HOST="plain.test")
    async with docker_proxy.filtering(docker_engine.socket, tls=docker_tls.mutual_tls(folder)) as port:
        gate.environment["DOCKER_HOST"] = f"tcp://127.0.0.1:{port}"
        gate.environment |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(folder)}
        gate.start()
        await asyncio.to_thread(until_served, gate, "http://plain.test/")
        gate.terminate()


# --- containers that are stopped ---------------------------------------------------------------------------------


@pytest.mark.shows(defect="6")
def test_defect_6_the_certificate_of_a_stopped_container_stays(
    gate: daemons.Daemon, docker_engine: DockerEngine
) -> None:
    """There it vanishes, and the host with it."""
    run(docker_engine, "secure", VIRTUAL_HOST="secure.test", LETSENCRYPT_HOST="secure.test")
    gate.start()
    gate.wait_ready()
    until_served(gate, "https://secure.test/")
    before = clients.handshake(gate.gate, "secure.test").certificate
    docker_engine.cli("stop", "--time", "1", "secure")
    gate.wait(lambda: not gate.status()["containers"][0]["served"], "the container to be out")

    assert clients.handshake(gate.gate, "secure.test").certificate == before
    with socket.create_connection((clients.LOOPBACK, gate.https), timeout=20) as plain:
        clients.trust(gate.gate.ca).wrap_socket(plain, server_hostname="secure.test").close()
    assert gate.get("http://secure.test/").status_code == 301


@pytest.mark.shows(defect="7")
def test_defect_7_no_request_is_lost_to_the_address_of_a_stopped_container(
    gate: daemons.Daemon, docker_engine: DockerEngine
) -> None:
    """There the first one hangs on it."""
    for name in ("first", "second"):
        run(docker_engine, name, VIRTUAL_HOST="a.test")
    gate.start()
    gate.wait_ready()
    until_served(gate, "http://a.test/")
    docker_engine.cli("stop", "--time", "1", "first")
    assert [gate.get("http://a.test/").status_code for _ in range(10)] == [200] * 10

    docker_engine.cli("stop", "--time", "1", "second")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asking = pool.submit(gate.get, "http://a.test/")
        gate.wait(lambda: gate.status()["requests"]["waiting"] == 1, "the request to wait")
        docker_engine.cli("start", "second")
        assert asking.result().text == PAGE


# --- certificates of a CA ----------------------------------------------------------------------------------------


def until_issued(gate: daemons.Daemon, host: str, names: set[str]) -> None:
    """Until clients get a certificate of Pebble's for these names, whichever worker they meet: each keeps what it
    loaded for a while."""

    def look() -> bool:
        seen = [clients.try_handshake(gate.gate, host) for _ in range(20)]
        found = [one for one in seen if one is not None and one.certificate is not None]
        return len(found) == len(seen) and all("Pebble" in one.issuer and one.names == names for one in found)

    gate.wait(look, f"a certificate for {host}", within_s=90)


@pytest.mark.pebble
@pytest.mark.shows(
    gate="ACME_CA_URI DEFAULT_EMAIL",
    container="ACME_HOST ACME_SINGLE_DOMAIN_CERTS LETSENCRYPT_HOST LETSENCRYPT_SINGLE_DOMAIN_CERTS",
)
def test_certificates_that_containers_ask_for(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    def asking(name: str, prefix: str, *, is_single: bool) -> set[str]:
        hosts = {f"{name}.example.com", f"www.{name}.example.com"}
        said = {"VIRTUAL_HOST": ",".join(sorted(hosts)), f"{prefix}_HOST": ",".join(sorted(hosts))}
        run(docker_engine, name, **said, **({f"{prefix}_SINGLE_DOMAIN_CERTS": "true"} if is_single else {}))
        return hosts

    shared = [asking("acme", "ACME", is_single=False), asking("le", "LETSENCRYPT", is_single=False)]
    single = [asking("acme-one", "ACME", is_single=True), asking("le-one", "LETSENCRYPT", is_single=True)]
    with pebble.running_pebble(gate.http) as ca:
        gate.environment |= {"ACME_CA_URI": ca.directory, "DEFAULT_EMAIL": "me@example.com"}
        gate.write(f"acme: {{ca_file: '{ca.ca_file}', resolvers: '{ca.resolver}'}}\nsites: {{}}\n")
        gate.start()
        gate.wait_ready()
        for hosts in shared:
            for host in hosts:
                until_issued(gate, host, hosts)
        for host in set().union(*single):
            until_issued(gate, host, {host})
        registration = acme_accounts.read_registration(file_store.FileStore(gate.state / "store"), ca.directory)

    assert registration is not None
    assert registration.email == "me@example.com"


@pytest.mark.pebble
@pytest.mark.shows(gate="ACME_EAB_KID ACME_EAB_HMAC_KEY ACME_CERT_PROFILE", container="ACME_CERT_PROFILE")
def test_an_account_at_the_cas_page_and_profiles(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    day_s = 86400
    key = base64.urlsafe_b64encode(b"k" * 32).decode().rstrip("=")  # as RFC 7515 and CAs write it
    profiles = {"classic": 90 * day_s, "tlsserver": 45 * day_s, "shortlived": 6 * day_s}
    with pebble.running_pebble(gate.http, profiles=profiles, eab_keys={"mine": key}) as ca:
        for name, said in (("usual", {}), ("short", {"ACME_CERT_PROFILE": "shortlived"})):
            host = f"{name}.example.com"
            run(docker_engine, name, VIRTUAL_HOST=host, ACME_HOST=host, **said)
        gate.environment |= {"ACME_CA_URI": ca.directory, "ACME_CERT_PROFILE": "tlsserver"}
        gate.environment |= {"ACME_EAB_KID": "mine", "ACME_EAB_HMAC_KEY": key}
        gate.write(f"acme: {{ca_file: '{ca.ca_file}', resolvers: '{ca.resolver}'}}\nsites: {{}}\n")
        gate.start()
        gate.wait_ready()
        days = {}
        for name in ("usual", "short"):
            until_issued(gate, f"{name}.example.com", {f"{name}.example.com"})
            shown = clients.handshake(gate.gate, f"{name}.example.com").certificate
            assert shown is not None
            days[name] = round((shown.not_valid_after_utc - shown.not_valid_before_utc).total_seconds() / day_s)

    assert days == {"usual": 45, "short": 6}
    assert key not in gate.log_text()


@pytest.mark.pebble
@pytest.mark.shows(
    gate="DEFAULT_KEY_SIZE ACME_PREFERRED_CHAIN", container="ACME_KEYSIZE LETSENCRYPT_KEYSIZE ACME_PREFERRED_CHAIN"
)
def test_keys_and_chains_that_are_asked_for(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    with pebble.running_pebble(gate.http, alternate_roots=2) as ca:
        roots = [x509.load_pem_x509_certificate(ca.root_of_chain(number)) for number in range(3)]
        names = [str(one.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value) for one in roots]
        asked = {
            "usual": {},
            "own": {"ACME_KEYSIZE": "ec-256", "ACME_PREFERRED_CHAIN": names[2]},
            "legacy": {"LETSENCRYPT_KEYSIZE": "2048"},
        }
        for name, said in asked.items():
            host = f"{name}.example.com"
            run(docker_engine, name, VIRTUAL_HOST=host, ACME_HOST=host, **said)
        gate.environment |= {"ACME_CA_URI": ca.directory, "DEFAULT_KEY_SIZE": "ec-384"}
        gate.environment["ACME_PREFERRED_CHAIN"] = names[1]
        gate.write(f"acme: {{ca_file: '{ca.ca_file}', resolvers: '{ca.resolver}'}}\nsites: {{}}\n")
        gate.start()
        gate.wait_ready()
        keys, chains = {}, {}
        for name in asked:
            host = f"{name}.example.com"
            until_issued(gate, host, {host})
            shown = clients.handshake(gate.gate, host).certificate
            assert shown is not None
            key = shown.public_key()
            assert isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)
            keys[name] = ("rsa" if isinstance(key, rsa.RSAPublicKey) else "ec", key.key_size)
            chains[name] = [number for number in range(3) if is_verified(gate, host, ca.root_of_chain(number))]

    assert keys == {"usual": ("ec", 384), "own": ("ec", 256), "legacy": ("rsa", 2048)}
    assert chains == {"usual": [1], "own": [2], "legacy": [1]}


def is_verified(gate: daemons.Daemon, host: str, root: bytes) -> bool:
    """Whether a client that trusts this root alone takes what is served."""
    context = ssl.create_default_context(cadata=root.decode())
    with socket.create_connection((clients.LOOPBACK, gate.https), timeout=20) as plain:
        try:
            context.wrap_socket(plain, server_hostname=host).close()
        except ssl.SSLCertVerificationError:
            return False
    return True


@pytest.mark.pebble
@pytest.mark.shows(container="ACME_CA_URI ACME_EMAIL LETSENCRYPT_EMAIL")
@pytest.mark.parametrize("prefix", ["ACME", "LETSENCRYPT"])
def test_a_container_may_name_another_ca_and_an_address(
    gate: daemons.Daemon, docker_engine: DockerEngine, prefix: str
) -> None:
    with pebble.running_pebble(gate.http) as ca:
        said = {"ACME_CA_URI": ca.directory, f"{prefix}_EMAIL": "own@example.com"}
        run(docker_engine, "own", VIRTUAL_HOST="own.example.com", ACME_HOST="own.example.com", **said)
        gate.environment["ACME_CA_URI"] = f"https://127.0.0.1:{ports.free_port()}/nobody"
        gate.environment["REQUESTS_CA_BUNDLE"] = str(ca.ca_file)
        gate.start()
        gate.wait_ready()
        until_issued(gate, "own.example.com", {"own.example.com"})
        registration = acme_accounts.read_registration(file_store.FileStore(gate.state / "store"), ca.directory)

    assert registration is not None
    assert registration.email == "own@example.com"


@pytest.mark.shows(container="ACME_TEST LETSENCRYPT_TEST")
@pytest.mark.parametrize("name", ["ACME_TEST", "LETSENCRYPT_TEST"])
def test_a_certificate_for_tests_is_asked_of_the_staging_server(
    gate: daemons.Daemon, docker_engine: DockerEngine, name: str
) -> None:
    """Seen at a proxy that lets nothing through: no test asks a CA of the world."""
    run(docker_engine, "test", VIRTUAL_HOST="t.example.com", ACME_HOST="t.example.com", **{name: "true"})
    with refusing_proxy() as (url, asked):
        gate.environment |= {"HTTPS_PROXY": url, "NO_PROXY": "127.0.0.1"}
        gate.start()
        gate.wait_ready()
        first = asked.get(timeout=60)

    assert first.startswith("CONNECT acme-staging-v02.api.letsencrypt.org:443 ")


@contextlib.contextmanager
def refusing_proxy() -> collections.abc.Iterator[tuple[str, "queue.Queue[str]"]]:
    """Its URL, and the first line of every request to it."""
    asked: queue.Queue[str] = queue.Queue()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked.put(self.rfile.readline().decode())
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()
