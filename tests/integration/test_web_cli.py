"""The real command line against a gate that the test controls, over the real control socket, and against none."""

import asyncio
import collections.abc
import dataclasses
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import pytest
from ruamel import yaml

import daemun
from daemun.control import gate_port
from daemun.core import model
from daemun.errors import ConfigError
from tests.support import fake_gate, forked

FILE = "sites:\n  a.test: http://127.0.0.1:9000\n"


@pytest.fixture
def folder() -> collections.abc.Iterator[pathlib.Path]:
    """Short enough for a socket's path."""
    with tempfile.TemporaryDirectory(prefix="dm-") as name:
        (pathlib.Path(name) / "daemun.yaml").write_text(FILE)
        yield pathlib.Path(name)


@pytest.fixture
def gate(folder: pathlib.Path) -> fake_gate.FakeGate:
    return fake_gate.FakeGate(config=folder / "daemun.yaml", state=folder / "s")


Run = collections.abc.Callable[..., collections.abc.Awaitable[fake_gate.Said]]


@pytest.fixture
def run(folder: pathlib.Path) -> Run:
    """`run("status", "--json")`: a command beside the file, on the gate's state directory."""

    async def run(*arguments: str, **environ: str) -> fake_gate.Said:
        return await fake_gate.command("--state", str(folder / "s"), *arguments, cwd=folder, environ=environ)

    return run


def _problem(message: str, *, host: str | None = None, line: int = 7) -> model.Problem:
    return model.Problem(origin=model.Origin(source="file", place=f"daemun.yaml:{line}"), message=message, host=host)


# --- status, sites, certs ---


async def test_status(gate: fake_gate.FakeGate, run: Run) -> None:
    async with fake_gate.serving(gate):
        said = await run("status")
        as_json = await run("status", "--json")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        f"daemun 1.2.3 (process {os.getpid()}): {gate.told.config_path}",
        "nginx 1.31.3 (process 4711): generation 4, 2 workers, 1 draining, 2 reloads",
        "1 of 1 site live",
        "HOST    STATE  CERTIFICATE              SERVERS  ROUTES",
        "a.test  live   local, until 2026-05-30           / -> http://127.0.0.1:9000",
    ]
    assert as_json.code == 0
    assert json.loads(as_json.out)["sites"][0]["state"] == "live"


async def test_status_of_old_workers(gate: fake_gate.FakeGate, run: Run) -> None:
    gate.old_workers = fake_gate.old_workers()
    async with fake_gate.serving(gate):
        said = await run("status")
    assert said.code == 3
    assert [*said.out.splitlines()[2:4], *said.out.splitlines()[5:8]] == [
        "old workers: 2 generations of 2, 50 MB of 512 MB, sockets: unknown",
        f"a change waits since 2026-03-01T12:00:00Z: {gate.old_workers.held}",
        "GENERATION  AGE   WORKERS  SOCKETS                 MEMORY",
        "2           2 h   2        40, drained (5 closed)  30 MB",
        "unknown     61 s  1        unknown                 at most 20 MB",
    ]


async def test_apply_waits_for_what_waits(gate: fake_gate.FakeGate, run: Run) -> None:
    held = fake_gate.old_workers()

    def rule(gate: fake_gate.FakeGate) -> gate_port.ApplyReport:
        if len(gate.applied) > 1:
            return gate_port.ApplyReport(ok=True, generation=5)
        # Once it was asked, the next look at the status finds nothing that waits any more.
        return gate_port.ApplyReport(ok=False, generation=4, waits=held.held)

    gate.on_apply = rule
    async with fake_gate.serving(gate):
        said = await run("apply")
    assert said.code == 0
    assert said.err == f"waiting: {held.held}\n"
    assert said.out == "live: generation 5, after a reload\n"
    assert len(gate.applied) == 2


async def test_status_of_what_is_not_live(gate: fake_gate.FakeGate, run: Run) -> None:
    pending = model.SiteStatus(
        site=fake_gate.proxy_site("b.test"), state=model.SiteState.PENDING, reason="a port is taken"
    )
    gate.tell(sites=(*gate.told.sites, pending), problems=(_problem("cannot listen"),))
    async with fake_gate.serving(gate):
        for command in ("status", "sites"):
            said = await run(command)
            assert said.code == 3
            assert "b.test is pending: a port is taken" in said.out
            assert "error: daemun.yaml:7: cannot listen" in said.out
            assert (await run(command, "--json")).code == 3
        gate.tell(nginx_pid=None, sites=(), problems=())
        said = await run("status")
    assert said.code == 3
    assert "nginx 1.31.3 is not running" in said.out
    assert "daemun add HOST TARGET" in said.out


