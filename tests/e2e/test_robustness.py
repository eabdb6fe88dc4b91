"""What goes wrong around daemun: each is a clear error that names the cause, and what works goes on working."""

import os
import pathlib
import signal
import socket
import textwrap

import psutil
import pytest

from daemun.nginx import find_nginx
from tests.support import clients, ports
from tests.support.daemon import Daemon, signpost, wait_for

pytestmark = pytest.mark.nginx

ONE_SITE = "sites:\n" + signpost("a.test", "one")


def _start(daemon: Daemon) -> None:
    daemon.write(ONE_SITE)
    daemon.start()
    daemon.wait_sign("a.test", "one")
    daemon.wait_up()


# --- the processes ---


def test_nginx_killed_is_started_again(daemon: Daemon) -> None:
    _start(daemon)
    master, workers = daemon.nginx_pid(), daemon.worker_pids()
    assert master is not None
    os.kill(master, signal.SIGKILL)
    for pid in workers:  # they live on without a master, and hold the ports
        psutil.Process(pid).kill()
    daemon.wait(lambda: daemon.nginx_pid() not in {None, master}, "a new nginx")
    daemon.wait_sign("a.test", "one")
    assert daemon.is_running


def test_nginx_killed_while_its_workers_hold_the_ports(daemon: Daemon) -> None:
    _start(daemon)
    master = daemon.nginx_pid()
    assert master is not None
    os.kill(master, signal.SIGKILL)
    daemon.wait(lambda: daemon.nginx_pid() not in {None, master}, "a new nginx")
    daemon.write("sites:\n" + signpost("a.test", "two"))
    daemon.wait_sign("a.test", "two")


def test_nginx_dead_before_the_start(daemon: Daemon) -> None:
    """A machine that lost power: pid file and sockets are there, nobody behind them."""
    _start(daemon)
    daemon.kill()
    for process in daemon.nginx_processes():
        process.kill()
    wait_for(lambda: daemon.nginx_pid() is None, "nginx to be gone")
    daemon.start()
    daemon.wait_sign("a.test", "one")


def test_a_worker_that_crashes_is_replaced(daemon: Daemon) -> None:
    _start(daemon)
    master, workers = daemon.nginx_pid(), daemon.worker_pids()
    os.kill(min(workers), signal.SIGKILL)
    daemon.wait(lambda: len(daemon.worker_pids()) == len(workers) and daemon.worker_pids() != workers, "a new worker")
    daemon.wait_sign("a.test", "one")
    assert daemon.nginx_pid() == master


def test_sigterm_leaves_nothing_running(daemon: Daemon) -> None:
    _start(daemon)
    assert daemon.terminate() == 0
    assert daemon.nginx_processes() == []
    assert not (daemon.state / "run" / "control.sock").exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", daemon.https)).close()


def test_sigint_ends_it_too(daemon: Daemon) -> None:
    _start(daemon)
    os.kill(daemon.pid, signal.SIGINT)
    assert daemon.wait_exit() == 0
    assert daemon.nginx_processes() == []


def test_sigterm_during_the_start(daemon: Daemon) -> None:
    daemon.write(ONE_SITE)
    daemon.start()
    daemon.wait((daemon.state / "run").exists, "the start to begin")
    assert daemon.terminate() == 0
    wait_for(lambda: daemon.nginx_processes() == [], "nginx to be gone")


def test_a_second_daemun_on_the_same_state_directory_is_refused(daemon: Daemon) -> None:
    _start(daemon)
    second = daemon.cli("up")
    assert second.returncode == 1
    words = second.stdout + second.stderr
    assert str(daemon.pid) in words, "it names who is there"
    assert str(daemon.state) in words
    assert "Traceback" not in words
    assert daemon.is_running
    daemon.write("sites:\n" + signpost("a.test", "in-charge"))
    daemon.wait_sign("a.test", "in-charge")


def test_a_crashed_daemon_leaves_no_lock(daemon: Daemon) -> None:
    _start(daemon)
    daemon.kill()
    daemon.start()
    daemon.wait(lambda: daemon.cli("status").returncode == 0, "the second life", every_s=0.2)


def test_restart_adopts_the_running_nginx(daemon: Daemon) -> None:
    _start(daemon)
    master, workers = daemon.nginx_pid(), daemon.worker_pids()
    assert daemon.cli("stop", "--keep-traffic").returncode == 0
    assert daemon.wait_exit() == 0
    assert daemon.sign("a.test") == "one"
    daemon.start()
    daemon.wait(lambda: daemon.cli("status").returncode == 0, "the second life", every_s=0.2)
    assert daemon.nginx_pid() == master
    assert daemon.worker_pids() == workers, "an unchanged file is no reason to reload"


