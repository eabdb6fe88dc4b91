"""daemun as a user without rights: all works on high ports, and nobody else can read what it keeps."""

import os
import pathlib
import stat

import pytest

from tests.support.daemon import Daemon, signpost, without_rights

pytestmark = pytest.mark.nginx

ONE_SITE = "sites:\n" + signpost("a.test", "one")


@pytest.fixture
def plain(daemon: Daemon) -> Daemon:
    """A daemon that is not root's, whoever runs the tests."""
    if os.geteuid() == 0:
        daemon.run_by = without_rights()
    return daemon


def test_all_works_on_high_ports(plain: Daemon) -> None:
    plain.write(ONE_SITE)
    plain.start()
    plain.wait_sign("a.test", "one")
    plain.cli_good("add", "b.test", "http://127.0.0.1:9")
    plain.write("sites:\n" + signpost("a.test", "two"))
    plain.wait_sign("a.test", "two")
    assert plain.cli("status").returncode == 0
    accounts = {process.uids().effective for process in plain.nginx_processes()}
    assert accounts == {os.geteuid()}, "nginx's workers are the user, too"
    assert _open_to_others(plain.state) == {"ca.pem"}
    plain.cli_good("stop")
    assert plain.wait_exit() == 0
    assert plain.nginx_processes() == []


def _open_to_others(state: pathlib.Path) -> set[str]:
    """What another account could read: below a folder that it may not enter there is nothing."""
    return {path.name for path in state.iterdir() if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)}


def test_low_ports_need_a_right_and_the_ways_to_it_are_told(plain: Daemon) -> None:
    if int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 80:
        pytest.skip("everybody may use low ports here")
    plain.write_raw('listen: {http: "127.0.0.1:80", https: "127.0.0.1:443"}\n' + ONE_SITE)
    plain.start()
    assert plain.wait_exit() == 1
    (problem, _) = plain.log_lines()
    for way in ("as root", "ip_unprivileged_port_start=80", "setcap cap_net_bind_service=+ep", "`listen:`"):
        assert way in problem["event"]
    assert plain.nginx_processes() == []
