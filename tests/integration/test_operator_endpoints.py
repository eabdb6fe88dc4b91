"""Operators by the API: the real application on the real keepers, requested with real sessions and tokens."""

import collections.abc
import json
import pathlib
import typing

import httpx
import pytest

from daemun.control import operator_port
from daemun.core import layout
from daemun.core.access import api_tokens, operator_sessions
from daemun.core.access.dashboard_roles import DashboardRights, Role
from daemun.operators import audit_log
from daemun.operators.operators import Operators
from daemun.store import memory_store
from daemun.web import operator_api, operator_endpoints
from tests.support import clock

Json = dict[str, typing.Any]
HOME = "198.51.100.7"
COOKIE = "s" * 43


class Api:
    def __init__(self, folder: pathlib.Path) -> None:
        self.layout = layout.Layout(str(folder))
        pathlib.Path(self.layout.logs).mkdir()
        self.clock = clock.FakeClock()
        self.silent = False
        self.operators = Operators(memory_store.MemoryStore(), self.layout, self.clock, self._find, self._end)
        endpoints = operator_endpoints.endpoints(self.operators)
        app = operator_api.create_app(endpoints, self.operators, version="1.2.3")
        self._transport = httpx.ASGITransport(app=app)

    async def _end(self, _: str) -> tuple[int, bool]:
        return 0, True

    async def _find(self, secret: str, host: str) -> operator_port.SignedInUser | None:
        is_known = (secret, host) == (COOKIE, "gate.test")
        return operator_port.SignedInUser(name="bob", groups=("family",), session="1") if is_known else None

    async def begin(self, name: str = "root") -> str:
        link = await self.operators.make_link(name)
        begun = await self.operators.begin(link.secret, HOME, "Firefox")
        assert begun is not None
        return begun.secret

    async def token(self, role: Role) -> str:
        made = await self.operators.add_token(f"t-{role.word}", role, lifetime_s=None, by="root")
        return made.secret

    async def send(self, method: str, path: str, credential: str, body: Json | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {credential}"} if credential else {}
        return await self.send_raw(method, path, headers, body)

    async def send_raw(
        self, method: str, path: str, headers: dict[str, str], body: Json | None = None
    ) -> httpx.Response:
        async with httpx.AsyncClient(transport=self._transport, base_url="http://gate.test", timeout=60) as client:
            sent = {"X-Real-IP": HOME, **headers}
            return await client.request(method, f"/api/v1{path}", json=body, headers=sent)

    async def rows(self, path: str, credential: str) -> list[Json]:
        answer = await self.send("GET", path, credential)
        assert answer.status_code == 200, answer.text
        found: list[Json] = answer.json()["rows"]
        return found


@pytest.fixture
def api(tmp_path: pathlib.Path) -> Api:
    return Api(tmp_path)


EVERY: tuple[tuple[str, str, Json | None], ...] = (
    ("GET", "/operators", None),
    ("GET", "/operators/sessions", None),
    ("POST", "/operators/sessions/end", {"number": "x"}),
    ("GET", "/operators/tokens", None),
    ("POST", "/operators/tokens", {"name": "x", "role": "own"}),
    ("POST", "/operators/tokens/remove", {"name": "t-own"}),
)


async def test_who_may_not_own_learns_and_changes_nothing(api: Api) -> None:
    tokens = {role: await api.token(role) for role in Role}
    for method, path, body in EVERY:
        for credential, status in ((tokens[Role.LOOK], 403), (tokens[Role.CHANGE], 403), ("", 401), ("x", 401)):
            answer = await api.send(method, path, credential, body)
            keys = ["error", "needs"] if status == 403 else ["error"]
            assert (answer.status_code, list(answer.json())) == (status, keys), path
    assert len(await api.operators.list_tokens()) == 3
    assert (await api.send("GET", "/audit", tokens[Role.LOOK])).status_code == 200
    assert (await api.send("GET", "/audit", "")).status_code == 401


async def test_sessions_are_listed_and_ended(api: Api) -> None:
    mine, other = await api.begin("ann"), await api.begin("ben")
    rows = await api.rows("/operators/sessions", mine)
    assert {(one["name"], one["is_this"]) for one in rows} == {("ann", True), ("ben", False)}
    assert all(one["seen_at"].endswith("Z") and one["address"] == HOME for one in rows)
    assert mine not in json.dumps(rows) and operator_sessions.digest(mine) not in json.dumps(rows)
    assert (await api.send("POST", "/operators/sessions/end", mine, {"number": "x"})).status_code == 404
    ended = await api.send("POST", "/operators/sessions/end", mine, {})
    assert ended.json() == {"ended": 1, "is_saved": True}
    assert (await api.send("GET", "/operators/sessions", other)).status_code == 401
    (row,) = await api.rows("/operators/sessions", mine)
    assert (await api.send("POST", "/operators/sessions/end", mine, {"number": row["number"]})).status_code == 200
    assert (await api.send("GET", "/operators/sessions", mine)).status_code == 401


async def test_tokens_are_made_used_and_withdrawn(api: Api) -> None:
    session = await api.begin()
    body = {"name": "deploy", "role": "change", "lifetime_s": 60, "networks": ["198.51.100.0/24"]}
    made = await api.send("POST", "/operators/tokens", session, body)
    assert made.status_code == 201 and made.json()["role"] == "change"
    secret = made.json()["token"]
    assert (await api.send("GET", "/audit", secret)).status_code == 200
    away = await api.send_raw("GET", "/audit", {"Authorization": f"Bearer {secret}", "X-Real-IP": "203.0.113.9"})
    assert away.status_code == 401
    (row,) = await api.rows("/operators/tokens", session)
    assert row["by"] == "root" and row["seen_at"] and "token" not in row and secret not in json.dumps(row)
    for wrong in ({"name": "deploy", "role": "own"}, {"name": "x", "role": "admin"}, {"role": "look"}, {}):
        assert (await api.send("POST", "/operators/tokens", session, wrong)).status_code in {400, 409}
    assert (await api.send("POST", "/operators/tokens/remove", session, {"name": "deploy"})).status_code == 200
    assert (await api.send("GET", "/audit", secret)).status_code == 401
    assert (await api.send("POST", "/operators/tokens/remove", session, {"name": "deploy"})).status_code == 404


async def test_what_was_done_stands_in_the_audit_log_without_secrets(api: Api) -> None:
    session, look = await api.begin("ann"), await api.token(Role.LOOK)
    body = {"name": "deploy", "role": "change"}
    secret = (await api.send("POST", "/operators/tokens", session, body)).json()["token"]
    await api.send("POST", "/operators/tokens", look, {"name": "mine", "role": "own"})
    await api.send("POST", "/operators/tokens/remove", session, {"name": "deploy"})
    await api.rows("/operators/tokens", session)
    rows = await api.rows("/audit", look)
    assert [(one["who"], one["how"], one["target"], one["before"], one["after"], one["status"]) for one in rows] == [
        ("ann", "link", "deploy", "change without an end", "", 200),
        ("t-look", "token", "", "", "", 403),
        ("ann", "link", "deploy", "", "change without an end", 201),
    ]
    assert all(one["address"] == HOME for one in rows)
    text = pathlib.Path(api.layout.logs, "audit.log").read_text()
    assert not any(one in text for one in (secret, look, session))
    assert len(await api.rows("/audit?q=DEPLOY&who=ann&size=1&page=2", look)) == 1
    assert await api.rows("/audit?since=2099-01-01", look) == []
    assert (await api.send("GET", "/audit?since=soon", look)).status_code == 400
    assert len(list(audit_log.read(api.layout))) == 3


async def test_users_of_the_sign_in_have_their_roles(api: Api) -> None:
    api.operators.configure(DashboardRights(host="gate.test", look=("@family",), own=("ann",)))
    headers = {"X-Daemun-Login": COOKIE}
    assert (await api.send_raw("GET", "/audit", headers)).status_code == 200
    assert (await api.send_raw("GET", "/operators", headers)).status_code == 403
    for wrong in ({**headers, "Host": "blog.test"}, {"X-Daemun-Login": "x" * 43}, {"Cookie": f"x={COOKIE}"}):
        assert (await api.send_raw("GET", "/audit", wrong)).status_code == 401
    # Whoever sends a credential of one kind is not taken for who sent another one.
    both = {**headers, "Authorization": f"Bearer {api_tokens.make_secret(bytes(32))}"}
    assert (await api.send_raw("GET", "/audit", both)).status_code == 401
    found = (await api.send("GET", "/operators", await api.begin())).json()
    assert found["host"] == "gate.test"
    assert found["rows"] == [{"name": "ann", "role": "own"}, {"name": "@family", "role": "look"}]


async def test_who_guesses_waits_and_the_owner_does_not(api: Api) -> None:
    session = await api.begin()
    answers = [await api.send("GET", "/audit", f"{operator_sessions.PREFIX}{number:043}") for number in range(25)]
    assert [one.status_code for one in answers] == [401] * 20 + [429] * 5
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert (await api.send("GET", "/audit", session)).status_code == 200


SCHEMES: collections.abc.Sequence[tuple[str, bool]] = (
    ("Bearer {}", True),
    ("bearer {}", True),
    ("BEARER   {} ", True),
    ("Bearer{}", False),
    ("Basic {}", False),
    ("{}", False),
    ("Bearer x, Bearer {}", False),
    ("Bearer {}x", False),
    ("Bearer {} x", False),
    ("Bearer", False),
    ("", False),
)


@pytest.mark.parametrize(("form", "is_good"), SCHEMES)
async def test_the_header_is_read_as_the_standard_has_it(api: Api, form: str, is_good: bool) -> None:
    session = await api.begin()
    answer = await api.send_raw("GET", "/audit", {"Authorization": form.format(session)})
    assert answer.status_code == (200 if is_good else 401)
