"""Several routes of one path, each for some requests: which one a request finds, and that each is a whole route."""

import asyncio
import collections.abc
import contextlib
import http.client
import json
import os
import random

import pytest
import websockets.asyncio.client

from daemun.core import model
from daemun.core.options import trusted_proxies_option
from daemun.core.texts import names
from daemun.sources import country_networks, yaml_file
from tests.support import address_databases, backend, condition_rule, echo, holding, ports, rendered

pytestmark = pytest.mark.nginx

IS_DEEP = bool(os.environ.get("DAEMUN_TEST_DEEP"))
SITES, REQUESTS = (60, 34) if IS_DEEP else (12, 6)
"""Requests for each of the five lists of a site: ten thousand in the deep form."""
BEHIND_PROXY = model.Globals(options=((trusted_proxies_option.OPTION.name, ("127.0.0.1",)),))
"""So that a request can come from any address."""


def read(sites: collections.abc.Mapping[str, object], folder: str = "/srv") -> tuple[model.Site, ...]:
    """The sites of a file with this content."""
    snapshot = yaml_file.parse(json.dumps({"sites": sites}), file_name="daemun.yaml", base_dir=folder)
    errors = [one for one in snapshot.problems if one.severity is model.Severity.ERROR]
    assert not errors, errors
    return snapshot.sites


@contextlib.contextmanager
def connection(gate: rendered.Running) -> collections.abc.Iterator[http.client.HTTPConnection]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", gate.http, timeout=20)) as connected:
        yield connected


def send(connected: http.client.HTTPConnection, host: str, request: condition_rule.Request) -> tuple[int, str]:
    """Status and body of a request, as it is written."""
    connected.putrequest(
        request.method,
        request.path + (f"?{request.query}" if request.query else ""),
        skip_accept_encoding=True,
        skip_host=True,
    )
    connected.putheader("Host", host)
    connected.putheader("X-Forwarded-For", request.address)
    for name, value in (*request.headers, *(("Cookie", line) for line in request.cookies)):
        connected.putheader(name, value.encode("latin-1"))
    connected.endheaders()
    answer = connected.getresponse()
    answer.read()
    return answer.status, answer.getheader("X-Route", "")


@pytest.mark.walk
def test_every_request_finds_the_route_of_the_rule() -> None:
    chance = random.Random("conditions of routes")
    lists = [{path: condition_rule.make_list(chance) for path in condition_rule.PATHS} for _ in range(SITES)]
    sites = read(
        {
            f"list{number}.test": {"tls": "off", "routes": {path: _entries(path, one) for path, one in found.items()}}
            for number, found in enumerate(lists)
        }
    )
    with rendered.running(*sites, settings=BEHIND_PROXY) as gate, connection(gate) as connected:
        for number, found in enumerate(lists):
            for path, conditions in found.items():
                for _ in range(REQUESTS):
                    request = condition_rule.make_request(chance, condition_rule.PATHS[path])
                    expected = condition_rule.choose(conditions, request)
                    answer = send(connected, f"list{number}.test", request)
                    assert answer == ((404, "") if expected is None else (204, f"{path} {expected}")), (
                        conditions,
                        request,
                    )


def _entries(path: str, conditions: list[condition_rule.When | None]) -> list[object]:
    """Each names itself in its answer."""
    return [
        {
            **({} if when is None else {"when": when}),
            "respond": 204,
            "response_headers": {"X-Route": f"{path} {index}"},
        }
        for index, when in enumerate(conditions)
    ]