# --- the machine ---


def _assert_refuses_to_start(daemon: Daemon, *words: str) -> str:
    daemon.start()
    assert daemon.wait_exit() == 1, daemon.log_text()
    log = daemon.log_text()
    for word in words:
        assert word in log, log
    assert "Traceback" not in log
    assert daemon.nginx_processes() == []
    return log


@pytest.mark.parametrize("which", ["http", "https"])
def test_a_port_that_is_taken(daemon: Daemon, which: str) -> None:
    daemon.write(ONE_SITE)
    port = daemon.http if which == "http" else daemon.https
    with socket.create_server(("127.0.0.1", port)):
        _assert_refuses_to_start(daemon, str(port), f"pid {os.getpid()}")


def test_a_port_that_is_taken_by_an_edit(daemon: Daemon) -> None:
    """The change is refused; what runs, and the next good change, are not hurt."""
    _start(daemon)
    taken = ports.free_port()
    before = len(daemon.log_text())
    with socket.create_server(("127.0.0.1", taken)):
        daemon.write_raw(daemon.listen.replace(str(daemon.http), str(taken)) + ONE_SITE)
        daemon.wait_log(str(taken), since=before)
        assert daemon.sign("a.test") == "one"
        applied = daemon.cli("apply")
        assert applied.returncode == 1
        assert str(taken) in applied.stdout + applied.stderr
        assert daemon.sign("a.test") == "one"
    daemon.write("sites:\n" + signpost("a.test", "two"))
    daemon.wait_sign("a.test", "two")


def _fake_nginx(folder: pathlib.Path, version: str) -> pathlib.Path:
    """A program that says what an nginx of this version would say."""
    fake = folder / "nginx"
    fake.write_text(
        textwrap.dedent(f"""\
        #!/bin/sh
        echo "nginx version: nginx/{version}" >&2
        echo "configure arguments: --with-http_ssl_module --with-http_v2_module" >&2
        """)
    )
    fake.chmod(0o755)
    return fake


def test_a_given_nginx_that_is_too_old(daemon: Daemon) -> None:
    daemon.write(ONE_SITE)
    old = _fake_nginx(daemon.root, "1.22.1")
    daemon.arguments = ("--nginx", str(old))
    _assert_refuses_to_start(daemon, str(old), "1.22.1", "1.27.4")


def test_a_given_nginx_that_is_not_there(daemon: Daemon) -> None:
    daemon.write(ONE_SITE)
    missing = daemon.root / "no" / "nginx"
    daemon.arguments = ("--nginx", str(missing))
    _assert_refuses_to_start(daemon, str(missing))


def test_a_config_that_is_not_there(daemon: Daemon) -> None:
    _assert_refuses_to_start(daemon, str(daemon.config))


def test_a_bad_config_at_the_first_start(daemon: Daemon) -> None:
    daemon.write("sites:\n  a.test: ftp://127.0.0.1\n")
    _assert_refuses_to_start(daemon, "daemun.yaml:3:11", "ftp")


def test_a_bad_config_at_a_later_start_keeps_what_was_live(daemon: Daemon) -> None:
    """After a reboot with a broken file the gate opens as it was, and says what is wrong."""
    _start(daemon)
    assert daemon.terminate() == 0
    daemon.write("sites:\n  a.test: ftp://127.0.0.1\n")
    daemon.start()
    daemon.wait_sign("a.test", "one")
    daemon.wait(lambda: "daemun.yaml:3:11" in daemon.cli("status").stdout, "status to tell", every_s=0.2)
    assert daemon.cli("status").returncode == 3
    daemon.write("sites:\n" + signpost("a.test", "repaired"))
    daemon.wait_sign("a.test", "repaired")


def test_a_bad_config_at_a_restart_leaves_the_running_nginx_alone(daemon: Daemon) -> None:
    _start(daemon)
    master, workers = daemon.nginx_pid(), daemon.worker_pids()
    daemon.kill()
    daemon.write("sites: [\n")
    daemon.start()
    daemon.wait(lambda: "never closed" in daemon.cli("status").stdout, "status to tell", every_s=0.2)
    assert daemon.sign("a.test") == "one"
    assert daemon.nginx_pid() == master
    assert daemon.worker_pids() == workers


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's nginx runs its workers under another account")
def test_a_state_directory_that_the_workers_cannot_enter(daemon: Daemon) -> None:
    """They would start, and then fail every handshake."""
    daemon.write(ONE_SITE)
    daemon.root.chmod(0o700)
    _assert_refuses_to_start(daemon, str(daemon.root), "chmod")