async def test_a_warning_is_told_but_everything_is_live(gate: fake_gate.FakeGate, run: Run) -> None:
    warning = model.Problem(origin=model.NOWHERE, message="look \x1b[31mhere", severity=model.Severity.WARNING)
    gate.tell(problems=(warning,))
    async with fake_gate.serving(gate):
        said = await run("status")
    assert said.code == 0
    assert said.out.splitlines()[-1] == "warning: look \ufffd[31mhere"


async def test_containers(gate: fake_gate.FakeGate, run: Run) -> None:
    origin = model.Origin(source="docker", place="container chat-1")
    target = model.Target(scheme=model.Scheme.HTTP, pool="abc.daemun")
    route = model.Route(path="/", action=model.Proxy(targets=(target,)), origin=origin)
    site = model.Site(host="chat.test", aliases=("www.chat.test",), routes=(route,), origin=origin)
    gate.tell(
        sites=(fake_gate.live(site),),
        certificates=(),
        pools=(model.Pool(name="abc.daemun"),),
        containers=(model.ContainerStatus(name="chat-1", hosts=("chat.test",), is_served=False, why="is not running"),),
    )
    async with fake_gate.serving(gate):
        status = await run("status")
        sites = await run("sites")

    assert status.out.splitlines()[-4:] == [
        "HOST       STATE  CERTIFICATE  SERVERS  ROUTES",
        "chat.test  live   none                  / -> (no server now)",
        "CONTAINER  HOSTS      SERVED",
        "chat-1     chat.test  no",
    ]
    assert sites.out.splitlines()[1:] == [
        "chat.test      live   /     (no server now)       chat.test@docker (container chat-1)",
        "www.chat.test  live         (alias of chat.test)  chat.test@docker (container chat-1)",
    ]


async def test_a_site_of_containers_is_switched_off_over_them(
    gate: fake_gate.FakeGate, run: Run, folder: pathlib.Path
) -> None:
    origin = model.Origin(source="docker", place="container chat-1")
    target = model.Target(scheme=model.Scheme.HTTP, pool="abc.daemun")
    route = model.Route(path="/", action=model.Proxy(targets=(target,)), origin=origin)
    gate.tell(sites=(fake_gate.live(model.Site(host="chat.test", routes=(route,), origin=origin)),), certificates=())
    async with fake_gate.serving(gate):
        said = [await run(*words) for words in (("disable", "chat.test"), ("maintenance", "chat.test", "on"))]
    assert [one.code for one in said] == [0, 0], said
    text = (folder / "daemun.yaml").read_text()
    assert text == f"{FILE}  chat.test:\n    maintenance: true\n    enabled: false\n    from: docker\n"


async def test_a_route_is_added_over_those_of_containers(
    gate: fake_gate.FakeGate, run: Run, folder: pathlib.Path
) -> None:
    origin = model.Origin(source="docker", place="container chat-1")
    target = model.Target(scheme=model.Scheme.HTTP, pool="abc.daemun")
    route = model.Route(path="/", action=model.Proxy(targets=(target,)), origin=origin)
    gate.tell(sites=(fake_gate.live(model.Site(host="chat.test", routes=(route,), origin=origin)),), certificates=())
    async with fake_gate.serving(gate):
        said = [
            await run("add", "chat.test", "http://127.0.0.1:9000"),
            await run("add", "chat.test", "http://127.0.0.1:9001", "--path", "/api/"),
        ]
    assert [one.code for one in said] == [0, 0], said
    text = (folder / "daemun.yaml").read_text()
    assert yaml.YAML(typ="safe", pure=True).load(text)["sites"]["chat.test"] == {
        "from": "docker",
        "routes": {"/": "http://127.0.0.1:9000", "/api/": "http://127.0.0.1:9001"},
    }


async def test_sites(gate: fake_gate.FakeGate, run: Run) -> None:
    async with fake_gate.serving(gate):
        said = await run("sites")
        as_json = await run("sites", "--json")
    assert said.code == 0
    assert said.out.splitlines()[1].split() == ["a.test", "live", "/", "http://127.0.0.1:9000", "daemun.yaml:2:3"]
    assert json.loads(as_json.out)["sites"][0]["routes"][0]["to"] == ["http://127.0.0.1:9000"]


def _site(host: str, state: model.SiteState, **values: object) -> model.SiteStatus:
    return dataclasses.replace(fake_gate.live(fake_gate.proxy_site(host)), state=state, **values)  # type: ignore[arg-type]


