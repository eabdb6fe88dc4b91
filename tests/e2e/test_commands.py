"""Every command's exit code, its JSON, and what it does to the file: with a running daemon and without one."""

import concurrent.futures
import json
import pathlib
import subprocess
import typing

import pytest

from tests.support import backend
from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx

COMMANDS = (
    *("up", "stop", "check", "plan", "apply", "render", "add", "rm", "enable", "disable", "maintenance"),
    *("status", "sites", "certs", "trust", "demo"),
)

COMMENTED = """\
# the owner's own words
sites:
  a.test:   # the first one
    routes: {/: {redirect: "https://sign.test/one", status: 302}}
"""


@pytest.fixture
def running(daemon: Daemon) -> Daemon:
    daemon.write(COMMENTED)
    daemon.start()
    daemon.wait_sign("a.test", "one")
    return daemon


@pytest.fixture
def alone(daemon: Daemon) -> Daemon:
    """A file, and no daemon."""
    daemon.write(COMMENTED)
    return daemon


def _says(daemon: Daemon, code: int, *arguments: str) -> str:
    """Run a command, check its exit code, and return all it said. No command ever shows a traceback."""
    done = daemon.cli(*arguments)
    said = done.stdout + done.stderr
    assert done.returncode == code, f"daemun {' '.join(arguments)}: exit {done.returncode}, not {code}\n{said}"
    assert "Traceback" not in said
    return said


# --- check ---


@pytest.mark.parametrize("is_unbuffered", [False, True])
@pytest.mark.parametrize("words", [("schema",), ("version",), ("--help",), ("check", "--json"), ("render",)])
def test_a_full_disk_under_standard_output_is_no_defect(
    alone: Daemon, words: tuple[str, ...], is_unbuffered: bool
) -> None:
    alone.environment["PYTHONUNBUFFERED"] = "1" if is_unbuffered else ""
    with pathlib.Path("/dev/full").open("w") as full:
        done = subprocess.run(
            alone.command(*words),
            check=False,
            env=alone.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )

    cause = "cannot write to standard output: no space left on device; the output is not whole"
    assert (done.returncode, done.stderr) == (1, f"error: {cause}\n")


@pytest.mark.parametrize("words", [("check",), ("version",), ("check", "--json"), ("disable", "a.test")])
@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_no_defect(alone: Daemon, words: tuple[str, ...], closed: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *alone.command(*words)],
        check=False,
        env=alone.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_check_is_good(alone: Daemon) -> None:
    _says(alone, 0, "check")
    assert not alone.state.exists(), "check writes nothing"


def test_check_tells_every_problem_at_once(alone: Daemon) -> None:
    alone.write(
        """\
        sites:
          a.test: {/: "http://127.0.0.1:99999", bad: http://127.0.0.1}
          b..test: http://127.0.0.1:1
          c.test: {rouets: {}}
        """
    )
    said = _says(alone, 1, "check")
    for line in (3, 4, 5):
        assert f"daemun.yaml:{line}" in said
    assert "routes" in said, "the nearest known key"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x01\xff\xfe\x80",
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        b"- a\n- b\n",
        b"sites: {a: [\n",
        b"nonsense",
    ],
    ids=["empty", "binary", "a picture", "a list", "a syntax error", "a word"],
)
def test_check_of_what_is_no_configuration(alone: Daemon, content: bytes) -> None:
    alone.config.write_bytes(content)
    said = _says(alone, 1, "check")
    assert "daemun.yaml" in said


def test_check_of_a_file_that_is_an_argument(alone: Daemon) -> None:
    alone.write("workerss: 1\nsites: {}\n")
    other = alone.root / "other.yaml"
    other.write_text("sites: {a.test: http://127.0.0.1:1}\n")
    assert "other.yaml: good" in _says(alone, 0, "check", str(other))
    assert "other.yaml: good" in _says(alone, 0, "check", "other.yaml")
    assert "no such file" in _says(alone, 1, "check", "nowhere.yaml")
    assert "workerss" in _says(alone, 1, "check")


