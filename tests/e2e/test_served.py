"""What is said is what is served: the gate looks at itself, and behind itself, as a visitor does (A2, A4, A5, A6)."""

import collections.abc
import json
import os
import pathlib
import shutil
import socket
import typing

import pytest

from tests.support import bad_servers, clients, own_certificates, ports, serving
from tests.support.daemon import Daemon

pytestmark = pytest.mark.nginx

Json = dict[str, typing.Any]


def _servers(site: Json) -> list[str]:
    return [one["state"] for route in site["routes"] for one in route["servers"]]


def _serial(daemon: Daemon, host: str) -> int | None:
    seen = clients.try_handshake(daemon.gate, host)
    return seen.certificate.serial_number if seen and seen.certificate else None


@pytest.fixture
def server() -> collections.abc.Iterator[bad_servers.Server]:
    with bad_servers.running() as running:
        yield running


# --- servers (A4) ------------------------------------------------------------------------------------------------


def test_a4_add_tries_the_target_and_saves_it_all_the_same(daemon: Daemon, server: bad_servers.Server) -> None:
    daemon.write(f"sites: {{good.test: 'http://127.0.0.1:{server.port}'}}\n")
    daemon.start()
    daemon.wait_state("good.test", "live")
    port = ports.free_port()
    said = daemon.cli_good("add", "down.test", f"http://127.0.0.1:{port}")
    assert f"live, and saved in {daemon.config}" in said
    assert f"127.0.0.1:{port} refuses connections: nothing listens there" in said
    assert "saved all the same" in said
    assert "down.test" in daemon.config.read_text()
    assert "its server answers" in daemon.cli_good(
        "add", "good.test", f"http://127.0.0.1:{server.port}", "--path", "/b/"
    )
    status = daemon.cli("status")
    assert status.returncode == 3
    assert "1 of 2 sites live, 1 unreachable" in status.stdout
    doctor = daemon.cli("doctor", "down.test")
    assert doctor.returncode == 1
    assert "nothing listens there" in doctor.stdout
    assert daemon.cli("doctor", "good.test").returncode == 0
    with bad_servers.running(port=port):
        daemon.wait_state("down.test", "live")
        assert daemon.cli("status").returncode == 0
    assert "1 of 2 sites live" in daemon.cli("status", "--probe").stdout


def test_a4_each_fault_has_a_state_a_cause_and_a_cure(daemon: Daemon, server: bad_servers.Server) -> None:
    """A4: self-signed, http spoken to https and back, a name that does not resolve, a redirect to itself."""
    context = bad_servers.server_context(daemon.root, own_certificates.make_self_signed("localhost"))
    looping = b"HTTP/1.1 301 Moved\r\nLocation: https://loop.test/\r\nContent-Length: 0\r\n\r\n"
    with bad_servers.running(tls=context) as tls, bad_servers.running(lambda *_: looping) as loop:
        daemon.write(f"""
            sites:
              good.test: http://127.0.0.1:{server.port}
              self.test: https://localhost:{tls.port}
              cured.test: {{routes: {{/: {{to: "https://localhost:{tls.port}", verify: false}}}}}}
              plain.test: http://127.0.0.1:{tls.port}
              tls.test: https://localhost:{server.port}
              name.test: http://no-such-name.invalid
              loop.test: http://127.0.0.1:{loop.port}
              some.test:
                routes: {{/: "http://127.0.0.1:{server.port}", /api/: "http://127.0.0.1:{ports.free_port()}"}}
        """)
        daemon.start()
        expected = {
            "cured.test": ("live", ["answers"], ""),
            "good.test": ("live", ["answers"], ""),
            "loop.test": ("unreachable", ["redirects to itself"], "X-Forwarded-Proto"),
            "name.test": ("unreachable", ["does not resolve"], "getent hosts no-such-name.invalid"),
            "plain.test": ("unreachable", ["speaks TLS"], f"write https://127.0.0.1:{tls.port}"),
            "self.test": ("unreachable", ["certificate refused"], "`verify: false`"),
            "some.test": ("degraded", ["answers", "refused"], "correct the port"),
            "tls.test": ("unreachable", ["speaks plain HTTP"], f"write http://localhost:{server.port}"),
        }

        def look() -> bool:
            found = {site["host"]: (site["state"], _servers(site)) for site in daemon.look()["sites"]}
            return found == {host: (state, servers) for host, (state, servers, _) in expected.items()}

        daemon.wait(look, "every state", within_s=120, every_s=0.5)
        for site in daemon.status()["sites"]:
            assert expected[site["host"]][2] in (site["cure"] or ""), site
        for host in ("self.test", "plain.test", "tls.test", "loop.test", "name.test", "some.test"):
            assert daemon.cli("doctor", host).returncode == 1, host
        assert daemon.cli("doctor", "cured.test").returncode == 0


