"""Containers made for nginx-proxy, a real engine, and the running daemun in nginx-proxy's place."""

import pathlib
import statistics
import time

import pytest

from tests.support import clients, rendered
from tests.support import daemon as daemons
from tests.support.docker_engine import DockerEngine

pytestmark = [pytest.mark.nginx, pytest.mark.docker, pytest.mark.timeout(600)]

HTTPD = ("httpd", "-f", "-p", "8000", "-h", "/www")
ROUNDS = 10
PAGE = "a page\n"


@pytest.fixture
def gate(daemon: daemons.Daemon, docker_engine: DockerEngine) -> daemons.Daemon:
    """A daemun in nginx-proxy's place; its folders are below `mounted` of the root."""
    daemon.preamble = f"docker: {{endpoint: '{docker_engine.url}'}}\n"
    daemon.environment["DAEMUN_COMPAT"] = "nginx-proxy"
    daemon.environment["DAEMUN_COMPAT_DIR"] = str(daemon.root / "mounted")
    daemon.write("sites: {}\n")
    return daemon


def run(engine: DockerEngine, name: str, **environment: str) -> None:
    given = {"VIRTUAL_PORT": "8000", **environment}
    engine.run(name, *HTTPD, options=[f"--env={key}={value}" for key, value in given.items()])


def mount(gate: daemons.Daemon, path: str, text: str) -> None:
    target = pathlib.Path(gate.root, "mounted", path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def until_served(gate: daemons.Daemon, url: str) -> None:
    gate.wait_answer(url, lambda answer: (answer.status_code, answer.text) == (200, PAGE))


def test_the_first_steps_of_nginx_proxys_users(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    run(docker_engine, "plain", VIRTUAL_HOST="plain.test")
    run(docker_engine, "secure", VIRTUAL_HOST="secure.test", LETSENCRYPT_HOST="secure.test")
    run(docker_engine, "app", VIRTUAL_HOST="plain.test", VIRTUAL_PATH="/app/", VIRTUAL_DEST="/")
    run(docker_engine, "bad", VIRTUAL_HOST="}bad{")
    gate.start()
    gate.wait(lambda: "Watching docker events" in gate.log_text(), "the line scripts wait for", within_s=15)

    until_served(gate, "http://plain.test/")
    until_served(gate, "http://plain.test/app/index.html")
    until_served(gate, "https://secure.test/")
    assert gate.get("http://secure.test/").status_code == 301
    assert gate.get("http://unknown.test/").status_code == 503
    assert clients.handshake(gate.gate, "plain.test").alert == "TLSV1_UNRECOGNIZED_NAME"
    status = gate.status()
    assert {one["name"]: one["served"] for one in status["containers"]} == {
        "app": True,
        "bad": False,
        "plain": True,
        "secure": True,
    }
    assert "VIRTUAL_HOST" in str(status["problems"]) or "is not a host name" in str(status["problems"])


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
