"""The API on its control socket: real uvicorn, a real client, a gate that the test controls."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import os
import pathlib
import socket
import stat
import tempfile
import typing

import httpx
import pytest

from daemun.control import gate_port
from daemun.core import model, render_environment
from daemun.core.options import catalogue, status_option
from daemun.errors import ConfigError, EnvironmentProblemError
from daemun.web import api, socket_server
from tests.support import fake_gate


@pytest.fixture
def folder() -> collections.abc.Iterator[pathlib.Path]:
    """Short enough for a socket's path."""
    with tempfile.TemporaryDirectory(prefix="dm-") as name:
        yield pathlib.Path(name)


@pytest.fixture
def gate(folder: pathlib.Path) -> fake_gate.FakeGate:
    return fake_gate.FakeGate(config=folder / "daemun.yaml", state=folder / "s")


@contextlib.asynccontextmanager
async def _client(gate: fake_gate.FakeGate) -> collections.abc.AsyncIterator[httpx.AsyncClient]:
    async with (
        fake_gate.serving(gate) as path,
        httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(path)), base_url="http://daemun", timeout=60
        ) as client,
    ):
        yield client


Json = dict[str, typing.Any]

NOT_LOOKED_AT: Json = {"entry": None, "when": None, "app": None, "servers": [], "judges": [], "last_error": None}
NOT_SHAKEN: Json = {"handshakes": [], "handshake_at": None, "cure": None, "since": None}


async def test_status_has_the_shape_of_the_contract(gate: fake_gate.FakeGate) -> None:
    nine = {"origin": "daemun.yaml:9:3", **NOT_LOOKED_AT}
    origin = model.Origin(source="file", place="daemun.yaml:9:3")
    redirect = model.Site(
        host="b.test",
        aliases=("www.b.test",),
        tls=model.Tls(mode=model.TlsMode.OFF),
        http=model.HttpMode.SERVE,
        routes=(
            model.Route(
                path="/",
                action=model.Redirect(to="https://a.test/", options=catalogue.values(status_option.OPTION.set(302))),
                origin=origin,
            ),
            model.Route(path="/assets/", action=model.Files(folder="/srv/assets"), origin=origin),
        ),
        origin=origin,
    )
    refused = model.SiteStatus(site=redirect, state=model.SiteState.QUARANTINED, reason="nginx said no")
    failing = fake_gate.certificate("a.test", model.CertificateState.FAILING, reason="the CA said no")
    gate.tell(
        sites=(*gate.told.sites, refused),
        certificates=(failing,),
        problems=(model.Problem(origin=origin, message="cannot", host="b.test"),),
    )
    async with _client(gate) as client:
        answer = await client.get("/status")
    assert answer.status_code == 200
    assert answer.json() == {
        "version": "1.2.3",
        "pid": os.getpid(),
        "started_at": "2026-03-01T12:00:00Z",
        "config": gate.told.config_path,
        "state_dir": gate.told.state_dir,
        "generation": 4,
        "nginx": {
            "version": "1.31.3",
            "path": "/usr/sbin/nginx",
            "successor": None,
            "pid": 4711,
            "answers": True,
            "reloads": 2,
            "workers": 2,
            "draining_workers": 1,
            "old_generations": [],
            "old_workers": {
                "generations": 0,
                "workers": 0,
                "sockets": 0,
                "memory_bytes": 0,
                "most_generations": 8,
                "most_memory_bytes": 512 << 20,
            },
        },
        "waiting_change": None,
        "applying_since": None,
        "sites": [
            {
                "host": "a.test",
                "name": "a.test@file",
                "aliases": [],
                "origin": "daemun.yaml:2:3",
                "source": "file",
                "over": None,
                "enabled": True,
                "maintenance": False,
                "state": "live",
                "reason": None,
                "tls": "auto",
                "http": "redirect",
                "app": None,
                "certificate": {
                    "name": "a.test",
                    "host": "a.test",
                    "names": ["a.test"],
                    "state": "failing",
                    "kind": "local",
                    "issuer": "daemun local CA",
                    "not_before": "2026-03-01T12:00:00Z",
                    "not_after": "2026-05-30T12:00:00Z",
                    "renew_at": "2026-04-30T12:00:00Z",
                    "reason": "the CA said no",
                    "next_attempt": "2026-03-01T12:10:00Z",
                    "authority": None,
                    "failures": 0,
                    "last_error": None,
                    "failing_since": None,
                    "tries": [],
                    "held_until": None,
                    "others": [],
                    "fingerprint": None,
                    "key_type": None,
                },
                "routes": [
                    {
                        "path": "/",
                        "kind": "proxy",
                        "to": ["http://127.0.0.1:9000"],
                        "origin": "daemun.yaml:2:3",
                        **NOT_LOOKED_AT,
                    }
                ],
                **NOT_SHAKEN,
            },
            {
                "host": "b.test",
                "name": "b.test@file",
                "aliases": ["www.b.test"],
                "origin": "daemun.yaml:9:3",
                "source": "file",
                "over": None,
                "enabled": True,
                "maintenance": False,
                "state": "quarantined",
                "reason": "nginx said no",
                "tls": "off",
                "http": "serve",
                "app": None,
                "certificate": None,
                "routes": [
                    {"path": "/", "kind": "redirect", "to": ["https://a.test/"], **nine},
                    {"path": "/assets/", "kind": "files", "to": ["/srv/assets"], **nine},
                ],
                **NOT_SHAKEN,
            },
        ],
        "bans": 0,
        "requests": {"waiting": 0, "waited": 0},
        "fleet": None,
        "streams": [],
        "containers": [],
        "engines": [],
        "problems": [{"severity": "error", "origin": "daemun.yaml:9:3", "message": "cannot", "host": "b.test"}],
    }