def test_a4_what_leads_back_and_what_nginx_may_not_open_is_unreachable_before_anybody_comes(daemon: Daemon) -> None:
    """The gate's own ports, a redirect to one of them, and a unix socket that the workers' account may not open, which
    daemun as root could."""
    back = f"HTTP/1.1 302 Found\r\nLocation: https://port.test:{daemon.https}/\r\nContent-Length: 0\r\n\r\n".encode()
    path = daemon.root / "app.sock"
    with bad_servers.running(lambda *_: back) as loop, socket.socket(socket.AF_UNIX) as app:
        app.bind(str(path))
        app.listen()
        path.chmod(0o600)
        daemon.write(f"""
            sites:
              port.test: http://127.0.0.1:{loop.port}
              own.test: http://localhost:{daemon.http}
              own-tls.test: {{routes: {{/: {{to: "https://127.0.0.1:{daemon.https}", verify: false}}}}}}
              socket.test: http://unix:{path}
        """)
        daemon.start()
        causes = {
            "port.test": "redirects https://port.test/ to itself",
            "own.test": "is daemun's own port",
            "own-tls.test": "is daemun's own port",
        }
        if os.geteuid() == 0:
            causes["socket.test"] = f"nginx may not open unix:{path}"
        for host, words in causes.items():
            site = daemon.wait_state(host, "unreachable")
            assert words in site["reason"], site
            assert site["cure"], site
        assert daemon.cli("status").returncode == 3
        if os.geteuid() == 0:
            assert daemon.get("https://socket.test/").headers.get_list("cache-control") == ["no-store"]
            path.chmod(0o666)
            daemon.cli("status", "--probe")
            daemon.wait(lambda: "nginx may not" not in daemon.cli("status").stdout, "the end of the trouble")


def test_a_judge_that_is_not_there_makes_what_it_guards_unreachable(daemon: Daemon, server: bad_servers.Server) -> None:
    port, good = ports.free_port(), f"http://127.0.0.1:{server.port}"
    auth = f"forward_auth: {{kind: traefik, url: 'http://127.0.0.1:{port}'}}"
    daemon.write(f"""
        sites:
          all.test: {{access: {{{auth}}}, routes: {{/: "{good}", /b/: {{redirect: "https://b.test/"}}}}}}
          some.test: {{access: {{{auth}}}, routes: {{/: "{good}", /open/: {{to: "{good}", access: public}}}}}}
          open.test: {{access: public, routes: {{/: "{good}"}}}}
          name.test:
            access: {{forward_auth: {{kind: authelia, url: "http://no-judge.invalid"}}}}
            routes: {{/: "{good}"}}
    """)
    daemon.start()
    expected = {"all.test": "unreachable", "some.test": "degraded", "open.test": "live", "name.test": "unreachable"}

    def states() -> dict[str, str]:
        return {site["host"]: site["state"] for site in daemon.look()["sites"]}

    daemon.wait(lambda: states() == expected, "every state", within_s=120, every_s=0.5)
    sites = {site["host"]: site for site in daemon.status()["sites"]}
    for host in ("all.test", "some.test"):
        assert (
            f"its judge (`access.forward_auth`) is not there, so visitors get 503: 127.0.0.1:{port}"
            in (sites[host]["reason"])
        )
    assert '"no-judge.invalid" does not resolve' in sites["name.test"]["reason"]
    assert [one["state"] for one in sites["all.test"]["routes"][0]["judges"]] == ["refused"]
    doctor = daemon.cli("doctor", "all.test")
    assert doctor.returncode == 1
    assert "its judge (`access.forward_auth`) is not there" in doctor.stdout
    assert daemon.cli("status", "--probe").returncode == 3
    with bad_servers.running(port=port):
        daemon.wait_state("all.test", "live")
        daemon.wait_state("some.test", "live")