def test_a_state_directory_with_too_long_a_path(daemon: Daemon) -> None:
    """unix(7): a socket's path has at most 107 bytes; nginx alone would only say that bind() failed."""
    daemon.write(ONE_SITE)
    daemon.state = daemon.root / ("long" * 30)
    _assert_refuses_to_start(daemon, str(daemon.state), "107")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's nginx runs its workers under another account")
def test_another_account_while_it_runs_waits_for_a_restart(daemon: Daemon) -> None:
    """Keys and folders belong to the group of the first one."""
    _start(daemon)
    workers = daemon.worker_pids()
    daemon.write("user: daemon\n" + ONE_SITE)
    assert "user: nginx's workers run as" in daemon.cli_good("apply")
    assert daemon.worker_pids() == workers
    before = daemon.config.read_text()
    daemon.write("user: no-such-account\n" + ONE_SITE)
    refused = daemon.cli("apply")
    assert refused.returncode == 1
    assert "no-such-account" in refused.stdout
    assert daemon.sign("a.test") == "one"
    daemon.write_raw(before)
    assert daemon.terminate() == 0
    daemon.start()
    daemon.wait_sign("a.test", "one")
    assert "workers run as" not in daemon.cli_good("apply")
    assert {psutil.Process(pid).username() for pid in daemon.worker_pids()} == {"daemon"}


def test_an_old_nginx_on_the_path_is_passed_over(daemon: Daemon) -> None:
    """As on a Debian 12 that has one of its own."""
    del daemon.environment["DAEMUN_NGINX"]
    bundled = find_nginx.find_bundled() or pytest.skip("the extra daemun[nginx] is not installed")
    old = _fake_nginx(daemon.root, "1.22.1")
    daemon.environment["PATH"] = f"{old.parent}:{daemon.environment['PATH']}"
    _start(daemon)
    assert psutil.Process(daemon.nginx_pid()).exe() == os.path.realpath(bundled)


# --- what is behind and before the gate ---


def test_a_server_that_is_down_is_502_and_hurts_nobody_else(daemon: Daemon) -> None:
    target = f"http://127.0.0.1:{ports.free_port()}"
    daemon.write(f"sites:\n  down.test: {{/: {{to: '{target}', hold: off}}}}\n{signpost('a.test', 'one')}")
    daemon.start()
    daemon.wait_sign("a.test", "one")
    assert daemon.get("https://down.test/").status_code == 502
    assert daemon.sign("a.test") == "one"


def test_a_server_whose_name_does_not_resolve_hurts_nobody_else(daemon: Daemon) -> None:
    daemon.write("sites:\n  lost.test: {/: {to: http://no-such-host.invalid, hold: off}}\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    assert daemon.get("https://lost.test/").status_code == 502
    assert "no-such-host.invalid" in daemon.cli("status").stdout


def test_hosts_nobody_configured_are_refused(daemon: Daemon) -> None:
    _start(daemon)
    assert daemon.get("http://unknown.test/").status_code == 404
    assert daemon.get("http://127.0.0.1/").status_code == 404
    assert clients.handshake(daemon.gate, "unknown.test").alert == "TLSV1_UNRECOGNIZED_NAME"
    assert clients.handshake(daemon.gate, None).alert == "TLSV1_UNRECOGNIZED_NAME"
    assert clients.handshake(daemon.gate, "a.test").names == {"a.test"}


def test_an_address_is_a_host_for_clients_that_send_no_name(daemon: Daemon) -> None:
    daemon.write('sites:\n  "127.0.0.1": {routes: {/: {redirect: "https://sign.test/ip"}}}\n' + signpost("a.test", "1"))
    daemon.start()
    daemon.wait_sign("a.test", "1")
    assert clients.handshake(daemon.gate, None).names == {"127.0.0.1"}
    assert daemon.get("https://127.0.0.1/").headers["Location"] == "https://sign.test/ip"
    assert daemon.get("https://127.0.0.1/", http2=True).headers["Location"] == "https://sign.test/ip"
    assert clients.handshake(daemon.gate, "unknown.test").alert == "TLSV1_UNRECOGNIZED_NAME"


def test_host_and_sni_may_disagree_but_never_reach_an_unknown_host(daemon: Daemon) -> None:
    """RFC 9110 section 7.4: a request for another host than the connection's is answered for that host, or refused."""
    daemon.write("sites:\n" + signpost("a.test", "a") + signpost("b.test", "b"))
    daemon.start()
    daemon.wait_sign("b.test", "b")
    answer = daemon.get("https://a.test/", Host="b.test")
    assert answer.headers.get("Location") == "https://sign.test/b" or answer.status_code == 421
    assert daemon.get("https://a.test/", Host="unknown.test").status_code in {404, 421}
