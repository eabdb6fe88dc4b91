"""`daemun doctor` as a person runs it: beside a running daemon, in a network where its names, its CA and port 80 are
real, and where nothing runs."""

import collections.abc
import contextlib
import json
import pathlib
import socket
import textwrap

import pytest

from tests.support import daemon as daemon_support
from tests.support import own_network, pebble, ports, zones
from tests.support.daemon import Daemon, Json

GATE = "8.8.4.4"
ZONES = {"net": "@ TXT top\n", "shop.net": f"good A {GATE}\nstale A {GATE}\nstale AAAA 2620:fe::99\nnew A {GATE}\n"}


@pytest.fixture(name="gate")
def running_gate(daemon: Daemon) -> collections.abc.Iterator[Daemon]:
    """With a good name, a bad one, and certificates of Pebble, which asks port 80 of the gate's address."""
    with (
        own_network.own_network(GATE),
        zones.serving(ZONES) as resolver,
        pebble.running_pebble(80, dns_server=resolver) as ca,
        contextlib.closing(daemon),
    ):
        text = f"""\
            listen: {{http: "{GATE}:80", https: "{GATE}:443"}}
            docker: off
            acme: {{directory: "{ca.directory}", ca_file: "{ca.ca_file}", resolvers: ["{resolver}"]}}
            sites:
            """
        good, bad = (daemon_support.signpost(f"{name}.shop.net", name) for name in ("good", "bad"))
        daemon.write_raw(f"{textwrap.dedent(text)}{good}{bad}")
        daemon.start()
        wait_for_certificate(daemon, "good.shop.net", "valid")
        wait_for_certificate(daemon, "bad.shop.net", "failing")
        yield daemon


def wait_for_certificate(gate: Daemon, host: str, state: str) -> None:
    def look() -> bool:
        return any(one["host"] == host and one["state"] == state for one in gate.certificates())

    gate.wait(look, f"the certificate of {host} to be {state}", every_s=0.3)


def findings(gate: Daemon, *arguments: str, code: int) -> list[Json]:
    done = gate.cli("doctor", *arguments, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] is (code == 0)
    found: list[Json] = told["findings"]
    assert all(one["cure"] is None for one in found if one["weight"] == "good")
    return found


OF_THE_BINARY = {"weakness", "allocator"}


def troubles(gate: Daemon) -> list[Json]:
    """What is wrong, but for what its nginx is known for (tests/e2e/test_nginx_builds_daemon.py)."""
    return [one for one in findings(gate, code=1) if one["weight"] != "good" and one["topic"] not in OF_THE_BINARY]


