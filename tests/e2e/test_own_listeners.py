"""A port that one site asks for and another program holds is that site's trouble alone (DESIGN.md decision 7)."""

import collections.abc
import dataclasses
import os
import pathlib
import socket

import pytest

from daemun.control import round_reports
from tests.support import clients, ports
from tests.support.daemon import Daemon, signpost, without_rights

pytestmark = pytest.mark.nginx

LOOPBACK = "127.0.0.1"
# A round that went wrong is tried again after this, and has to be seen after that.
AGAIN_S = round_reports.RETRY_S + 30


@pytest.fixture
def taken() -> collections.abc.Iterator[socket.socket]:
    """A socket of another program, this test."""
    with socket.create_server((LOOPBACK, 0)) as holder:
        yield holder


def port_of(holder: socket.socket) -> int:
    port: int = holder.getsockname()[1]
    return port


def with_listener(host: str, sign: str, port: int) -> str:
    """A signpost that listens on a port of its own, too."""
    route = f"routes: {{/: {{redirect: 'https://sign.test/{sign}', status: 302}}}}"
    return f"  {host}: {{{route}, nginx: 'listen {LOOPBACK}:{port} ssl;'}}\n"


def sign_at(daemon: Daemon, host: str, port: int) -> str | None:
    """What a signpost shows on a port of its own."""
    seen = clients.try_get(dataclasses.replace(daemon.gate, https=port), f"https://{host}/")
    return None if seen is None else seen.headers.get("Location", "").removeprefix("https://sign.test/")


def test_others_go_live_and_the_site_follows_once_the_port_is_free(daemon: Daemon, taken: socket.socket) -> None:
    port = port_of(taken)
    daemon.write("sites:\n" + signpost("a.test", "one") + signpost("b.test", "one"))
    daemon.start()
    daemon.wait_sign("b.test", "one")
    daemon.write("sites:\n" + with_listener("a.test", "two", port) + signpost("b.test", "two"))
    daemon.wait_sign("b.test", "two")

    daemon.wait_sign("a.test", "two")  # what can be had of the new version: nobody loses by it
    reason = daemon.wait_state("a.test", "quarantined")["reason"]
    assert f"cannot listen on {LOOPBACK}:{port}: the port is taken by " in reason
    assert f"(pid {os.getpid()}); stop that program, or give the site another port" in reason
    assert daemon.site("b.test")["state"] == "live"
    applied = daemon.cli("apply")
    assert applied.returncode == 1
    assert "it is served without that, and no other site is affected" in applied.stdout + applied.stderr
    assert daemon.cli("status").returncode == 3
    assert "nothing to do" in daemon.cli("plan").stdout

    taken.close()
    daemon.wait(lambda: sign_at(daemon, "a.test", port) == "two", "the port of its own", within_s=AGAIN_S)
    daemon.wait_state("a.test", "live")
    assert daemon.cli("status").returncode == 0


def test_a_start_while_the_port_of_a_site_is_taken(daemon: Daemon) -> None:
    """Its last good version asks for the port, too, so it cannot stand in as it is."""
    port = ports.free_port()
    daemon.write("sites:\n" + with_listener("a.test", "one", port) + signpost("b.test", "one"))
    daemon.start()
    daemon.wait(lambda: sign_at(daemon, "a.test", port) == "one", "the port of its own")
    daemon.cli_good("stop")
    daemon.wait_exit()

    with socket.create_server((LOOPBACK, port)):
        daemon.start()
        daemon.wait_sign("a.test", "one")
        daemon.wait_sign("b.test", "one")
        assert f"(pid {os.getpid()})" in daemon.wait_state("a.test", "quarantined")["reason"]


def test_a_server_of_the_owners_own(daemon: Daemon, taken: socket.socket) -> None:
    """A whole server in the hand-written nginx of the file holds up nothing either."""
    server = f"server {{ listen {LOOPBACK}:{port_of(taken)}; return 204; }}"
    daemon.write(f"nginx: '{server}'\nsites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    (problem,) = daemon.wait(lambda: daemon.status()["problems"], "the problem, at the end of the round")
    assert "cannot use the hand-written nginx of the whole file: cannot listen on" in problem["message"]
    assert f"(pid {os.getpid()})" in problem["message"]


def test_a_port_that_daemun_has_no_right_to(daemon: Daemon) -> None:
    if int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 81:
        pytest.skip("everybody may use low ports here")
    if os.geteuid() == 0:
        daemon.run_by = without_rights()
    daemon.write("sites:\n" + with_listener("a.test", "one", 81) + signpost("b.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    daemon.wait_sign("b.test", "one")
    reason = daemon.wait_state("a.test", "quarantined")["reason"]
    assert f"cannot listen on {LOOPBACK}:81: this account has no right to use port 81; run daemun as root" in reason
    assert reason.endswith("or give the site another port")