def test_add_of_a_port_and_of_a_folder(alone: Daemon) -> None:
    (alone.root / "www").mkdir()
    alone.write("sites: {}\n")
    assert 'write "http://127.0.0.1:18300"' in _says(alone, 1, "add", "a.test", "18300")
    _says(alone, 0, "add", "a.test", "www")
    assert f"files: {alone.root / 'www'}" in alone.config.read_text()


def test_check_of_a_file_that_is_not_there(alone: Daemon) -> None:
    alone.config.unlink()
    assert str(alone.config) in _says(alone, 1, "check")


def test_check_of_an_argument_that_is_not_there(alone: Daemon) -> None:
    """It says what is near, and not how a gate's own file is put back: what is kept is another file's."""
    alone.write("sites: {}\n")
    kept = alone.state / "store" / "history" / "daemun.yaml"
    kept.parent.mkdir(parents=True)
    kept.write_text("sites: {}\n")
    for name in ("daemun.yml", "deamun.yaml"):
        said = _says(alone, 1, "check", name)
        assert 'no such file or directory; correct the path; did you mean "daemun.yaml"?' in said
        assert "restore-file" not in said
    assert "correct the path" in _says(alone, 1, "check", "nowhere/daemun.yaml")


def test_check_of_a_folder(alone: Daemon) -> None:
    alone.config.unlink()
    alone.config.mkdir()
    assert str(alone.config) in _says(alone, 1, "check")


def test_check_names_a_missing_certificate_file(alone: Daemon) -> None:
    alone.write(
        """\
        sites:
          a.test:
            tls: {certificate: nowhere.pem, key: nowhere.key}
            routes: {/: http://127.0.0.1:1}
        """
    )
    assert "nowhere.pem" in _says(alone, 1, "check")


# --- plan and apply ---


def test_plan_and_apply(running: Daemon) -> None:
    assert "a.test" not in _says(running, 0, "plan"), "nothing to do"
    reloads = running.status()["nginx"]["reloads"]
    _says(running, 0, "apply")
    assert running.status()["nginx"]["reloads"] == reloads
    running.write(COMMENTED + signpost("b.test", "new"))
    _says(running, 0, "apply")
    assert running.sign("b.test") == "new", "apply returns when it is live"


def test_a_changed_file_that_hand_written_nginx_names_is_loaded(running: Daemon) -> None:
    """The new rules hold after `apply`, though daemun.yaml is what it was."""
    answer = running.config.parent / "answer.conf"
    answer.write_text("return 302 https://sign.test/old;")
    running.write(COMMENTED + "  b.test: {routes: {/: http://127.0.0.1:1}, nginx: include answer.conf;}\n")
    _says(running, 0, "apply")
    running.wait_sign("b.test", "old")
    answer.write_text("return 302 https://sign.test/new;")
    assert "b.test" in _says(running, 0, "plan")
    assert "nginx was not touched" not in _says(running, 0, "apply")
    running.wait_sign("b.test", "new")
    assert "as it was already, since 20" in _says(running, 0, "apply")


def test_plan_tells_what_would_change(alone: Daemon) -> None:
    """Without a daemon, from the file and the state directory alone; nothing is started."""
    assert "a.test" in _says(alone, 0, "plan")
    assert alone.nginx_pid() is None


def test_apply_without_a_daemon_says_so(alone: Daemon) -> None:
    assert "daemun up" in _says(alone, 1, "apply")


def test_apply_of_a_bad_file(running: Daemon) -> None:
    running.write("sites:\n  a.test: ftp://127.0.0.1\n")
    assert "daemun.yaml:3:11" in _says(running, 1, "apply")
    assert "daemun.yaml:3:11" in _says(running, 1, "plan")
    assert running.sign("a.test") == "one"


# --- render ---


def test_render(alone: Daemon, tmp_path: pathlib.Path) -> None:
    text = _says(alone, 0, "render")
    assert "server_name a.test;" in text
    assert "daemun.yaml:4" in text, "it says which line it came from"
    _says(alone, 0, "render", "--out", str(tmp_path / "out"))
    assert (tmp_path / "out" / "nginx.conf").is_file()
    assert "server_name a.test;" in (tmp_path / "out" / "sites" / "a.test.conf").read_text()
    assert alone.nginx_pid() is None