def test_a4_up_counts_no_site_as_live_whose_server_is_not_there(daemon: Daemon, server: bad_servers.Server) -> None:
    daemon.write(f"""
        sites:
          good.test: http://127.0.0.1:{server.port}
          down.test: http://127.0.0.1:{ports.free_port()}
    """)
    daemon.start()
    daemon.wait_up()
    (line,) = [line for line in daemon.log_lines() if line["event"] == "daemun is up"]
    told = line["sites"]  # on a busy machine the second may be over before all were tried
    assert told == "1 of 2 sites live, 1 unreachable" or told.endswith(", their servers are tried next")


def test_a4_the_page_of_a_permanent_fault_never_says_starting(daemon: Daemon) -> None:
    context = bad_servers.server_context(daemon.root, own_certificates.make_self_signed("localhost"))
    with bad_servers.running(tls=context) as tls:
        daemon.write(f"sites: {{self.test: 'https://localhost:{tls.port}'}}\n")
        daemon.start()
        daemon.wait_state("self.test", "unreachable")
        answer = daemon.get("https://self.test/")
    assert answer.status_code in {502, 503}
    assert "starting" not in answer.text


def test_a4_a_server_that_went_away_is_noticed_by_the_error_of_a_request(daemon: Daemon) -> None:
    with bad_servers.running() as server:
        daemon.write(f"sites: {{a.test: {{routes: {{/: {{to: 'http://127.0.0.1:{server.port}', hold: false}}}}}}}}\n")
        daemon.start()
        daemon.wait_ready()
        daemon.wait_site("a.test", lambda site: _servers(site) == ["answers"], "a try")
        port = server.port
    assert daemon.get("https://a.test/").status_code == 502
    daemon.wait_state("a.test", "unreachable")
    site = daemon.wait_site("a.test", lambda site: site["routes"][0]["last_error"] is not None, "the error of nginx")
    assert "refused" in site["routes"][0]["last_error"]["cause"]
    with bad_servers.running(port=port):
        daemon.wait_state("a.test", "live")


def test_a4_in_a_status_on_a_narrow_terminal_no_word_is_broken(daemon: Daemon, server: bad_servers.Server) -> None:
    """L3."""
    daemon.environment["COLUMNS"] = "80"
    target = f"http://127.0.0.1:{server.port}/a/path/that/takes/much/room/on/a/line"
    daemon.write(f"sites: {{a-rather-long-name.of-a-department.test: '{target}'}}\n")
    daemon.start()
    daemon.wait_ready()
    assert target in daemon.cli_on_a_terminal("status")


# --- what nginx logs (A5) ----------------------------------------------------------------------------------------


def _answers(path: str, _: object) -> bytes:
    if path == "/large":
        return b"HTTP/1.1 200 OK\r\nX-Large: " + b"x" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n"
    if path == "/both":
        return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    if path == "/no-http":
        return b"hello\r\n\r\n"
    return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("path", "words"),
    [("/large", "headers of its answer are too large"), ("/both", "both Content-Length and Transfer-Encoding")],
)
def test_a5_errors_that_only_nginx_knows_are_told_in_plain_words(daemon: Daemon, path: str, words: str) -> None:
    with bad_servers.running(_answers) as server:
        daemon.write(f"sites: {{a.test: 'http://127.0.0.1:{server.port}'}}\n")
        daemon.start()
        daemon.wait_ready()
        daemon.wait_site("a.test", lambda site: _servers(site) == ["answers"], "a try")
        for _ in range(2):
            assert daemon.get(f"https://a.test{path}").status_code == 502
        site = daemon.wait_state("a.test", "degraded")
        error = site["routes"][0]["last_error"]
        assert words in error["cause"]
        assert error["cure"]
        assert error["nginx"].startswith("upstream sent")
        daemon.wait_site("a.test", lambda site: site["routes"][0]["last_error"]["count"] == 2, "both errors")
        doctor = daemon.cli("doctor", "a.test")
        assert (doctor.returncode, words in doctor.stdout) == (1, True)
        daemon.wait(lambda: daemon.cli("status").returncode == 3, "the status after doctor tried the server")