async def test_a4_what_a_visitor_does_not_get(gate: fake_gate.FakeGate, run: Run) -> None:
    """A4, A5: state, cause and cure, a column for servers, the last error, and exit 3."""
    down = model.ServerLook(
        server="127.0.0.1:9000", at=fake_gate.NOON, trouble=model.Trouble.REFUSED, cause="it refuses", cure="start it"
    )
    error = model.UpstreamError(
        at=fake_gate.NOON, since=fake_gate.NOON, count=3, cause="its headers are too large", cure="less", words="sent"
    )
    shaken = model.HandshakeLook(listener="[::1]:443", name="a.test", at=fake_gate.NOON, cause="alert", cure="look")
    route = model.RouteLook(path="/", servers=(down,), last_error=error)
    gate.looks["a.test"] = model.SiteLook(routes=(route,), handshakes=(shaken,), shaken_at=fake_gate.NOON)
    gate.tell(sites=(_site("a.test", model.SiteState.UNREACHABLE, reason="it refuses", cure="start it"),))
    async with fake_gate.serving(gate):
        said = await run("status", "--probe")
        as_json = await run("status", "--json")
    assert (said.code, as_json.code) == (3, 3)
    assert gate.probed == [None]
    assert "a.test is unreachable: it refuses; start it" in said.out
    assert "0 of 1 answer" in said.out
    (site,) = json.loads(as_json.out)["sites"]
    assert (site["state"], site["reason"], site["cure"]) == ("unreachable", "it refuses", "start it")
    assert [(one["server"], one["state"], one["cause"]) for one in site["routes"][0]["servers"]] == [
        ("127.0.0.1:9000", "refused", "it refuses")
    ]
    assert site["routes"][0]["last_error"] == {
        "at": "2026-03-01T12:00:00Z",
        "count": 3,
        "cause": "its headers are too large",
        "cure": "less",
        "nginx": "sent",
    }
    assert site["handshakes"][0]["listener"] == "[::1]:443"


async def test_k8_l3_a_hundred_sites_are_counted_and_chosen_from(gate: fake_gate.FakeGate, run: Run) -> None:
    """K8: the same words everywhere. L3: a sum, and a filter by name and by state."""
    live = [_site(f"s{number}.test", model.SiteState.LIVE) for number in range(97)]
    bad = _site("bad.test", model.SiteState.UNREACHABLE, reason="it refuses", cure="start it")
    off = _site("off.test", model.SiteState.DISABLED)
    gate.tell(sites=(*live, bad, off))
    async with fake_gate.serving(gate):
        every, one, some, none = (
            await run("status"),
            await run("status", "s1.test"),
            await run("status", "--only", "not-live"),
            await run("status", "nobody.test"),
        )
        sites = await run("sites", "s1*.test", "bad.test", "--only", "unreachable", "--json")
    assert every.code == 3
    lines = every.out.splitlines()
    assert [line for line in lines if "sites live" in line] == ["97 of 98 sites live, 1 unreachable, 1 disabled"] * 2
    assert lines[-1] == "97 of 98 sites live, 1 unreachable, 1 disabled"
    assert (one.code, "1 of 1 site live" in one.out, "bad.test" in one.out) == (0, True, False)
    assert (some.code, "bad.test" in some.out, "s1.test" in some.out) == (3, True, False)
    assert (none.code, 'no site or stream has the name "nobody.test"' in none.err) == (1, True)
    assert [site["host"] for site in json.loads(sites.out)["sites"]] == ["bad.test"]


async def test_certs(gate: fake_gate.FakeGate, run: Run) -> None:
    async with fake_gate.serving(gate):
        good = await run("certs")
        failing = fake_gate.certificate("b.test", model.CertificateState.FAILING, reason="the CA said no")
        gate.tell(certificates=(*gate.told.certificates, failing))
        bad = await run("certs", "list")
        as_json = await run("certs", "--json")
        assert (await run("certs", "renew", "A.test")).code == 0
        unknown = await run("certs", "renew", "x.test")
    assert good.code == 0
    assert "daemun local CA" in good.out
    assert bad.code == as_json.code == 3
    assert "the CA said no; next try 2026-03-01T12:10:00Z" in bad.out
    assert [item["state"] for item in json.loads(as_json.out)["certificates"]] == ["local", "failing"]
    assert [item["kind"] for item in json.loads(as_json.out)["certificates"]] == ["local", "local"]
    assert gate.renewed == ["a.test", "x.test"]
    assert unknown.code == 1
    assert "x.test" in unknown.err