# --- each key ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gate(
    one: echo.EchoServer, two: echo.EchoServer, tmp_path_factory: pytest.TempPathFactory
) -> collections.abc.Iterator[rendered.Running]:
    folder = tmp_path_factory.mktemp("files")
    for name in ("index.html", "x.txt", ".hidden", "deep/index.html", "deep/deeper/y.txt", "page.html"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    for part in (folder, *folder.rglob("*"), *folder.parents):
        if part.owner() == folder.owner():
            part.chmod(part.stat().st_mode | 0o055)
    database = address_databases.write(folder / ".country.mmdb", address_databases.COUNTRIES)
    with echo.websocket_server() as chat:
        sites = _sites(one, two, chat, str(folder), str(database))
        snapshot, problems = country_networks.with_networks(
            model.Snapshot(source="file", globals=BEHIND_PROXY, sites=read(sites))
        )
        assert not problems
        with rendered.running(*snapshot.sites, settings=BEHIND_PROXY) as nginx:
            yield nginx


def _sites(
    one: echo.EchoServer, two: echo.EchoServer, chat: int, folder: str, database: str
) -> dict[str, dict[str, object]]:
    """All on plain HTTP."""

    def choice(when: dict[str, object]) -> list[object]:
        return [{"when": when, "to": two.url}, one.url]

    nobody, everybody = {"allow": ["192.0.2.1"]}, "public"
    routes: dict[str, dict[str, object]] = {
        "keys": {
            "/method": choice({"method": ["POST", "PUT"]}),
            "/header": choice({"header": {"Accept": "*json*"}}),
            "/list": choice({"header": {"X-Kind": ["a", "b*", "~ ^[0-9]+$"]}}),
            "/present": choice({"header": {"X-Kind": True}}),
            "/absent": choice({"header": {"X-Kind": False}}),
            "/query": choice({"query": {"q": "a b", "debug": True}}),
            "/cookie": choice({"cookie": {"a.b": "x"}}),
            "/address": choice({"address": ["private", "192.0.2.0/24"]}),
            "/country": choice({"country": {"any_of": ["KR"], "database": database}}),
            "/share": choice({"probability": "30%"}),
            "/nothing/": [{"when": {"method": "POST"}, "to": two.url}],
        },
        "whole": {
            "/": [
                {"when": {"header": {"X-To": "files"}}, "files": folder},
                {"when": {"header": {"X-To": "spa"}}, "files": folder, "spa": True},
                {"when": {"header": {"X-To": "chat"}}, "to": f"http://127.0.0.1:{chat}"},
                {"when": {"header": {"X-To": "moved"}}, "redirect": "https://else.test/", "keep": "uri"},
                {"when": {"header": {"X-To": "text"}}, "respond": {"body": "fixed", "status": 202}},
                {"when": {"header": {"X-To": "file"}}, "respond": {"file": f"{folder}/page.html", "status": 503}},
                {"when": {"header": {"X-To": "denied"}}, "deny": True},
                {"when": {"header": {"X-To": "small"}}, "to": one.url, "max_body": 1000},
                {"when": {"header": {"X-To": "limited"}}, "to": one.url, "access": {"rate_limit": "1/m"}},
                {"when": {"header": {"X-To": "gone"}}, "to": "http://127.0.0.1:1", "hold": 0},
                {"when": {"header": {"X-To": "cors"}}, "to": one.url, "cors": True},
                {
                    "when": {"header": {"X-To": "rewritten"}},
                    "to": one.url,
                    "rewrite": {"match": "^/a/(?<x>.*)$", "to": "/b/${x}"},
                },
                {"to": two.url, "response_headers": {"X-Rest": "1"}},
            ],
        },
        "prefix": {
            "/in/": [
                {"when": {"header": {"X-To": "files"}}, "files": folder, "access": everybody},
                {"when": {"header": {"X-To": "guarded"}}, "files": folder, "access": nobody},
                {"when": {"header": {"X-To": "replaced"}}, "to": f"{one.url}/other/", "access": everybody},
                {"to": two.url, "access": everybody},
            ],
            "~ ^/user/(?<id>[0-9]+)$": [
                {"when": {"method": "POST"}, "to": f"{two.url}/by-id/${{id}}"},
                {"redirect": "/u/${id}"},
            ],
            "*.bin": [{"when": {"method": "POST"}, "to": two.url}, {"files": folder}],
            "= /e": [{"when": {"method": "POST"}, "to": f"{two.url}/replaced"}, {"respond": 204}],
        },
        "guarded": {
            "/": [
                {"when": {"header": {"X-To": "open"}}, "to": one.url, "access": everybody},
                {"when": {"header": {"X-To": "moved"}}, "redirect": "https://else.test/"},
                {"when": {"header": {"X-To": "text"}}, "respond": {"body": "fixed"}},
                {"when": {"header": {"X-To": "written"}}, "to": one.url, "nginx": "return 200 written;"},
                {"when": {"header": {"X-To": "cors"}}, "to": one.url, "cors": True},
                one.url,
            ],
        },
    }
    return {
        f"{name}.test": {"tls": "off", "routes": found, **({"access": nobody} if name == "guarded" else {})}
        for name, found in routes.items()
    }


TO = "X-To"


@pytest.mark.parametrize(
    ("path", "held", "other"),
    [
        ("/method", [("POST", "", {})], [("GET", "", {})]),
        (
            "/header",
            [("GET", "", {"Accept": "text/html, application/json;q=0.5"})],
            [("GET", "", {"Accept": "text/html"}), ("GET", "", {"Accept": "JSON"}), ("GET", "", {})],
        ),
        (
            "/list",
            [("GET", "", {"X-Kind": "a"}), ("GET", "", {"x-kind": "bcd"}), ("GET", "", {"X-Kind": "12"})],
            [("GET", "", {"X-Kind": "ab"}), ("GET", "", {"X-Kind": "1a"}), ("GET", "", {"X_Kind": "a"})],
        ),
        ("/present", [("GET", "", {"X-Kind": "x"})], [("GET", "", {}), ("GET", "", {"X-Kind": ""})]),
        ("/absent", [("GET", "", {}), ("GET", "", {"X-Kind": ""})], [("GET", "", {"X-Kind": "x"})]),
        (
            "/query",
            [("GET", "?debug&q=a+b", {}), ("GET", "?x=1&%71=%61%20b&debug=0", {})],
            [("GET", "?q=a+b", {}), ("GET", "?debug&q=ab", {}), ("GET", "?debug&q=x&q=a+b", {}), ("GET", "", {})],
        ),
        (
            "/cookie",
            [("GET", "", {"Cookie": "a.b=x"}), ("GET", "", {"Cookie": "c=1; a.b=x; a.b=y"})],
            [("GET", "", {"Cookie": "a-b=x"}), ("GET", "", {"Cookie": "c=a.b=x"}), ("GET", "", {"Cookie": "A.B=x"})],
        ),
        (
            "/address",
            [("GET", "", {"X-Forwarded-For": "192.0.2.9"}), ("GET", "", {"X-Forwarded-For": "10.0.0.1"})],
            [("GET", "", {"X-Forwarded-For": "198.51.100.1"}), ("GET", "", {"X-Forwarded-For": "2001:db8::1"})],
        ),
        (
            "/country",
            [("GET", "", {"X-Forwarded-For": "203.0.113.200"}), ("GET", "", {"X-Forwarded-For": "2001:db8:1::7"})],
            [("GET", "", {"X-Forwarded-For": "198.51.100.7"}), ("GET", "", {"X-Forwarded-For": "8.8.8.8"})],
        ),
    ],
)
def test_each_key(
    gate: rendered.Running,
    path: str,
    held: list[tuple[str, str, dict[str, str]]],
    other: list[tuple[str, str, dict[str, str]]],
) -> None:
    for server, requests in (("two", held), ("one", other)):
        for method, query, headers in requests:
            answer = gate.ask(method, f"http://keys.test{path}{query}", headers=headers)
            assert echo.Said.parse(answer.content).server == server, (method, query, headers)


def test_a_share_of_the_visitors_stays_the_same_one(gate: rendered.Running) -> None:
    """By address, of IPv6 the customer's network, and browser."""

    def server(**headers: str) -> str:
        return gate.said("http://keys.test/share", **headers).server

    first = [server(X_Forwarded_For=f"198.51.100.{number}", User_Agent=f"browser {number}") for number in range(40)]
    again = [server(X_Forwarded_For=f"198.51.100.{number}", User_Agent=f"browser {number}") for number in range(10)]
    assert first[:10] == again
    assert 4 <= first.count("two") <= 24  # the hash is always the same
    assert len({server(X_Forwarded_For=f"2001:db8::{number}", User_Agent="x") for number in range(1, 5)}) == 1


@pytest.mark.parametrize(("accept", "shown"), [("text/html", "<html"), ("application/json", '"status": 404')])
def test_where_no_route_is_for_a_request(gate: rendered.Running, accept: str, shown: str) -> None:
    """The gate's own page."""
    answer = gate.get("http://keys.test/nothing/x", Accept=accept)
    assert answer.status_code == 404
    assert shown in answer.text


# --- each a whole route ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "path", "status", "body"),
    [
        ("files", "/", 200, "index.html"),
        ("files", "/x.txt", 200, "x.txt"),
        ("files", "/deep/", 200, "deep/index.html"),
        ("files", "/deep", 301, None),
        ("files", "/deep/deeper/", 404, None),
        ("files", "/none", 404, None),
        ("files", "/page", 404, None),
        ("files", "/.hidden", 404, None),
        ("files", "/deep/%2e%2e/x.txt", 200, "x.txt"),
        ("spa", "/none/at/all", 200, "index.html"),
        ("spa", "/x.txt", 200, "x.txt"),
        ("text", "/", 202, "fixed"),
        ("file", "/", 503, "page.html"),
        ("denied", "/", 403, None),
        ("gone", "/", 502, None),
    ],
)
def test_what_the_gate_answers(gate: rendered.Running, to: str, path: str, status: int, body: str | None) -> None:
    for prefix, host in (("", "whole"), ("/in", "prefix")):
        if to != "files" and host == "prefix":
            continue
        answer = gate.get(f"http://{host}.test{prefix}{path}", X_To=to)
        assert answer.status_code == status, host
        assert body is None or answer.text == body
        if status == 301:
            assert answer.headers["Location"] == f"{prefix}{path}/"


