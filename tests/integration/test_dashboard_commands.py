"""`daemun dashboard` and `daemun audit`: the real command line over the real control socket, on the real keepers."""

import collections.abc
import contextlib
import json
import pathlib
import tempfile
import typing

import httpx
import pytest
from starlette import applications

from daemun.control import operator_port
from daemun.core import layout
from daemun.core.access import dashboard_roles
from daemun.operators.operators import Operators
from daemun.store import memory_store
from daemun.web import dashboard_access_api
from tests.support import clock, fake_gate

URL = "https://gate.test:8443"
HOME = "198.51.100.7"


class Gate:
    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.state = folder / "s"
        self.layout = layout.Layout(str(self.state))
        pathlib.Path(self.layout.logs).mkdir(parents=True)
        self.clock = clock.FakeClock()
        self.operators = Operators(memory_store.MemoryStore(), self.layout, self.clock, self._find, self._end)
        self.url: str | None = URL

    async def _end(self, _: str) -> tuple[int, bool]:
        return 0, True

    async def _find(self, _: str, __: str) -> operator_port.SignedInUser | None:
        return None

    @contextlib.asynccontextmanager
    async def serving(self) -> collections.abc.AsyncIterator[None]:
        gate = fake_gate.FakeGate(config=self.folder / "daemun.yaml", state=self.state)
        routes = dashboard_access_api.routes(self.operators, lambda: self.url)
        async with fake_gate.serving(gate, routes):
            yield

    async def run(self, *words: str) -> fake_gate.Said:
        return await fake_gate.command("--state", str(self.state), *words, cwd=self.folder)

    async def run_json(self, *words: str) -> dict[str, typing.Any]:
        said = await self.run(*words, "--json")
        assert said.code == 0, said.out + said.err
        found: dict[str, typing.Any] = json.loads(said.out)
        return found

    async def identify(self, credential: str) -> dashboard_roles.Operator | None:
        sent = operator_port.OperatorCredentials(authorization=f"Bearer {credential}", address=HOME)
        return await self.operators.identify(sent)


@pytest.fixture
def gate() -> collections.abc.Iterator[Gate]:
    """Short enough for a socket's path."""
    with tempfile.TemporaryDirectory(prefix="dm-") as name:
        yield Gate(pathlib.Path(name))


async def test_the_link_of_the_command_lets_in_once(gate: Gate) -> None:
    async with gate.serving():
        said = await gate.run("dashboard")
        assert said.code == 0
        (address,) = said.out.splitlines()
        assert address.startswith(f"{URL}/enter#") and "once" in said.err and "this machine alone" not in said.err
        secret = address.partition("#")[2]
        begun = await gate.operators.begin(secret, HOME, "Firefox")
        assert begun is not None and await gate.operators.begin(secret, HOME, "Firefox") is None
        found = await gate.run_json("dashboard")
        assert found["url"].startswith(f"{URL}/enter#") and secret not in found["url"]
        listed = await gate.run("dashboard", "sessions")
        assert begun.number in listed.out and HOME in listed.out and "Firefox" in listed.out
        assert (await gate.run_json("dashboard", "sessions", "end", begun.number))["ended"] == 1
        assert await gate.identify(begun.secret) is None
        wrong = await gate.run("dashboard", "sessions", "end", begun.number)
        assert wrong.code == 1 and "`daemun dashboard sessions" in wrong.err
        assert "nobody" in (await gate.run("dashboard", "sessions", "list")).out
        gate.url = "https://daemun.localhost"
        assert "this machine alone" in (await gate.run("dashboard")).err
        gate.url = None
        off = await gate.run("dashboard", "--json")
        assert off.code == 1 and "dashboard: false" in json.loads(off.out)["error"]
    rows = (await gate.run_json("audit"))["entries"]
    assert {one["how"] for one in rows} == {"command"} and all(one["role"] == "own" for one in rows)
    assert secret not in json.dumps(rows) and secret not in (gate.state / "logs/audit.log").read_text()