async def test_one_certificate(gate: fake_gate.FakeGate, run: Run) -> None:
    failing = fake_gate.certificate("b.test", model.CertificateState.FAILING, reason="the CA said no")
    both = dataclasses.replace(failing, names=("b.test", "www.b.test"))
    gate.tell(certificates=(*gate.told.certificates, both))
    async with fake_gate.serving(gate):
        by_alias = await run("certs", "show", "WWW.b.test")
        as_json = await run("certs", "show", "a.test", "--json")
        unknown = await run("certs", "show", "x.test")
    assert by_alias.code == 3
    assert [line.split("  ", 1)[0] for line in by_alias.out.splitlines()][:3] == ["host", "names", "state"]
    assert "b.test, www.b.test" in by_alias.out
    assert "2026-05-30 12:00 UTC" in by_alias.out
    assert "the CA said no" in by_alias.out
    assert [item["host"] for item in json.loads(as_json.out)["certificates"]] == ["a.test"]
    assert (unknown.code, as_json.code) == (1, 0)
    assert 'cannot show the certificate of "x.test"' in unknown.err


async def test_forecast(gate: fake_gate.FakeGate, run: Run) -> None:
    own = dataclasses.replace(fake_gate.certificate("own.test"), kind=model.CertificateKind.OWN, renew_at=None)
    gate.tell(certificates=(*gate.told.certificates, own))
    async with fake_gate.serving(gate):
        said = await run("certs", "forecast", "--days", "3650")
        as_json = json.loads((await run("certs", "forecast", "--days", "3650", "--json")).out)
        wrong = await run("certs", "forecast", "--days", "0")
    assert said.code == 0
    assert "a.test" in said.out
    *_, last = said.out.splitlines()
    assert last.split()[:2] == ["2026-05-30", "12:00"]
    assert last.split()[-1] == "own.test"
    assert {entry["host"] for entry in as_json["entries"]} == {"a.test"}
    assert [entry["host"] for entry in as_json["unrenewed"]] == ["own.test"]
    assert wrong.code == 2


async def test_alerts_test(gate: fake_gate.FakeGate, run: Run) -> None:
    async with fake_gate.serving(gate):
        nobody = await run("alerts", "test")
        gate.told_alerts = (
            model.SentAlert(target="webhook at hooks.test"),
            model.SentAlert(target="mail to me@x.test", remark="you@x.test is refused: 550 no"),
        )
        good = await run("alerts", "test")
        gate.told_alerts += (model.SentAlert(target="ntfy at ntfy.test", error="connection refused; start it"),)
        bad = await run("alerts", "test")
        as_json = await run("alerts", "test", "--json")
    assert (nobody.code, good.code, bad.code, as_json.code) == (1, 0, 1, 1)
    assert "cannot send a test: the file" in nobody.err
    assert good.out.splitlines() == [
        "webhook at hooks.test: taken",
        "mail to me@x.test: you@x.test is refused: 550 no",
    ]
    assert bad.out.splitlines()[-1] == "ntfy at ntfy.test: not taken: connection refused; start it"
    assert json.loads(as_json.out)["results"][2]["error"] == "connection refused; start it"


async def test_certificates_on_a_terminal(gate: fake_gate.FakeGate, folder: pathlib.Path) -> None:
    """Long reasons are wrapped beneath the line, not squeezed into a cell."""
    reason = "the CA said no, " * 10
    gate.tell(certificates=(fake_gate.certificate("b.test", model.CertificateState.FAILING, reason=reason),))
    async with fake_gate.serving(gate):
        shown = await asyncio.to_thread(_on_a_terminal, folder, {"COLUMNS": "80", "NO_COLOR": "1"}, "certs")
    lines = shown.replace("\r", "").splitlines()
    assert max(len(line) for line in lines) <= 80
    assert lines[0].split() == ["HOST", "STATE", "LEFT", "NEXT", "ISSUER"]
    assert lines[2].startswith("  the CA said no, the CA said no")
    assert len(lines) == 5


async def test_colours_and_a_table_only_for_a_terminal(gate: fake_gate.FakeGate, folder: pathlib.Path) -> None:
    async with fake_gate.serving(gate):
        shown = await asyncio.to_thread(_on_a_terminal, folder, {})
        plain = await asyncio.to_thread(_on_a_terminal, folder, {"NO_COLOR": "1"})
    assert "\x1b[32m" in shown
    assert "\x1b[3" not in plain
    assert "/ -> http://127.0.0.1:9000" in plain


def _on_a_terminal(folder: pathlib.Path, environ: dict[str, str], command: str = "status") -> str:
    """What a command writes to a pseudo terminal."""
    main, terminal = os.openpty()
    process = forked.Popen(
        [sys.executable, "-m", "daemun", "--state", str(folder / "s"), command],
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
        cwd=folder,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **environ},
    )
    os.close(terminal)
    said = b""
    try:
        while chunk := os.read(main, 4096):
            said += chunk
    except OSError:  # EIO is how Linux tells that the other side is closed
        pass
    finally:
        os.close(main)
        process.wait(30)
    return said.decode()