# --- health checks (A6) --------------------------------------------------------------------------------------------


def test_a6_doctor_and_status_agree_on_health_checks(daemon: Daemon, server: bad_servers.Server) -> None:
    daemon.write(f"""
        sites:
          a.test: {{routes: {{/: {{to: "http://127.0.0.1:{ports.free_port()}", health: /healthz}}}}}}
          b.test: {{routes: {{/: {{to: "http://127.0.0.1:{server.port}", health: /healthz}}}}}}
    """)
    daemon.start()
    daemon.wait_site(
        "a.test", lambda site: (site["state"], _servers(site)) == ("unreachable", ["not well"]), "the failed check"
    )
    assert daemon.cli("status").returncode == 3
    doctor = daemon.cli("doctor", "a.test")
    assert (doctor.returncode, "does not pass its health check" in doctor.stdout) == (1, True)
    daemon.wait_site("b.test", lambda site: _servers(site) == ["answers"], "a check")
    assert daemon.cli("doctor", "b.test").returncode == 0


# --- certificates (A2) -------------------------------------------------------------------------------------------


def _cut(folder: pathlib.Path) -> None:
    os.truncate(folder / "privkey.pem", 20)


@pytest.mark.parametrize(
    "damage",
    [lambda folder: folder.unlink(), lambda folder: shutil.rmtree(folder.resolve()), _cut],
    ids=["link", "files", "key"],
)
def test_a2_live_is_mended_while_daemun_runs(
    daemon: Daemon, damage: collections.abc.Callable[[pathlib.Path], object]
) -> None:
    """A2: handshakes failed until the next edit, and everything reported valid."""
    daemon.write("sites: {a.test: {routes: {/: {redirect: 'https://sign.test/'}}}}\n")
    daemon.start()
    daemon.wait(lambda: _serial(daemon, "a.test"), "a handshake")
    damage(daemon.state / "live" / "a.test")
    daemon.wait_log("they are written again")
    daemon.wait(lambda: _serial(daemon, "a.test"), "a handshake again")
    assert [line["level"] for line in daemon.log_lines() if "written again" in line["event"]] == ["warning"]


def test_a2_a_handshake_that_fails_is_told(daemon: Daemon) -> None:
    """nginx may be kept from a good file, too: only a handshake tells."""
    daemon.write("""
        sites:
          a.test:
            nginx: ssl_certificate /nonexistent/$ssl_server_name.pem;
            routes: {/: {redirect: 'https://sign.test/'}}
          b.test: {routes: {/: {redirect: 'https://sign.test/'}}}
    """)
    daemon.start()
    daemon.wait(lambda: _serial(daemon, "b.test"), "a handshake")
    site = daemon.wait_state("a.test", "unreachable")
    assert "nginx cannot load its certificate" in site["reason"]
    assert site["handshakes"][0]["listener"] == f"127.0.0.1:{daemon.https}"
    assert daemon.cli("status").returncode == 3
    assert daemon.cli("doctor", "a.test").returncode == 1
    certs = daemon.cli("certs", "--json")
    assert certs.returncode == 3
    assert {one["host"]: one["state"] for one in json.loads(certs.stdout)["certificates"]} == {
        "a.test": "not served",
        "b.test": "local",
    }
    assert daemon.site("b.test")["state"] == "live"


def test_probing_waits_for_nobody(daemon: Daemon) -> None:
    """A server that hangs holds up neither a change nor the status: both are there while the same try goes on."""
    with serving.in_thread(bad_servers.Silent()) as hanging:
        sites = f"sites:\n  a.test: http://127.0.0.1:{hanging.port}\n"
        daemon.write(sites)
        daemon.start()
        daemon.wait(lambda: _serial(daemon, "a.test"), "a handshake")
        for number in range(10):  # a busy machine may be slower than a try is long
            daemon.wait(lambda: hanging.held, "a try to hang")
            before = set(hanging.held)
            sites += f"  n{number}.test: http://127.0.0.1:{hanging.port}\n"
            daemon.write(sites)
            daemon.wait(lambda name=f"n{number}.test": _serial(daemon, name), "the change")  # type: ignore[misc]
            assert daemon.status()["sites"]
            if before & hanging.held:
                return
        pytest.fail("each change waited for the tries before it")