def test_a_redirect_and_a_path_that_is_replaced(gate: rendered.Running) -> None:
    answer = gate.get("http://whole.test/a%20b?c", X_To="moved")
    assert (answer.status_code, answer.headers["Location"]) == (301, "https://else.test/a%20b?c")
    assert gate.said("http://whole.test/a/x%20y?q", X_To="rewritten").path == "/b/x%20y?q"
    assert gate.said("http://prefix.test/in/a%2Fb?c", X_To="replaced").path == "/other/a%2Fb?c"
    assert gate.said("http://prefix.test/in/a%2Fb?c").path == "/in/a%2Fb?c"
    answer = gate.get("http://prefix.test/user/7")
    assert (answer.status_code, answer.headers["Location"]) == (301, "/u/7")
    for path, received in (("/user/7?x", "/by-id/7?x"), ("/e", "/replaced"), ("/a.bin", "/a.bin")):
        said = echo.Said.parse(gate.ask("POST", f"http://prefix.test{path}", body=b"x").content)
        assert (said.server, said.path) == ("two", received)
    assert gate.get("http://prefix.test/e").status_code == 204
    for method, status in (("GET", 301), ("POST", 308)):
        answer = gate.ask(method, "http://prefix.test/in?x")
        assert (answer.status_code, answer.headers["Location"]) == (status, "/in/?x")


