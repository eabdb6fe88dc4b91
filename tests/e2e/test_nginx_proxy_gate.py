"""daemun in nginx-proxy's place, seen from outside: its environment, its folders, and the commands that need no daemon.

Containers have no part in it: the sites are those of a file.
"""

import pathlib
import socket

import pytest

from tests.support import nginx_proxy, ports
from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx

SITES = "docker: off\nsites:\n" + signpost("a.test", "one")


@pytest.fixture
def gate(daemon: Daemon) -> Daemon:
    """Not started. Its folders are below `mounted` of the root, and the file says nothing about where it listens."""
    daemon.environment |= {
        "DAEMUN_COMPAT": "nginx-proxy",
        "DAEMUN_COMPAT_DIR": str(daemon.root / "mounted"),
        "HTTP_PORT": str(daemon.http),
        "HTTPS_PORT": str(daemon.https),
        "TRUST_DOWNSTREAM_PROXY": "false",
    }
    daemon.write_raw(SITES)
    return daemon


def mount(gate: Daemon, path: str, text: str = "") -> None:
    target = pathlib.Path(gate.root, "mounted", path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def told(gate: Daemon, *command: str, code: int = 0) -> str:
    """All that a command says."""
    done = gate.cli(*command)
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    return said


# --- where it listens -------------------------------------------------------------------------------------------


@pytest.mark.shows(gate="HTTP_PORT HTTPS_PORT")
def test_ports_of_the_environment_listen_and_are_led_to(gate: Daemon) -> None:
    gate.start()
    gate.wait_sign("a.test", "one")

    answer = gate.get("http://a.test/x")
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://a.test:{gate.https}/x")


@pytest.mark.shows(gate="ENABLE_IPV6")
def test_ipv6_only_when_it_is_asked_for(gate: Daemon) -> None:
    gate.start()
    gate.wait_sign("a.test", "one")
    for port in (gate.http, gate.https):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("::1", port), timeout=20)
    gate.terminate()

    gate.environment["ENABLE_IPV6"] = "true"
    gate.start()
    gate.wait_sign("a.test", "one")
    for port in (gate.http, gate.https):
        socket.create_connection(("::1", port), timeout=20).close()


def test_the_file_comes_before_the_environment(gate: Daemon) -> None:
    gate.environment |= {"HTTP_PORT": str(ports.free_port()), "HTTPS_PORT": str(ports.free_port())}
    gate.write_raw(gate.listen + SITES)
    gate.start()
    gate.wait_sign("a.test", "one")


# --- what it says -----------------------------------------------------------------------------------------------


@pytest.mark.shows(gate="NO_COLOR")
@pytest.mark.parametrize(("no_color", "is_coloured"), [("", True), ("1", False)])
def test_the_colours_of_the_log(gate: Daemon, no_color: str, is_coloured: bool) -> None:
    gate.environment |= {"NO_COLOR": no_color, "TERM": "xterm"}
    with gate.on_a_terminal() as shown:
        gate.wait(lambda: "daemun is up" in shown(), "daemun to be up")
        assert ("\x1b[" in shown()) is is_coloured


@pytest.mark.shows(gate=nginx_proxy.TOLD["gate"])
def test_a_variable_that_is_not_followed_is_told(gate: Daemon) -> None:
    gate.environment |= dict.fromkeys(nginx_proxy.told("gate"), "true")
    gate.start()
    gate.wait_sign("a.test", "one")
    status = told(gate, "status")

    begin = "warning: environment of the gate: "
    warned = {line.removeprefix(begin).split()[0] for line in status.splitlines() if line.startswith(begin)}
    assert warned == set(nginx_proxy.told("gate"))


@pytest.mark.shows(file=nginx_proxy.TOLD["file"])
def test_a_file_that_is_not_used_is_told(gate: Daemon) -> None:
    """`/etc/acme.sh` stands below the folders here, as does what is in /app there."""
    files = {
        "certs/HOST.dhparam.pem",
        "certs/HOST.chain.pem",
        "dhparam/dhparam.pem",
        "toplevel.conf.d/stream.conf",
        "conf.d/standalone-cert-HOST.conf",
        "letsencrypt_user_data",
        "nginx.tmpl",
        "acme.sh/account.conf",
    }
    for file in files:
        mount(gate, file, "stream { }")
    gate.start()
    gate.wait_sign("a.test", "one")
    status = told(gate, "status")

    unused = {line for line in status.splitlines() if "is not used: " in line}
    assert len(unused) == len(files)
    for file in files:
        name = file.removesuffix("/account.conf")
        assert any(f"{gate.root}/mounted/{name}: the f" in line for line in unused), file