async def test_containers_and_where_their_sites_go_now(gate: fake_gate.FakeGate) -> None:
    origin = model.Origin(source="docker", place="container chat-1")
    target = model.Target(scheme=model.Scheme.HTTP, pool="abc.daemun", path="/")
    route = model.Route(path="/ws/", action=model.Proxy(targets=(target,)), origin=origin)
    site = model.Site(host="chat.test", routes=(route,), origin=origin)
    ends = (model.Endpoint(address="10.0.0.2", port=7777), model.Endpoint(address="fd00::2", port=80))
    gate.tell(
        sites=(fake_gate.live(site),),
        pools=(model.Pool(name="abc.daemun", endpoints=ends),),
        containers=(
            model.ContainerStatus(name="chat-1", hosts=("chat.test",), state="running", health="healthy", restarts=3),
            model.ContainerStatus(name="bad", is_served=False, why="is not running", cure="start it"),
        ),
    )

    async with _client(gate) as client:
        told = (await client.get("/status")).json()

    assert told["sites"][0]["name"] == "chat.test@docker"
    assert told["sites"][0]["routes"][0]["to"] == ["http://10.0.0.2:7777/", "http://[fd00::2]/"]
    assert told["containers"] == [
        {
            "name": "chat-1",
            "hosts": ["chat.test"],
            "streams": [],
            "served": True,
            "lamp": "good",
            "why": None,
            "cure": None,
            "app": None,
            "state": "running",
            "health": "healthy",
            "restarts": 3,
            "engine": None,
        },
        {
            "name": "bad",
            "hosts": [],
            "streams": [],
            "served": False,
            "lamp": "bad",
            "why": "is not running",
            "cure": "start it",
            "app": None,
            "state": None,
            "health": None,
            "restarts": 0,
            "engine": None,
        },
    ]


async def test_old_workers(gate: fake_gate.FakeGate) -> None:
    gate.old_workers = fake_gate.old_workers()
    async with _client(gate) as client:
        told = (await client.get("/status")).json()
        gate.on_apply = lambda _: gate_port.ApplyReport(ok=False, generation=4, waits=gate.old_workers.held)
        applied = await client.post("/apply")
    assert told["nginx"]["old_generations"] == [
        {
            "number": 2,
            "age_s": 7200,
            "workers": 2,
            "pids": [21, 22],
            "sockets": 40,
            "memory_bytes": 30 << 20,
            "memory": "shared",
            "drained": True,
            "sockets_closed": 5,
        },
        {
            "number": None,
            "age_s": 61,
            "workers": 1,
            "pids": [31],
            "sockets": None,
            "memory_bytes": 20 << 20,
            "memory": "anonymous",
            "drained": False,
            "sockets_closed": 0,
        },
    ]
    assert told["nginx"]["old_workers"] == {
        "generations": 2,
        "workers": 3,
        "sockets": None,
        "memory_bytes": 50 << 20,
        "most_generations": 2,
        "most_memory_bytes": 512 << 20,
    }
    assert told["waiting_change"] == {
        "since": "2026-03-01T12:00:00Z",
        "drains_at": "2026-03-01T12:01:00Z",
        "until": "2026-03-01T12:05:00Z",
        "reason": str(gate.old_workers.held),
    }
    assert applied.status_code == 202
    assert applied.json()["waits"] == told["waiting_change"]