@pytest.mark.parametrize("size", [0, 10, 20_000, 2_000_000])
def test_bodies(gate: rendered.Running, size: int) -> None:
    answer = gate.ask("POST", "http://whole.test/x", body=b"x" * size)
    assert answer.headers["X-Rest"] == "1"
    assert echo.Said.parse(answer.content).headers["content-length"] == str(size)
    limited = gate.ask("POST", "http://whole.test/x", body=b"x" * size, headers={TO: "small"})
    assert limited.status_code == (413 if size > 1000 else 200)


async def test_web_sockets(gate: rendered.Running) -> None:
    async with websockets.asyncio.client.connect(
        "ws://whole.test/chat",
        host="127.0.0.1",
        port=gate.http,
        additional_headers={TO: "chat"},
        open_timeout=60,
    ) as connected:
        assert json.loads(await connected.recv())["path"] == "/chat"


def test_limits_and_headers_are_those_of_the_route(gate: rendered.Running) -> None:
    assert [gate.get("http://whole.test/", X_To="limited").status_code for _ in range(2)] == [200, 429]
    assert gate.get("http://whole.test/").status_code == 200
    preflight = {"Origin": "https://a.test", "Access-Control-Request-Method": "PUT", TO: "cors"}
    answer = gate.ask("OPTIONS", "http://whole.test/", headers=preflight)
    assert answer.status_code == 204
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize("to", ["moved", "text", "written", "cors", ""])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nobody_gets_around_a_guard(gate: rendered.Running, to: str, method: str) -> None:
    answer = gate.ask(method, "http://guarded.test/x", headers={TO: to})
    assert answer.status_code == 403
    assert "Location" not in answer.headers


def test_each_route_has_its_own_guard(gate: rendered.Running) -> None:
    assert gate.said("http://guarded.test/x", X_To="open").server == "one"
    for path in ("/", "/x.txt", "/deep", "/none"):
        assert gate.get(f"http://prefix.test/in{path}", X_To="guarded").status_code == 403
    assert gate.get("http://prefix.test/in/x.txt", X_To="files").text == "x.txt"


@pytest.mark.parametrize("path", ["/@-daemun_entry_{}_0", "/%40-daemun_entry_{}_0", "@-daemun_entry_{}_0"])
def test_no_request_reaches_a_route_by_the_name_of_its_location(gate: rendered.Running, path: str) -> None:
    place = path.format(names.variable_suffix("guarded.test", "/"))
    answer = gate.raw(f"GET {place} HTTP/1.1\nHost: guarded.test\nConnection: close\n\n")
    assert answer.split(b" ")[1] in {b"403", b"400"}


# --- waiting -----------------------------------------------------------------------------------------------------


async def test_requests_of_each_route_wait() -> None:
    """With a path that is replaced, a small body and a WebSocket, whichever route they are for."""
    port = ports.free_port()
    there = f"http://127.0.0.1:{port}"
    entries = [
        {"when": {"header": {TO: "in"}}, "to": f"{there}/in/"},
        {"when": {"header": {TO: "user"}}, "to": f"{there}/in/"},
        there,
    ]
    (site,) = read({"app.test": {"tls": "off", "routes": {"/api/": entries}}})
    async with holding.house(site) as house:
        asking = [
            house.ask(method, "http://app.test/api/x?q", content=body, headers={TO: to})
            for to in ("in", "user", "")
            for method, body in (("GET", b""), ("POST", b"x" * 5000))
        ]
        waiting = asyncio.gather(*asking)
        await house.until_waiting(len(asking))
        with backend.running(port=port) as server:
            answers = await waiting
    assert [answer.status_code for answer in answers] == [200] * len(asking)
    assert server.seen == {"GET /in/x?q": 2, "POST /in/x?q": 2, "GET /api/x?q": 1, "POST /api/x?q": 1}