def test_a_word_that_is_none_is_told(gate: Daemon) -> None:
    gate.environment["DAEMUN_COMPAT"] = "nginx-prox"
    gate.write_raw(gate.listen + SITES)
    gate.start()
    gate.wait_sign("a.test", "one")

    assert "DAEMUN_COMPAT: expected none or nginx-proxy" in told(gate, "status", code=3)


# --- without a daemon -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_in_the_file", [True, False])
def test_commands_without_a_daemon_stand_in_nginx_proxys_place_too(gate: Daemon, is_in_the_file: bool) -> None:
    mount(gate, "conf.d/mine.conf", "client_max_body_size 77m;")
    if is_in_the_file:
        del gate.environment["DAEMUN_COMPAT"]
        gate.write_raw(f"compat: nginx-proxy\n{SITES}")
    gate.environment["FILES_UID"] = "1000"

    rendered = told(gate, "render")
    assert f"listen 0.0.0.0:{gate.http};" in rendered
    assert "client_max_body_size 77m;" in rendered
    for command in ("check", "plan", "render"):
        assert "warning: environment of the gate: FILES_UID has no effect: " in told(gate, command)
    assert "are asked" not in told(gate, "plan")
    assert f"{gate.config}: good" in told(gate, "check")
    assert not gate.state.exists()


def test_without_a_daemon_nothing_of_nginx_proxy_counts_unless_it_is_asked_for(gate: Daemon) -> None:
    del gate.environment["DAEMUN_COMPAT"]
    gate.environment["FILES_UID"] = "1000"
    mount(gate, "conf.d/mine.conf", "client_max_body_size 77m;")

    rendered = told(gate, "render")
    assert "listen 80;" in rendered
    assert "77m" not in rendered
    assert "FILES_UID" not in told(gate, "check")


def test_check_finds_what_is_wrong_in_the_folders(gate: Daemon) -> None:
    mount(gate, "vhost.d/a.test", "gzip off; }")
    said = told(gate, "check", code=1)
    assert (
        f'error: {gate.root}/mounted/vhost.d/a.test: cannot use the hand-written nginx: line 1: unexpected "}}"' in said
    )

    mount(gate, "vhost.d/a.test", "gzip off;")
    mount(gate, "conf.d/mine.conf", "no_such_directive on;")
    said = told(gate, "check", code=1)
    assert 'unknown directive "no_such_directive"' in said


def test_where_containers_are_not_asked_it_is_said(gate: Daemon) -> None:
    engine = f"unix://{gate.root}/no.sock"
    unseen = f"warning: {engine}: its containers are not looked at without a running daemon"
    gate.environment |= {"DOCKER_HOST": engine, "DEFAULT_HOST": "whoami.test"}
    gate.write_raw(SITES.replace("docker: off\n", ""))

    for command in ("check", "plan", "render"):
        said = told(gate, command)
        assert unseen in said
        # It may well be a container's.
        assert 'warning: DEFAULT_HOST: cannot answer unknown hosts from site "whoami.test"' in said
    gate.write_raw(SITES)
    for command in ("check", "plan", "render"):
        said = told(gate, command, code=1)
        assert "containers" not in said
        assert 'error: DEFAULT_HOST: cannot answer unknown hosts from site "whoami.test"' in said


def test_a_plan_says_that_containers_are_not_looked_at_in_any_mode(gate: Daemon) -> None:
    del gate.environment["DAEMUN_COMPAT"]
    gate.environment["DOCKER_HOST"] = f"unix://{gate.root}/no.sock"
    gate.write_raw(SITES.replace("docker: off\n", ""))

    assert "its containers are not looked at" in told(gate, "plan")
    assert "its containers are not looked at" in told(gate, "render")
    assert "its containers are not looked at" not in told(gate, "check")


def test_no_file_is_needed_where_there_is_an_engine(gate: Daemon) -> None:
    gate.config.unlink()
    gate.environment |= {"DOCKER_HOST": f"unix://{gate.root}/no.sock", "DAEMUN_STATE": str(gate.state)}

    check, render = gate.bare("check"), gate.bare("render")
    assert (check.returncode, render.returncode) == (0, 0), check.stderr + render.stderr
    assert "the environment: good" in check.stdout
    assert f"listen 0.0.0.0:{gate.http};" in render.stdout
    del gate.environment["DOCKER_HOST"]
    gate.environment["DAEMUN_COMPAT"] = ""
    assert "cannot find a configuration" in gate.bare("check").stderr