async def test_plan_and_apply(gate: fake_gate.FakeGate) -> None:
    change = gate_port.SiteChange(host="b.test", kind=gate_port.ChangeKind.ADDED)
    warning = model.Problem(origin=model.NOWHERE, message="look", severity=model.Severity.WARNING)
    gate.plan_report = gate_port.PlanReport(
        changes=(change,), reload=True, steps=("reload nginx",), problems=(warning,)
    )
    gate.on_apply = lambda _: gate_port.ApplyReport(ok=True, generation=5, reloaded=True, changes=(change,))
    told = {"severity": "warning", "origin": "default", "message": "look", "host": None}
    changes = [{"host": "b.test", "kind": "added"}]
    async with _client(gate) as client:
        assert (await client.get("/plan")).json() == {
            "changes": changes,
            "streams": [],
            "reload": True,
            "steps": ["reload nginx"],
            "problems": [told],
        }
        assert gate.applied == []
        applied = await client.post("/apply")
        assert applied.status_code == 200
        assert applied.json() == {
            "ok": True,
            "generation": 5,
            "reloaded": True,
            "live_since": None,
            "changes": changes,
            "streams": [],
            "problems": [],
            "error": None,
            "waits": None,
            "unread": [],
        }
        gate.on_apply = lambda _: gate_port.ApplyReport(ok=False, generation=5, error="a port is taken")
        refused = await client.post("/apply")
        assert refused.status_code == 422
        assert refused.json()["ok"] is False
        assert refused.json()["error"] == "a port is taken"


async def test_an_upgrade_of_nginx(gate: fake_gate.FakeGate) -> None:
    newer = render_environment.Nginx(path="/opt/nginx", version=(1, 31, 4), features=frozenset())
    gate.tell(successor=render_environment.Successor(binary=newer, is_replacement=True), upgrade_error="it ended")
    async with _client(gate) as client:
        assert (await client.get("/status")).json()["nginx"]["successor"] == {
            "version": "1.31.4",
            "path": "/opt/nginx",
            "replaced": True,
            "error": "it ended",
        }
        gate.upgrade_report = gate_port.UpgradeReport(ok=True, version="1.31.4", path="/opt/nginx", former="1.31.3")
        done = await client.post("/nginx/upgrade")
        assert (done.status_code, done.json()) == (
            200,
            {
                "ok": True,
                "version": "1.31.4",
                "path": "/opt/nginx",
                "former": "1.31.3",
                "error": None,
                "waits": None,
            },
        )
        gate.upgrade_report = dataclasses.replace(gate.upgrade_report, ok=False, former=None, error="it ended")
        refused = await client.post("/nginx/upgrade")
        assert (refused.status_code, refused.json()["error"]) == (422, "it ended")
        held = fake_gate.old_workers().held
        gate.upgrade_report = dataclasses.replace(gate.upgrade_report, error=None, waits=held)
        waits = await client.post("/nginx/upgrade")
        assert (waits.status_code, waits.json()["waits"]["reason"]) == (202, str(held))


async def test_certificates(gate: fake_gate.FakeGate) -> None:
    v6 = dataclasses.replace(fake_gate.certificate("[::1]"), name="_v6_--1")
    gate.tell(certificates=(v6,))
    async with _client(gate) as client:
        (known,) = (await client.get("/certs")).json()["certificates"]
        assert (known["host"], known["state"]) == ("[::1]", "local")
        assert (await client.post("/certs/%5B%3A%3A1%5D/renew")).status_code == 202
        assert gate.renewed == ["[::1]"]
        missing = await client.post("/certs/unknown.test/renew")
    assert missing.status_code == 404
    assert "unknown.test" in missing.json()["error"]


async def test_forecast(gate: fake_gate.FakeGate) -> None:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    day = datetime.timedelta(days=1)
    soon = dataclasses.replace(
        fake_gate.certificate("soon.test"), not_after=now + 40 * day, not_before=now - 50 * day, renew_at=now + 10 * day
    )
    own = dataclasses.replace(
        soon, name="own.test", host="own.test", kind=model.CertificateKind.OWN, renew_at=None, names=("own.test",)
    )
    gate.tell(certificates=(soon, own))
    async with _client(gate) as client:
        found = (await client.get("/certs/forecast?days=20")).json()
        assert (await client.get("/certs/forecast?days=9")).json()["entries"] == []
        for wrong in ("0", "-1", "x", "99999", "٣"):
            answer = await client.get("/certs/forecast", params={"days": wrong})
            assert answer.status_code == 400
            assert "a number from 1 to 3650" in answer.json()["error"]
    (entry,) = found["entries"]
    assert (entry["host"], entry["what"], entry["estimated"]) == ("soon.test", "renew", False)
    assert [each["count"] for each in found["days"]] == [1]
    assert [(each["host"], each["what"]) for each in found["unrenewed"]] == [("own.test", "end")]


