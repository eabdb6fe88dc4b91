"""`streams` of daemun.yaml with the daemon: names, changes, what runs on, what is reported."""

import collections.abc
import contextlib
import pathlib
import socket

import psutil
import pytest

from tests.support import ports, stream_servers
from tests.support.daemon import Daemon, signpost
from tests.support.stream_servers import LOOPBACK

pytestmark = pytest.mark.nginx


@pytest.fixture(scope="module")
def server() -> collections.abc.Iterator[stream_servers.StreamServer]:
    with stream_servers.tcp("a") as found:
        yield found


def _state(daemon: Daemon, name: str) -> dict[str, object] | None:
    found = {one["name"]: one for one in daemon.status()["streams"]}
    return found.get(name)


def test_a_connection_lives_through_changes_and_one_bad_stream_hurts_no_other(
    daemon: Daemon, server: stream_servers.StreamServer, tmp_path: pathlib.Path
) -> None:
    port, other, secure = (ports.free_port() for _ in range(3))
    by_name = f"  by.name: {{listen: '{LOOPBACK}:{port}', to: 'tcp://localhost:{server.port}', timeout: 1d}}\n"
    by_name += f"  secure: {{listen: '{LOOPBACK}:{secure}', to: 'tcp://localhost:{server.port}', tls: mqtt.test}}\n"
    daemon.write("sites:\n" + signpost("a.test", "one") + "streams:\n" + by_name)
    daemon.start()
    daemon.wait_sign("a.test", "one")
    assert daemon.wait(lambda: stream_servers.try_tcp(port), "an answer of the stream") == b"a|ping"
    assert stream_servers.try_tls(secure, "mqtt.test", daemon.gate.ca) == b"a|ping", "a certificate of its own"
    assert daemon.cli("status").returncode == 0
    assert "mqtt.test" in daemon.cli("certs").stdout

    with stream_servers.connect(port) as lasting:
        assert stream_servers.exchange(lasting) == b"a|ping"
        with socket.create_server((LOOPBACK, 0)) as taken:
            more = f"  taken: {{listen: '{LOOPBACK}:{taken.getsockname()[1]}', to: 'tcp://localhost:{server.port}'}}\n"
            more += f"  other: {{listen: '{LOOPBACK}:{other}', to: 'tcp://{LOOPBACK}:{server.port}'}}\n"
            daemon.write("sites:\n" + signpost("a.test", "two") + "streams:\n" + by_name + more)
            daemon.wait_sign("a.test", "two")
            daemon.wait(lambda: stream_servers.try_tcp(other) if _is_live(daemon, "other") else None, "the new stream")
            held = _state(daemon, "taken")
            assert held is not None
            assert held["state"] == "quarantined"
            assert "the port is taken by " in str(held["reason"])
            assert daemon.cli("status").returncode == 3
            assert 'cannot apply stream "taken": ' in daemon.cli("status").stdout
        assert stream_servers.exchange(lasting, b"still") == b"a|still"

        broken = by_name.replace(f"localhost:{server.port}', timeout: 1d", "localhost', timeout: 1d")
        daemon.write("sites:\n" + signpost("a.test", "beside") + "streams:\n" + broken)
        daemon.wait_sign("a.test", "beside")
        daemon.wait(lambda: _is_live(daemon, "secure") and _is_held_back(daemon, "by.name"), "what is held back alone")
        assert stream_servers.try_tcp(port) == b"a|ping", "its last good version is served"
        line = daemon.config.read_text().splitlines().index(broken.splitlines()[0]) + 1
        assert f"error: daemun.yaml:{line}:" in daemon.cli("status").stdout

        daemon.write("sites:\n" + signpost("a.test", "three") + "streams:\n" + by_name)
        daemon.wait_sign("a.test", "three")
        daemon.wait(lambda: not _listens(other), "the end of the other stream")
        assert stream_servers.exchange(lasting, b"still") == b"a|still"
        daemon.wait(lambda: daemon.look()["nginx"]["old_workers"]["sockets"] == 1, "one connection of a stream")
    assert stream_servers.try_tcp(port) == b"a|ping"
    _see_servers(daemon, by_name)
    _pass_names_on(daemon, tmp_path)


def _see_servers(daemon: Daemon, others: str) -> None:
    """One whose server does not answer is told as such, until it does."""
    port, own = ports.free_port(), ports.free_port()
    deaf = f"  deaf: {{listen: '{LOOPBACK}:{own}', to: 'tcp://{LOOPBACK}:{port}'}}\n"
    daemon.write("sites:\n" + signpost("a.test", "three") + "streams:\n" + others + deaf)
    daemon.wait(lambda: (_state(daemon, "deaf") or {}).get("state") == "unreachable", "the server that is not there")
    told = daemon.cli("status")
    assert told.returncode == 3
    assert f"stream deaf is unreachable: {LOOPBACK}:{port} refuses connections: nothing listens there" in told.stdout
    assert daemon.cli("sites").returncode == 3
    doctor = daemon.cli("doctor").stdout
    assert f'stream "deaf": {LOOPBACK}:{port} refuses connections' in doctor
    assert 'stream "by.name" is live, and localhost (' in doctor
    assert stream_servers.try_tcp(own) == b""
    daemon.wait(lambda: (_state(daemon, "deaf") or {}).get("last_error"), "what nginx logged of it")
    with stream_servers.tcp("late", port=port):
        daemon.wait(lambda: _is_live(daemon, "deaf"), "the server that came")
        daemon.wait(lambda: stream_servers.try_tcp(own) == b"late|ping", "its answer")


def _pass_names_on(daemon: Daemon, folder: pathlib.Path) -> None:
    """Beside sites, whose requests are answered all the time."""
    signs: set[str | None] = set()

    def look(is_passed: bool) -> bool:
        signs.add(daemon.sign("a.test"))
        return _is_passed(daemon, folder) is is_passed

    with stream_servers.tcp("mail", tls=stream_servers.context_of(folder, "mail.test")) as mail:
        site = "sites:\n" + signpost("a.test", "three")
        to = f"to: 'tcp://{LOOPBACK}:{mail.port}'"
        passed = f"streams:\n  mail.test: {{listen: {daemon.https}, tls: passthrough, {to}}}\n"
        daemon.write(site + passed)
        daemon.wait(lambda: look(True), "the handshake of the server")
        daemon.wait_settled()
        assert daemon.cli("status").returncode == 0
        daemon.write(site)
        daemon.wait(lambda: look(False), "the end of it")
        daemon.write(site + passed)
        daemon.wait(lambda: look(True), "it again")
        assert signs == {"three"}
        for process in daemon.nginx_processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        daemon.wait(lambda: look(True), "an nginx that starts beside the sockets of a killed one")
        daemon.wait_sign("a.test", "three")


def _is_passed(daemon: Daemon, folder: pathlib.Path) -> bool:
    try:
        return stream_servers.try_tls(daemon.https, "mail.test", folder / "mail.test.pem") == b"mail|ping"
    except OSError:
        return False


def _is_live(daemon: Daemon, name: str) -> bool:
    found = _state(daemon, name)
    return found is not None and found["state"] == "live"


def _is_held_back(daemon: Daemon, name: str) -> bool:
    found = _state(daemon, name)
    return found is not None and found["state"] == "quarantined"


def _listens(port: int) -> bool:
    try:
        stream_servers.connect(port).close()
    except ConnectionRefusedError:
        return False
    return True