# --- plan, apply, stop ---


async def test_plan(gate: fake_gate.FakeGate, run: Run) -> None:
    async with fake_gate.serving(gate):
        assert (await run("plan")).out == "nothing to do: everything is live as it is written\n"
        change = gate_port.SiteChange(host="b.test", kind=gate_port.ChangeKind.ADDED)
        gate.plan_report = gate_port.PlanReport(changes=(change,), reload=True, steps=("reload nginx",))
        said = await run("plan")
        assert (said.code, said.out, said.err) == (0, "+ b.test\n  1. reload nginx\n", "")
        assert json.loads((await run("plan", "--json")).out)["reload"] is True
        gate.plan_report = gate_port.PlanReport(problems=(_problem("bad"),))
        said = await run("plan")
    assert said.code == 1
    assert "error: daemun.yaml:7: bad" in said.out
    assert gate.applied == []


async def test_apply(gate: fake_gate.FakeGate, run: Run) -> None:
    async with fake_gate.serving(gate):
        said = await run("apply")
        assert (said.code, said.out) == (0, "live: generation 4, nginx was not touched\n")
        since = datetime.datetime(2026, 11, 30, 4, 5, 6, tzinfo=datetime.UTC)
        gate.on_apply = lambda _: gate_port.ApplyReport(ok=True, generation=4, live_since=since)
        said = await run("apply")
        assert said.out == "live: generation 4, as it was already, since 2026-11-30T04:05:06Z\n"
        gate.on_apply = lambda _: gate_port.ApplyReport(
            ok=False, generation=4, problems=(_problem("a port is taken"),), error="a port is taken"
        )
        said = await run("apply")
        assert said.code == 1
        assert said.out.count("a port is taken") == 1
        as_json = await run("apply", "--json")
    assert as_json.code == 1
    assert json.loads(as_json.out)["error"] == "a port is taken"
    assert len(gate.applied) == 4


async def test_another_file_than_the_daemon_s(gate: fake_gate.FakeGate, run: Run, folder: pathlib.Path) -> None:
    """Nothing is said to be applied that the daemon does not even read."""
    (folder / "other.yaml").write_text(FILE)
    async with fake_gate.serving(gate):
        for command in (("apply",), ("add", "b.test", "http://127.0.0.1:1")):
            said = await run("-c", "other.yaml", *command)
            assert said.code == 1
            assert "other.yaml" in said.err
            assert gate.told.config_path in said.err
        assert (await run("-c", str(folder / "." / "daemun.yaml"), "apply")).code == 0
        assert (folder / "other.yaml").read_text() == FILE


async def test_stop_waits_until_the_daemon_is_gone(gate: fake_gate.FakeGate, run: Run) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as daemon:
        gate.tell(pid=daemon.pid)
        async with fake_gate.serving(gate):
            stopping = asyncio.create_task(_run(run, "stop", "--keep-traffic"))
            async with asyncio.timeout(30):
                while not gate.stops:
                    await asyncio.sleep(0.01)
            assert not stopping.done()
            assert daemon.stdin is not None
            daemon.stdin.close()
            said = await stopping
    assert (said.code, said.out) == (0, "stopped; nginx goes on serving\n")
    assert gate.stops == [True]


async def _run(run: Run, *arguments: str) -> fake_gate.Said:
    return await run(*arguments)


# --- no daemon, or one that cannot be reached ---


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("status",), 3),
        (("sites",), 3),
        (("certs",), 3),
        (("certs", "renew", "a.test"), 1),
        (("apply",), 1),
        (("stop",), 1),
        (("stop", "--keep-traffic"), 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_without_a_daemon(run: Run, folder: pathlib.Path, arguments: tuple[str, ...], code: int) -> None:
    said = await run(*arguments)
    assert said.code == code
    assert said.err == (
        f"error: daemun is not running (no answer at {folder}/s/run/control.sock); "
        f"start it with: daemun up -c {folder}/daemun.yaml --state {folder}/s\n"
    )
    assert not (folder / "s").exists()


async def test_a_daemon_that_fails_to_answer(gate: fake_gate.FakeGate, run: Run) -> None:
    async with fake_gate.serving(gate):
        gate.failure = ConfigError("cannot say")
        said = await run("status")
        assert (said.code, said.err) == (1, "error: cannot say\n")
        gate.failure = RuntimeError("secret")
        said = await run("status")
    assert said.code == 1
    assert "defect in daemun" in said.err
    assert "secret" not in said.err


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"220 mail.example.com\r\n", "another program"),
        (b"\x00\xff hello\r\n", "another program"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<p>hi", "another program"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "another program"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "another program"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull", "another program"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + b"[" * 60000, "another program"),
        (b"", "it may just be ending"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "it may just be ending"),
    ],
)
async def test_something_else_on_the_socket(run: Run, folder: pathlib.Path, sent: bytes, words: str) -> None:
    (folder / "s" / "run").mkdir(parents=True)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        writer.close()

    async with await asyncio.start_unix_server(answer, folder / "s" / "run" / "control.sock"):
        said = await run("status")
    assert said.code == 1
    assert "cannot talk to the daemon at" in said.err
    assert words in said.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_another_user_s_daemon(gate: fake_gate.FakeGate, folder: pathlib.Path) -> None:
    folder.chmod(0o755)
    async with fake_gate.serving(gate):
        done = await asyncio.to_thread(_as_nobody, folder)
    assert done.returncode == 1, done
    assert 'permission denied, it belongs to the user "root"' in done.stderr
    assert "use sudo" in done.stderr