async def test_alerts(gate: fake_gate.FakeGate) -> None:
    gate.told_alerts = (
        model.SentAlert(target="webhook at x.test"),
        model.SentAlert(target="ntfy at y.test", error="no"),
    )
    async with _client(gate) as client:
        answer = await client.post("/alerts/test")
    assert answer.json() == {
        "results": [
            {"target": "webhook at x.test", "error": None, "remark": None},
            {"target": "ntfy at y.test", "error": "no", "remark": None},
        ]
    }


async def test_stop(gate: fake_gate.FakeGate) -> None:
    async with _client(gate) as client:
        assert (await client.post("/stop", json={"keep_traffic": True})).status_code == 202
        assert (await client.post("/stop")).status_code == 202
        for wrong in (b"{", b"[]", b'{"keep_traffic": "yes"}', b'{"keep_trafic": true}'):
            answer = await client.post("/stop", content=wrong)
            assert answer.status_code == 400
            assert answer.json()["error"].startswith("cannot ")
        assert (await client.post("/stop", content=b" " * 100_000)).status_code == 413
    assert gate.stops == [True, False]


async def test_errors_are_json_and_never_a_trace(gate: fake_gate.FakeGate) -> None:
    async with _client(gate) as client:
        for method, path, status, words in (
            ("GET", "/nothing", 404, "there is no /nothing"),
            ("GET", "/apply", 405, "/apply takes POST, not GET"),
            ("DELETE", "/bans", 405, "/bans takes GET, HEAD, POST, not DELETE"),
        ):
            answer = await client.request(method, path)
            assert answer.status_code == status
            assert answer.json() == {"error": words}
        gate.failure = ConfigError("cannot read daemun.yaml: it is a folder")
        answer = await client.get("/status")
        assert (answer.status_code, answer.json()) == (422, {"error": "cannot read daemun.yaml: it is a folder"})
        gate.failure = RuntimeError("the secret is 1234")
        answer = await client.get("/status")
        assert answer.status_code == 500
        assert "defect" in answer.json()["error"]
        assert "1234" not in answer.text
        gate.failure = None
        assert (await client.get("/status")).status_code == 200, "it goes on"


async def test_only_the_owner_can_open_the_socket_and_it_is_gone_at_the_end(gate: fake_gate.FakeGate) -> None:
    async with fake_gate.serving(gate) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_dead_daemon_s_socket_is_replaced(gate: fake_gate.FakeGate) -> None:
    path = pathlib.Path(gate.told.state_dir) / "run" / "control.sock"
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(uds=str(path)), base_url="http://daemun", timeout=60
    ) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("/status")
        task = asyncio.create_task(socket_server.serve(lambda: api.create_app(gate), path))
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(httpx.ConnectError):
                    assert (await client.get("/status")).status_code == 200
                    break
                await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not path.exists()


async def test_a_socket_that_cannot_be_made_is_the_machine_s_problem(
    gate: fake_gate.FakeGate, folder: pathlib.Path
) -> None:
    (folder / "file").touch()
    with pytest.raises(EnvironmentProblemError, match=r'cannot open the socket ".*control\.sock"'):
        await socket_server.serve(lambda: api.create_app(gate), folder / "file" / "control.sock")


async def test_what_is_under_way_is_answered_before_the_end(gate: fake_gate.FakeGate) -> None:
    """`daemun stop` reads its answer although the server ends because of it."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow(fake_gate.FakeGate):
        async def plan(self, **_: object) -> gate_port.PlanReport:
            begun.set()
            await go_on.wait()
            return gate_port.PlanReport(reload=True)

    slow = Slow(config=pathlib.Path(gate.told.config_path), state=pathlib.Path(gate.told.state_dir))
    path = pathlib.Path(slow.told.state_dir) / "run" / "control.sock"
    task = asyncio.create_task(socket_server.serve(lambda: api.create_app(slow), path))
    async with asyncio.timeout(60):
        while not path.exists():
            await asyncio.sleep(0.01)
        async with httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(path)), base_url="http://daemun", timeout=60
        ) as client:
            asked = asyncio.create_task(client.get("/plan"))
            await begun.wait()
            task.cancel()
            go_on.set()
            assert (await asked).json()["reload"] is True
    with pytest.raises(asyncio.CancelledError):
        await task