def test_render_of_a_bad_file(alone: Daemon) -> None:
    alone.write("sites:\n  a.test: ftp://127.0.0.1\n")
    assert "daemun.yaml:3:11" in _says(alone, 1, "render")


@pytest.mark.parametrize("command", ["render", "plan", "check"])
def test_a_warning_of_a_refused_file_is_a_warning(alone: Daemon, command: str) -> None:
    """Whatever comes first in the file, errors come first, and each line says what it is."""
    alone.write("sites:\n  a.test: {/: {files: ./missing}}\n  b.test: {/: {to: ftp://x}}\n  c.test: {port: 1}\n")
    lines = [line for line in _says(alone, 1, command).splitlines() if "daemun.yaml:" in line and "errors" not in line]
    assert [line.split(":")[0] for line in lines] == ["error", "error", "warning"]
    assert "there is no folder" in lines[-1]


# --- add, rm, enable, disable ---


def test_add_and_rm_with_a_daemon(running: Daemon) -> None:
    before = running.config.read_text()
    with backend.running() as server:
        target = f"http://127.0.0.1:{server.port}"
        _says(running, 0, "add", "b.test", target)
        assert running.get("https://b.test/").text == "one 0", "live when the command returns"
    _says(running, 0, "add", "b.test", target, "--path", "/api/")
    assert {route["path"] for route in running.site("b.test")["routes"]} == {"/", "/api/"}
    text = running.config.read_text()
    assert "# the owner's own words" in text
    assert "# the first one" in text
    _says(running, 0, "rm", "b.test", "--path", "/api/")
    assert {route["path"] for route in running.site("b.test")["routes"]} == {"/"}
    _says(running, 0, "rm", "b.test")
    assert running.sign("a.test") == "one"
    assert all(site["host"] != "b.test" for site in running.status()["sites"])
    assert running.config.read_text() == before


def test_rm_of_the_last_site_leaves_a_gate_for_the_next_one(running: Daemon) -> None:
    _says(running, 0, "rm", "a.test")
    assert running.get("http://a.test/").status_code == 404
    _says(running, 0, "status")
    _says(running, 0, "check")
    with backend.running() as server:
        _says(running, 0, "add", "b.test", f"http://127.0.0.1:{server.port}")
        assert running.get("https://b.test/").text == "one 0"


def test_disable_and_enable_with_a_daemon(running: Daemon) -> None:
    _says(running, 0, "disable", "a.test")
    assert running.get("http://a.test/").status_code == 404
    assert running.site("a.test")["state"] == "disabled"
    _says(running, 0, "status")
    _says(running, 0, "enable", "a.test")
    assert running.sign("a.test") == "one"
    assert "# the first one" in running.config.read_text()