def _as_nobody(folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """The client alone, imported before the rights are dropped: nobody may not enter where daemun is installed."""
    program = (
        "import os, pathlib, sys\n"
        "from daemun import errors, settings\n"
        "from daemun.cli import control_client\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "chosen = settings.Settings(config=pathlib.Path('/c'), state=pathlib.Path(sys.argv[1]))\n"
        "try:\n"
        "    control_client.ControlClient(chosen).status()\n"
        "except errors.DaemunError as error:\n"
        "    sys.exit(str(error))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program, str(folder / "s")], capture_output=True, text=True, timeout=60, check=False
    )


# --- the command line itself ---


async def test_a_file_that_is_nowhere(run: Run, folder: pathlib.Path) -> None:
    (folder / "daemun.yaml").unlink()
    for command in ("check", "plan", "render", "up"):
        said = await run(command)
        assert said.code == 1, command
        assert "cannot find a configuration" in said.err
        assert "daemun add HOST TARGET" in said.err
        named = await run("-c", "no.yaml", command) if command != "up" else said
        assert named.code == 1


async def test_options_stand_before_the_command_or_after_it(gate: fake_gate.FakeGate, folder: pathlib.Path) -> None:
    state = str(folder / "s")
    async with fake_gate.serving(gate):
        for arguments in (
            ("--state", state, "status"),
            ("status", "--state", state),
            ("--state", "/nowhere", "status", "--state", state),
            ("certs", "--state", state, "renew", "a.test"),
        ):
            assert (await fake_gate.command(*arguments, cwd=folder)).code == 0, arguments
        assert (await fake_gate.command("status", cwd=folder, environ={"DAEMUN_STATE": state})).code == 0


async def test_usage(folder: pathlib.Path) -> None:
    wrong = await fake_gate.command("statsu", cwd=folder)
    assert wrong.code == 2
    assert "status" in wrong.err
    said = await fake_gate.command("--version", cwd=folder)
    assert said.code == 0
    assert said.out.startswith("daemun 0.")
    assert (await fake_gate.command("status", "--state", "/" + "x" * 200, cwd=folder)).code == 1


async def test_a_defect_is_one_line_and_a_trace_that_is_kept(folder: pathlib.Path) -> None:
    """Broken on purpose: a working directory that is gone is nothing any command expects."""
    program = (
        "import sys\n"
        "from daemun import cli\n"
        "from daemun.cli import control_client\n"
        "control_client.ControlClient.status = lambda self: 1 / 0\n"
        "sys.argv = ['daemun', 'status']\n"
        "cli.main()\n"
    )

    async def run(**environ: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            program,
            env={**os.environ, "TMPDIR": str(folder), **environ},
            stderr=asyncio.subprocess.PIPE,
        )
        _, err = await process.communicate()
        return process.returncode, err.decode()

    code, err = await run()
    assert code == 70
    assert err.startswith("error: this is a defect in daemun: ZeroDivisionError: division by zero; please report it ")
    assert "Traceback" not in err
    (trace,) = folder.glob("daemun-defect-*.txt")
    assert str(trace) in err
    assert "ZeroDivisionError" in trace.read_text()
    code, err = await run(DAEMUN_DEBUG="1")
    assert code == 70
    assert "Traceback" in err


async def test_a_reader_that_goes_away(gate: fake_gate.FakeGate, folder: pathlib.Path) -> None:
    async with fake_gate.serving(gate):
        process = await asyncio.create_subprocess_shell(
            f"{sys.executable} -m daemun --state {folder}/s status | true",
            cwd=folder,
            stderr=asyncio.subprocess.PIPE,
        )
        _, err = await process.communicate()
    assert err == b""


# --- add, rm, enable, disable ---


def _obey(gate: fake_gate.FakeGate) -> gate_port.ApplyReport:
    """Whatever host the file names is live from now on."""
    text = pathlib.Path(gate.told.config_path).read_text()
    names = [line.split(":")[0].strip() for line in text.splitlines() if ".test" in line]
    gate.tell(sites=tuple(fake_gate.live(fake_gate.proxy_site(name)) for name in names), generation=5)
    return gate_port.ApplyReport(ok=True, generation=5, reloaded=True)


def _refuse(gate: fake_gate.FakeGate) -> gate_port.ApplyReport:
    """b.test is quarantined while the file names it; everything else is live. An older problem stays all the time."""
    _obey(gate)
    old = _problem("old trouble", line=99)
    if "b.test" not in pathlib.Path(gate.told.config_path).read_text():
        gate.tell(problems=(old,))
        return gate_port.ApplyReport(ok=False, generation=6, problems=(old,))
    problems = (old, _problem("nginx said no", host="b.test"))
    gate.tell(problems=problems)
    return gate_port.ApplyReport(ok=False, generation=5, problems=problems)


async def test_add_and_rm(gate: fake_gate.FakeGate, run: Run, folder: pathlib.Path) -> None:
    file = folder / "daemun.yaml"
    gate.on_apply = _obey
    async with fake_gate.serving(gate):
        said = await run("add", "b.test", "http://127.0.0.1:9001")
        assert (said.code, said.out) == (0, f"live, and saved in {file}\n")
        assert "b.test: http://127.0.0.1:9001" in file.read_text()
        assert gate.applied == [file.read_bytes()], "applied after the file was written"
        said = await run("rm", "b.test")
        assert (said.code, said.out) == (0, f"gone, and saved in {file}\n"), "K9"
        assert file.read_text() == FILE


async def test_what_holds_after_an_edit_is_said(gate: fake_gate.FakeGate, run: Run, folder: pathlib.Path) -> None:
    """K9: what was switched off is not live."""
    file = folder / "daemun.yaml"
    gate.on_apply = _obey
    async with fake_gate.serving(gate):
        assert (await run("disable", "a.test")).out == f"switched off, and saved in {file}\n"
        assert (await run("enable", "a.test")).out == f"live, and saved in {file}\n"


async def test_all_commands_speak_of_the_daemon_s_file(
    gate: fake_gate.FakeGate, run: Run, folder: pathlib.Path
) -> None:
    """K7: without -c, `check` and `render` read what the running daemon does."""
    (folder / "etc").mkdir()
    file = folder / "etc" / "daemun.yaml"
    file.write_text("sites:\n  other.test: http://127.0.0.1:9001\n")
    gate.tell(config_path=str(file))
    async with fake_gate.serving(gate):
        checked = await run("check")
        rendered = await run("render")
        named = await run("-c", str(folder / "daemun.yaml"), "check")
    assert checked.out == f"{file}: good\n"
    assert "other.test" in rendered.out
    assert named.out == f"{folder / 'daemun.yaml'}: good\n"


async def test_an_edit_that_does_not_go_live_is_undone(
    gate: fake_gate.FakeGate, run: Run, folder: pathlib.Path
) -> None:
    file = folder / "daemun.yaml"
    gate.on_apply = _refuse
    gate.tell(problems=(_problem("old trouble"),))
    async with fake_gate.serving(gate):
        said = await run("add", "b.test", "http://127.0.0.1:9001")
        assert said.code == 1
        assert said.out == ""
        assert said.err == f"error: daemun.yaml:7: nginx said no\n{file} is as it was before\n"
        assert file.read_text() == FILE
        assert b"b.test" in gate.applied[0]
        assert gate.applied[1] == FILE.encode(), "what was live before is applied again"
        good = await run("add", "c.test", "http://127.0.0.1:9001")
        assert good.code == 0, "trouble that was there before is not this edit's"


async def test_an_edit_while_the_apply_fails_as_a_whole(
    gate: fake_gate.FakeGate, run: Run, folder: pathlib.Path
) -> None:
    gate.on_apply = lambda _: gate_port.ApplyReport(ok=False, generation=4, error="the disk is full")
    async with fake_gate.serving(gate):
        said = await run("disable", "a.test")
    assert said.code == 1
    assert "the disk is full" in said.err
    assert (folder / "daemun.yaml").read_text() == FILE


async def test_an_edit_that_meets_another_edit_does_not_undo_that_one(
    gate: fake_gate.FakeGate, run: Run, folder: pathlib.Path
) -> None:
    file = folder / "daemun.yaml"

    def meddle(_: fake_gate.FakeGate) -> gate_port.ApplyReport:
        file.write_text(FILE + "  # by somebody else\n")
        return gate_port.ApplyReport(ok=False, generation=4, error="no")

    gate.on_apply = meddle
    async with fake_gate.serving(gate):
        said = await run("disable", "a.test")
    assert said.code == 1
    assert "somebody else changed it meanwhile" in said.err
    assert "no" in said.err
    assert file.read_text() == FILE + "  # by somebody else\n"


async def test_edits_change_the_daemon_s_file_unless_another_is_named(
    gate: fake_gate.FakeGate, run: Run, folder: pathlib.Path
) -> None:
    (folder / "etc").mkdir()
    file = folder / "etc" / "daemun.yaml"
    file.write_text(FILE)
    gate.tell(config_path=str(file))
    gate.on_apply = _obey
    async with fake_gate.serving(gate):
        assert (await run("add", "b.test", "http://127.0.0.1:9001")).code == 0
    assert "b.test" in file.read_text()
    assert (folder / "daemun.yaml").read_text() == FILE


# --- doctor ---


async def test_doctor(gate: fake_gate.FakeGate, run: Run) -> None:
    good = model.Finding(topic="dns", weight=model.Weight.GOOD, message="resolves to 192.0.2.1", host="a.test")
    bad = model.Finding(topic="caa", weight=model.Weight.BLOCKS, message="no CA may", cure="add \x1b it", host="a.test")
    async with fake_gate.serving(gate):
        gate.findings = (good,)
        well = await run("doctor", "A.test")
        gate.findings = (good, bad)
        ill = await run("doctor", "a.test")
        as_json = await run("doctor", "a.test", "--json")
        in_ascii = await run("doctor", "a.test", PYTHONIOENCODING="ascii")
    assert (well.code, well.out) == (0, "a.test\n  ✓ resolves to 192.0.2.1\nall is well\n")
    assert ill.code == as_json.code == 1
    assert ill.out.splitlines()[2:] == ["  ✗ no CA may", "      add \ufffd it", "1 problem"]
    assert in_ascii.out.splitlines()[1] == "  ok resolves to 192.0.2.1"
    assert json.loads(as_json.out) == {
        "ok": False,
        "running": True,
        "findings": [
            {"topic": "dns", "weight": "good", "host": "a.test", "message": "resolves to 192.0.2.1", "cure": None},
            {"topic": "caa", "weight": "blocks", "host": "a.test", "message": "no CA may", "cure": "add \x1b it"},
        ],
    }
    assert gate.diagnosed == ["a.test"] * 4


# --- small commands ---


@pytest.mark.parametrize("arguments", [("version",), ("-V",), ("--version",)])
async def test_the_version(run: Run, arguments: tuple[str, ...]) -> None:
    """L6."""
    said = await run(*arguments)
    assert (said.code, said.out) == (0, f"daemun {daemun.__version__}\n")


async def test_logs(run: Run, folder: pathlib.Path) -> None:
    """L6: also without a daemon, and what is not there is told with what makes it."""
    missing = await run("logs")
    assert missing.code == 1
    assert "there is none yet" in missing.err
    (folder / "s" / "logs").mkdir(parents=True)
    (folder / "s" / "logs" / "access.log").write_text("".join(f"line {number}\n" for number in range(50)))
    (folder / "s" / "logs" / "error.log").write_text("upstream sent too big header\n")
    assert (await run("logs", "-n", "2")).out == "line 48\nline 49\n"
    assert (await run("logs", "--grep", "7", "-n", "2")).out == "line 37\nline 47\n"
    assert (await run("logs", "--errors")).out == "upstream sent too big header\n"


async def test_logs_that_come_are_shown_across_a_rotation(folder: pathlib.Path) -> None:
    """L6."""
    log = folder / "s" / "logs" / "access.log"
    log.parent.mkdir(parents=True)
    log.write_text("old\n")
    command = [sys.executable, "-m", "daemun", "--state", str(folder / "s"), "logs", "-f"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=folder)
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"old\n"
        with log.open("a") as file:
            file.write("new\n")
        assert await process.stdout.readline() == b"new\n"
        log.rename(log.with_suffix(".1"))
        log.write_text("after\n")
        assert await process.stdout.readline() == b"after\n"
    process.terminate()
    await process.wait()


async def test_host_names_are_completed(gate: fake_gate.FakeGate, folder: pathlib.Path) -> None:
    """L6: with those of the running daemon, and with none when there is none."""
    words = f"daemun --state {folder / 's'} rm a"
    environ = {**os.environ, "_DAEMUN_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "4"}
    command = [sys.executable, "-m", "daemun"]

    async def complete() -> bytes:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, env=environ, cwd=folder
        )
        return (await process.communicate())[0].strip()

    assert await complete() == b""
    async with fake_gate.serving(gate):
        assert await complete() == b"a.test"
