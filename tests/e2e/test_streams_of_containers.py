"""Streams that containers request with labels: who answers while they come, scale, are replaced and go."""

import http.client
import socket
import ssl
import typing

import pytest

from tests.support import clients, ports
from tests.support import daemon as daemons
from tests.support.docker_engine import IMAGE_WITHOUT_PORT, DockerEngine

pytestmark = [pytest.mark.nginx, pytest.mark.docker, pytest.mark.timeout(600)]

LOOPBACK = "127.0.0.1"
TIMEOUT_S = 30


def test_streams_of_containers(daemon: daemons.Daemon, docker_engine: DockerEngine) -> None:
    plain, secure, closed = (ports.free_port() for _ in range(3))
    daemon.preamble = f"docker: {{endpoint: '{docker_engine.url}', stream_ports: [{plain}, '{secure}']}}\n"
    daemon.write("sites:\n" + daemons.signpost("file.test", "file"))
    daemon.start()
    daemon.wait_sign("file.test", "file")

    labels = {
        "daemun.stream.web.listen": f"{LOOPBACK}:{plain}",
        "daemun.stream.web.port": "8000",
        "daemun.stream.webs.listen": f"{LOOPBACK}:{secure}",
        "daemun.stream.webs.port": "8000",
        "daemun.stream.webs.tls": "web.test",
    }
    _run(docker_engine, "web-0", labels)
    daemon.wait(lambda: _answer(plain) == "web-0", "the stream of a container")
    roots = clients.trust(daemon.gate.ca)
    daemon.wait(lambda: _answer(secure, roots) == "web-0", "the same over TLS, with a certificate of daemun's")
    before = daemon.wait_settled()
    streams = {one["name"]: one for one in before["streams"]}
    assert {name: one["origin"] for name, one in streams.items()} == dict.fromkeys(("web", "webs"), "container web-0")
    (server,) = streams["web"]["to"]
    assert server.startswith("tcp://")
    assert server.endswith(":8000")
    assert (_container(daemon, "web-0")["served"], _container(daemon, "web-0")["streams"]) == (True, ["web", "webs"])

    _run(docker_engine, "web-1", labels)  # scaled
    seen: set[str | None] = set()

    def has_seen_both() -> bool:
        seen.add(_answer(plain))
        return {"web-0", "web-1"} <= seen

    daemon.wait(has_seen_both, "answers of both")
    docker_engine.cli("rm", "--force", "web-0", "web-1")  # replaced
    daemon.wait(lambda: _answer(plain) is None, "that nobody answers")
    _run(docker_engine, "web-2", labels)
    daemon.wait(lambda: _answer(plain) == "web-2", "the next container")
    daemon.wait(lambda: _answer(secure, roots) == "web-2", "the next container over TLS")
    assert daemon.wait_settled()["nginx"]["reloads"] == before["nginx"]["reloads"]

    _see_refusals(daemon, docker_engine, plain, closed)


def _see_refusals(daemon: daemons.Daemon, docker_engine: DockerEngine, taken: int, closed: int) -> None:
    _run(docker_engine, "stranger", {"daemun.stream.other.listen": f"{LOOPBACK}:{closed}"})
    _run(docker_engine, "rival", {"daemun.stream.rival.listen": f"{LOOPBACK}:{taken}"})
    why = {
        "stranger": f"may have port {closed}: `docker.stream_ports` has it not",
        "rival": f'{LOOPBACK}:{taken} is already listened on by stream "web"',
    }
    for name, cause in why.items():
        daemon.wait(lambda name=name, cause=cause: cause in (_container(daemon, name) or {}).get("why", ""), cause)  # type: ignore[misc]
    text = daemon.cli("status").stdout
    assert all(cause in text for cause in why.values())
    assert _answer(closed) is None
    assert _answer(taken) == "web-2"


def _run(docker_engine: DockerEngine, name: str, labels: dict[str, str]) -> None:
    script = f"mkdir -p /www && echo -n {name} >/www/index.html && exec httpd -f -p 8000 -h /www"
    docker_engine.run(name, "sh", "-c", script, labels=labels, image=IMAGE_WITHOUT_PORT)


def _container(daemon: daemons.Daemon, name: str) -> daemons.Json:
    found = (one for one in daemon.status()["containers"] if one["name"] == name)
    return typing.cast(daemons.Json, next(found, {}))


def _answer(port: int, roots: ssl.SSLContext | None = None) -> str | None:
    """Over one connection of its own; None: nobody answered."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=TIMEOUT_S) as connection:
            stream = connection if roots is None else roots.wrap_socket(connection, server_hostname="web.test")
            with stream:
                visit = http.client.HTTPConnection("web.test")
                visit.sock = stream
                visit.request("GET", "/")
                return visit.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return None