def test_maintenance_with_a_daemon(running: Daemon) -> None:
    assert "closed for maintenance" in _says(running, 0, "maintenance", "a.test", "on")
    answer = running.get("https://a.test/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "300")
    site = running.site("a.test")
    assert (site["state"], site["maintenance"]) == ("live", True)
    assert "live, in maintenance" in _says(running, 0, "sites")
    assert "open again" in _says(running, 0, "maintenance", "a.test", "off")
    assert running.sign("a.test") == "one"
    assert "# the first one" in running.config.read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "b.test", "ftp://127.0.0.1"),
        ("add", "b.test", "http://127.0.0.1:99999"),
        ("add", "b..test", "http://127.0.0.1:1"),
        ("add", "b.test", "http://127.0.0.1:1", "--path", "no-slash"),
        ("rm", "unknown.test"),
        ("rm", "a.test", "--path", "/unknown/"),
        ("disable", "unknown.test"),
        ("enable", "unknown.test"),
        ("maintenance", "unknown.test", "on"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("with_daemon", [True, False], ids=["daemon", "alone"])
def test_an_edit_that_is_wrong_leaves_the_file_byte_for_byte(
    daemon: Daemon, arguments: tuple[str, ...], *, with_daemon: bool
) -> None:
    daemon.write(COMMENTED)
    if with_daemon:
        daemon.start()
        daemon.wait_sign("a.test", "one")
    before = daemon.config.read_bytes()
    said = _says(daemon, 1, *arguments)
    assert arguments[1] in said or arguments[-1] in said
    assert daemon.config.read_bytes() == before
    if with_daemon:
        assert daemon.sign("a.test") == "one"


def test_edits_without_a_daemon_change_the_file(alone: Daemon) -> None:
    _says(alone, 0, "add", "b.test", "http://127.0.0.1:8080")
    _says(alone, 0, "disable", "a.test")
    text = alone.config.read_text()
    assert "b.test: http://127.0.0.1:8080" in text
    assert "enabled: false" in text
    assert "# the owner's own words" in text
    _says(alone, 0, "check")
    _says(alone, 0, "enable", "a.test")
    _says(alone, 0, "rm", "b.test")
    _says(alone, 0, "check")


@pytest.mark.parametrize("with_daemon", [True, False], ids=["daemon", "alone"])
def test_edits_at_once_all_count(daemon: Daemon, *, with_daemon: bool) -> None:
    daemon.write(COMMENTED)
    if with_daemon:
        daemon.start()
        daemon.wait_sign("a.test", "one")
    hosts = [f"b{number}.test" for number in range(4)]
    with concurrent.futures.ThreadPoolExecutor(len(hosts)) as people:
        done = list(people.map(lambda host: daemon.cli("add", host, "http://127.0.0.1:8080"), hosts))
    assert [(one.returncode, one.stderr) for one in done] == [(0, "")] * len(hosts)
    text = daemon.config.read_text()
    assert all(f"{host}: http://127.0.0.1:8080" in text for host in hosts)
    if with_daemon:
        states = {site["host"]: site["state"] for site in daemon.status()["sites"]}
        assert states.keys() == {"a.test", *hosts}
        assert set(states.values()) <= {"live", "unreachable"}, "nginx runs them all, and nobody is behind the new ones"


def test_add_to_a_file_that_is_already_broken(running: Daemon) -> None:
    """What is wrong as a whole cannot go live with an edit either: it is refused, and says why. A site that is wrong
    is mentioned."""
    running.write("workerss: 2\nsites:\n  a.test: http://127.0.0.1:1\n")
    before = running.config.read_bytes()
    assert "daemun.yaml:2:1" in _says(running, 1, "add", "b.test", "http://127.0.0.1:1")
    assert running.config.read_bytes() == before
    running.write("sites:\n  a.test: ftp://127.0.0.1\n")
    assert "daemun.yaml:3:11" in _says(running, 0, "add", "b.test", "http://127.0.0.1:1")


# --- status, sites, certs ---


def test_status_json_keeps_its_contract(running: Daemon) -> None:
    status = json.loads(_says(running, 0, "status", "--json"))
    assert isinstance(status["generation"], int)
    nginx = status["nginx"]
    assert nginx["pid"] == running.nginx_pid()
    assert nginx["workers"] == len(running.worker_pids())
    assert isinstance(nginx["reloads"], int)
    assert isinstance(nginx["draining_workers"], int)
    assert nginx["version"][0].isdigit()
    (site,) = status["sites"]
    assert site["host"] == "a.test"
    assert site["state"] == "live"
    assert site["reason"] is None
    assert "daemun.yaml:4" in site["origin"] or "file" in site["origin"]
    assert [route["path"] for route in site["routes"]] == ["/"]
    assert site["routes"][0]["to"] == ["https://sign.test/one"]
    assert set(site["certificate"]) >= {"state", "issuer", "not_after", "renew_at", "reason", "next_attempt"}
    assert site["certificate"]["state"] == "local"


@pytest.mark.parametrize("command", ["status", "sites", "certs"])
def test_what_is_shown_names_the_site(running: Daemon, command: str) -> None:
    assert "a.test" in _says(running, 0, command)
    assert "a.test" in json.dumps(json.loads(_says(running, 0, command, "--json")))


@pytest.mark.parametrize("command", ["status", "sites", "certs"])
def test_without_a_daemon_what_is_live_is_not_known(alone: Daemon, command: str) -> None:
    done = alone.cli(command)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "daemun up" in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["status", "sites"])