async def test_tokens_by_the_command(gate: Gate) -> None:
    async with gate.serving():
        bounds = ("--for", "12h", "--from", "198.51.100.0/24")
        made = await gate.run("dashboard", "tokens", "add", "deploy", "--role", "change", *bounds)
        assert made.code == 0 and "198.51.100.0/24" in made.out
        secret = made.out.partition("Bearer ")[2].split()[0]
        found = await gate.identify(secret)
        assert found is not None and (found.name, found.role) == ("deploy", dashboard_roles.Role.CHANGE)
        forever = await gate.run_json("dashboard", "tokens", "add", "grafana", "--role", "look", "--for", "ever")
        assert forever["ends_at"] is None and await gate.identify(forever["token"]) is not None
        listed = await gate.run("dashboard", "tokens")
        assert "deploy" in listed.out and "no end" in listed.out
        assert secret not in listed.out + json.dumps(await gate.run_json("dashboard", "tokens", "list"))
        assert (await gate.run("dashboard", "tokens", "rm", "deploy")).code == 0
        assert await gate.identify(secret) is None
        for refused in (
            ("rm", "deploy"),
            ("add", "x", "--role", "admin"),
            ("add", "x", "--role", "look", "--for", "soon"),
            ("add", "x", "--role", "look", "--from", "home"),
            ("add", "x y", "--role", "look"),
        ):
            wrong = await gate.run("dashboard", "tokens", *refused)
            assert wrong.code == 1 and wrong.err.startswith("error: "), refused
    # What was done is there also when no daemon is.
    said = await gate.run("audit", "--since", "1h")
    assert [line.split("  ")[-1].strip() for line in said.out.splitlines()][::-1][:2] == [
        "Make a token of the API: deploy (nothing -> change until "
        + (await gate.run_json("audit"))["entries"][-1]["after"].split("until ")[1]
        + ")",
        "Make a token of the API: grafana (nothing -> look without an end)",
    ]
    assert secret not in said.out
    assert "no daemon" not in said.err
    assert "nothing was changed" in (await gate.run("audit", "--since", "2099-01-01")).out
    assert (await gate.run("audit", "--since", "soon")).code == 1
    assert len((await gate.run_json("audit", "--lines", "1"))["entries"]) == 1


async def test_without_a_daemon_the_command_says_how_to_start_one(gate: Gate) -> None:
    said = await gate.run("dashboard", "--json")
    assert said.code == 1 and "daemun up" in json.loads(said.out)["error"]


_BAD: tuple[tuple[str, dict[str, typing.Any]], ...] = (
    ("/dashboard/link", {"user": 7}),
    ("/dashboard/sessions/end", {"number": 7}),
    ("/dashboard/tokens", {"name": "x"}),
    ("/dashboard/tokens", {"name": "x", "role": "look", "lifetime_s": True}),
    ("/dashboard/tokens", {"name": "x", "role": "look", "lifetime_s": 0}),
    ("/dashboard/tokens", {"name": "x", "role": "look", "lifetime_s": 1e300}),
    ("/dashboard/tokens", {"name": "x", "role": "look", "lifetime_s": float("inf")}),
    ("/dashboard/tokens", {"name": "x", "role": "look", "networks": "192.0.2.1"}),
    ("/dashboard/tokens", {"name": "x", "role": "look", "networks": [1]}),
    ("/dashboard/tokens", {"name": 1, "role": "look"}),
    ("/dashboard/tokens/remove", {}),
)


async def test_bodies_of_a_wrong_form_change_nothing(gate: Gate) -> None:
    app = applications.Starlette(routes=dashboard_access_api.routes(gate.operators, lambda: URL))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gate", timeout=60) as client:
        for path, body in _BAD:
            answer = await client.post(path, content=json.dumps(body))
            assert answer.status_code == 400, (path, body)
        for path in ("/dashboard/link", "/dashboard/sessions/end", "/dashboard/tokens/remove"):
            assert (await client.get(path)).status_code == 405
    assert await gate.operators.list_tokens() == ()
    assert not pathlib.Path(gate.layout.logs, "audit.log").exists()