@pytest.mark.nginx
@pytest.mark.pebble
def test_beside_a_running_daemon(gate: Daemon) -> None:
    done = gate.cli("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "the gate"
    assert any(line.startswith("  ✓ nginx 1.") and "runs (process " in line for line in lines)
    assert "  ✓ 1 of 2 sites live, 1 wrong certificate" in lines
    assert "  ✓ the clock agrees with the CA's" in lines
    bad, good = (lines[lines.index(f"{name}.shop.net") + 1 :] for name in ("bad", "good"))
    assert bad[0].startswith("  ✗ has no certificate as asked for: cannot validate")
    assert f"{gate.named('certs renew bad.shop.net')} tries at once" in bad[1]
    assert bad[2:4] == [
        "  ! does not exist in DNS (NXDOMAIN)",
        f"      make an A or AAAA record for it that points to this machine ({GATE})",
    ]
    assert good[0].startswith("  ✓ has a certificate of Pebble Intermediate CA")
    assert good[1:4] == [
        f"  ✓ resolves to {GATE}",
        f"  ✓ port 80 of {GATE} leads to this daemun",
        "  ✓ no CAA record keeps any CA from signing",
    ]
    # How many weaknesses its nginx is known for, changes with it.
    known = sum(one["topic"] in OF_THE_BINARY and one["weight"] == "warns" for one in findings(gate, code=1))
    assert lines[-1] == f"1 problem and {1 + known} warning{'s' if known else ''}"

    weights = {(one["host"], one["topic"]): one["weight"] for one in findings(gate, code=1)}
    assert weights["bad.shop.net", "certificate"] == "blocks"
    assert weights["bad.shop.net", "dns"] == "warns"
    assert weights["good.shop.net", "reach"] == "good"
    assert weights[None, "clock"] == weights[None, "disk"] == "good"


@pytest.mark.nginx
@pytest.mark.pebble
def test_one_name(gate: Daemon) -> None:
    found = findings(gate, "Good.shop.net.", code=0)
    assert {one["host"] for one in found} == {None, "good.shop.net"}
    topics = {"nginx", "site", "certificate", "handshake", "ca", "clock", "dns", "reach", "caa"}
    assert {one["topic"] for one in found} == topics
    assert gate.cli("doctor", "good.shop.net").stdout.endswith("all is well\n")

    # A name that is to become one of the gate is looked at before it is.
    new = {one["topic"]: one for one in findings(gate, "new.shop.net", code=1)}
    assert new["site"]["message"] == "no site of the gate has this name"
    assert new["site"]["cure"] == "`daemun add new.shop.net TARGET` makes one"
    assert new["reach"]["weight"] == "good"
    stale = [one for one in findings(gate, "stale.shop.net", code=1) if one["topic"] == "reach"]
    assert "its AAAA record 2620:fe::99 does not lead here" in stale[1]["message"]

    done = gate.cli("doctor", "not a name")
    assert done.returncode == 1
    assert done.stderr == 'error: cannot look at "not a name": it is no host name; name one such as chat.example.com\n'


@pytest.mark.nginx
@pytest.mark.parametrize(("environ", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_findings_are_coloured_on_a_terminal_unless_somebody_minds(
    daemon: Daemon, environ: dict[str, str], *, is_coloured: bool
) -> None:
    daemon.write("sites: {}\n")
    daemon.environment |= {"TERM": "xterm", "COLUMNS": "60", **environ}
    shown = daemon.cli_on_a_terminal("doctor")
    assert ("\x1b[32m✓\x1b[0m" in shown) is is_coloured
    assert f"{daemon.config} is good" in " ".join(shown.split())


# --- without a daemon --------------------------------------------------------------------------------------------


@pytest.mark.nginx
def test_nothing_runs_and_nothing_is_wrong_but_that(daemon: Daemon) -> None:
    daemon.write("sites:\n  a.example.com: http://127.0.0.1:9\n")
    (only,) = troubles(daemon)
    assert only["topic"] == "daemun"
    assert only["message"].startswith("daemun is not running (no answer at ")
    assert only["cure"].startswith("start it with: daemun up -c ")
    said = daemon.cli("doctor").stdout
    assert f"  ✓ {daemon.config} is good\n" in said
    assert f"  ✓ port 127.0.0.1:{daemon.http} is free\n" in said
    assert f"  ✓ the state directory {daemon.state} can be written\n" in said
    assert "MiB are free on the disk of" in said
    assert not daemon.state.exists()


@pytest.mark.nginx
def test_nothing_runs_for_several_reasons(daemon: Daemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        listen = f'listen: {{http: "127.0.0.1:{port}", https: "192.0.2.77:{ports.free_port()}"}}\n'
        daemon.write_raw(f"{listen}sites: {{a.test: 7}}\n")
        found = findings(daemon, code=1)
        by_topic = {one["topic"]: one for one in found if one["weight"] != "good"}
        assert "found the number 7" in by_topic["config"]["message"]
        assert str(daemon.config.name) in by_topic["config"]["cure"]
        daemon.write_raw(f'{listen}sites: {{a.test: "http://127.0.0.1:9"}}\n')
        taken, absent = [one for one in findings(daemon, code=1) if one["topic"] == "ports"]
    assert taken["message"].startswith(f"cannot listen on 127.0.0.1:{port}: the port is taken by ")
    assert taken["cure"] == "stop that program, or give another port under `listen:`"
    assert "this machine has no such address now" in absent["message"]


def test_no_nginx_and_no_file(daemon: Daemon, tmp_path: pathlib.Path) -> None:
    daemon.environment["DAEMUN_NGINX"] = str(tmp_path / "nginx")
    by_topic = {one["topic"]: one for one in findings(daemon, code=1)}
    assert by_topic["nginx"]["weight"] == "blocks"
    assert by_topic["nginx"]["message"].startswith(f"cannot use {tmp_path}/nginx")
    assert by_topic["config"]["message"].startswith(f'cannot read "{daemon.config}"')


@pytest.mark.nginx
def test_local_sites_that_this_machine_does_not_trust(daemon: Daemon) -> None:
    """The authority outlives the daemon; nginx does, too, when it is asked to."""
    daemon.write(f"sites:\n{daemon_support.signpost('a.test', 'a')}")
    daemon.up("https://a.test/")
    (trust,) = troubles(daemon)
    assert trust["topic"] == "trust"
    assert f"`sudo daemun --state {daemon.state} trust`" in trust["cure"]
    daemon.cli_good("stop", "--keep-traffic")
    daemon.wait_exit()
    said = daemon.cli("doctor").stdout
    assert f"goes on serving; the next {daemon.named('up')} adopts it" in said
    assert "which this machine does not trust" in said