def test_exit_3_when_something_is_not_live(running: Daemon, command: str) -> None:
    running.write(COMMENTED + "  b.test: {routes: {/: http://127.0.0.1:1}, nginx: no_such_directive on;}\n")
    running.wait(lambda: running.cli(command).returncode == 3, f"{command} to exit with 3", every_s=0.2)
    assert "no_such_directive" in _says(running, 3, command)


def test_certs_renew(running: Daemon) -> None:
    assert "unknown.test" in _says(running, 1, "certs", "renew", "unknown.test")
    _says(running, 0, "certs", "renew", "a.test")


def test_certs_renew_without_a_daemon_says_so(alone: Daemon) -> None:
    assert "daemun up" in _says(alone, 1, "certs", "renew", "a.test")


# --- stop ---


def test_stop_ends_everything(running: Daemon) -> None:
    _says(running, 0, "stop")
    assert running.wait_exit() == 0
    assert running.nginx_processes() == []


def test_stop_without_a_daemon(alone: Daemon) -> None:
    _says(alone, 1, "stop")


def test_stop_can_end_a_gate_whose_daemon_is_gone(running: Daemon) -> None:
    """After `stop --keep-traffic` (or a crash) somebody must be able to end nginx."""
    _says(running, 0, "stop", "--keep-traffic")
    assert running.wait_exit() == 0
    assert running.sign("a.test") == "one"
    _says(running, 0, "stop")
    assert running.nginx_processes() == []


# --- JSON of what changes something ---


def test_json_of_commands_that_change_something(running: Daemon) -> None:
    """L5: one document each, and nothing else on standard output."""

    def answer(*words: str, code: int = 0) -> dict[str, typing.Any]:
        done = running.cli(*words, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        found: dict[str, typing.Any] = json.loads(done.stdout)
        return found

    with backend.running() as server:
        added = answer("add", "b.test", f"http://127.0.0.1:{server.port}")
    assert (added["ok"], added["running"], added["host"]) == (True, True, "b.test")
    assert added["site"]["host"] == "b.test"
    for words in ("disable b.test", "enable b.test", "rm b.test", "apply", "certs renew a.test"):
        assert answer(*words.split())["ok"]
    assert "b.test" in answer("rm", "b.test", code=1)["error"]
    assert "on_demand" in answer("domains", "add", "x.test", code=1)["error"]
    assert "/" in answer("trust", "--print")["certificate"]
    assert answer("stop")["nginx_serves"] is False


def test_up_says_in_json_why_it_does_not_start(alone: Daemon) -> None:
    """L5."""
    alone.write("sites: [\n")
    done = alone.cli("up", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]
    assert all(json.loads(line) for line in done.stderr.splitlines())


# --- the rest ---


def test_version_and_help(alone: Daemon) -> None:
    assert "0." in _says(alone, 0, "--version")
    said = _says(alone, 0, "--help")
    for command in COMMANDS:
        assert command in said


def test_the_environment_names_file_and_state_directory(running: Daemon) -> None:
    """DAEMUN_CONFIG and DAEMUN_STATE stand in for -c and --state."""
    running.environment |= {"DAEMUN_CONFIG": str(running.config), "DAEMUN_STATE": str(running.state)}
    bare = running.bare("status", "--json")
    assert bare.returncode == 0, bare.stderr
    assert json.loads(bare.stdout)["sites"][0]["host"] == "a.test"


def test_trust_tells_what_it_would_do(running: Daemon) -> None:
    """Installing the root is for the machine's owner; a test must not change what the machine trusts."""
    assert str(running.state / "ca.pem") in _says(running, 0, "trust", "--print")
