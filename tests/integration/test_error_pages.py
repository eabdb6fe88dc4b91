"""Errors of the gate itself are pages of its own, with the request's id; those of servers are never replaced."""

import collections.abc
import json
import pathlib
import re
import socket

import httpx
import pytest

from daemun.core import model
from daemun.core.options import (
    buffering_option,
    catalogue,
    hold_option,
    hsts_option,
    logs_option,
    max_body_option,
    timeout_option,
    trusted_proxies_option,
)
from daemun.core.texts import log_lines
from daemun.sources import nginx_snippet
from tests.support import clients, echo, ports, rendered
from tests.support.daemon import wait_for
from tests.support.sites import proxy, route, site

pytestmark = pytest.mark.nginx


@pytest.fixture(scope="module")
def gate(one: echo.EchoServer) -> collections.abc.Iterator[rendered.Running]:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections, and that is all
        yield from _running(one, silent.getsockname()[1])


def _running(one: echo.EchoServer, silent: int) -> collections.abc.Iterator[rendered.Running]:
    there, closed = f"http://127.0.0.1:{one.port}", f"http://127.0.0.1:{ports.free_port()}"
    web = site(
        "web.test",
        route("/app/", there),
        route("/small/", there, options=catalogue.values(max_body_option.OPTION.set(10))),
        route("/down/", proxy(closed, options=catalogue.values(hold_option.OPTION.set(0.0)))),
        route("/held/", closed),
        route(
            "/slow/",
            proxy(
                f"http://127.0.0.1:{silent}",
                options=catalogue.values(
                    hold_option.OPTION.set(0.0), timeout_option.OPTION.set(timeout_option.Timeouts(read_s=0.2))
                ),
            ),
        ),
        route("/files/", model.Files(folder="/nonexistent-folder")),
        route("/closed/", there, snippet=nginx_snippet.parse_snippet("return 503;")),
        route(
            "/own/",
            proxy(closed, options=catalogue.values(hold_option.OPTION.set(0.0))),
            snippet=nginx_snippet.parse_snippet("error_page 502 =200 /app/mine;"),
        ),
        options=catalogue.values(hsts_option.OPTION.set(hsts_option.Hsts(max_age_s=9))),
    )
    whole = nginx_snippet.parse_snippet("error_page 404 /mine; location = /mine { return 200 mine; }")
    mine = site(
        "mine.test",
        route("/app/", there),
        route("/down/", proxy(closed, options=catalogue.values(hold_option.OPTION.set(0.0)))),
        snippet=whole,
    )
    looking = nginx_snippet.parse_snippet("proxy_intercept_errors on;")
    theirs = site("theirs.test", there, snippet=looking)
    with rendered.running(web, mine, theirs) as running:
        yield running


def fetch(
    gate: rendered.Running, url: str, method: str = "GET", *, accept: str = "*/*", **more: object
) -> httpx.Response:
    with clients.client(gate.clients) as once:
        return once.request(method, url, headers={"Accept": accept}, **more)  # type: ignore[arg-type]


CASES = {
    404: ("GET", "https://web.test/nothing/here"),
    413: ("POST", "https://web.test/small/"),
    502: ("GET", "https://web.test/down/"),
    503: ("GET", "https://web.test/closed/"),
    504: ("GET", "https://web.test/slow/never"),
}
HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ID = re.compile(r"[0-9a-f]{32}")


def _ask(gate: rendered.Running, status: int, accept: str) -> httpx.Response:
    method, url = CASES[status]
    body = b"x" * 100 if method == "POST" else b""
    answer = fetch(gate, url, method, accept=accept, content=body)
    assert answer.status_code == status, answer
    return answer


@pytest.mark.parametrize("status", [404, 413, 502, 503, 504])
@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (HTML, "text/html; charset=utf-8"),
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("application/problem+json", "application/json"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("application/json;q=0.5, text/html", "text/html; charset=utf-8"),
        ("application/json;q=0, text/html;q=0.1", "text/html; charset=utf-8"),
        ("TEXT/HTML", "text/html; charset=utf-8"),
        ("text/plain, text/html", "text/plain; charset=utf-8"),
        ("*/*", "text/plain; charset=utf-8"),
        ("image/avif,image/webp", "text/plain; charset=utf-8"),
        ("", "text/plain; charset=utf-8"),
    ],
)
def test_pages_in_the_form_that_is_asked_for(gate: rendered.Running, status: int, accept: str, kind: str) -> None:
    answer = _ask(gate, status, accept)
    assert answer.headers["Content-Type"] == kind
    assert len(ID.findall(answer.text)) == 1
    assert "nginx" not in answer.text
    assert "127.0.0.1" not in answer.text
    assert str(status) in answer.text
    assert answer.headers["Strict-Transport-Security"] == "max-age=9"
    if kind == "application/json":
        said = json.loads(answer.text)
        assert said["status"] == status
        assert ID.fullmatch(said["request_id"])


@pytest.mark.parametrize("status", [404, 413, 502, 503, 504])
def test_the_id_is_in_both_logs(gate: rendered.Running, status: int) -> None:
    (found,) = ID.findall(_ask(gate, status, HTML).text)
    for name in ("access.log", "error.log"):
        log = pathlib.Path(gate.layout.logs, name)
        wait_for(lambda log=log: found in log.read_text(), f"the request's id in {name}")  # type: ignore[misc]
    line = next(line for line in pathlib.Path(gate.layout.logs, "error.log").read_text().splitlines() if found in line)
    assert re.match(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[error\] \d+#0: \*\d+ answered " + str(status), line)


@pytest.mark.parametrize("line", [None, log_lines.JSON_LINE])
@pytest.mark.parametrize("believed", [(), ("127.0.0.0/8",)])
def test_a_request_is_logged_as_its_page_names_it_and_others_by_their_connection(
    one: echo.EchoServer, line: str | None, believed: tuple[str, ...]
) -> None:
    logs = logs_option.Logs(format=line, escape="default" if line is None else "json")
    settings = model.Globals(
        options=catalogue.values(logs_option.OPTION.set(logs), trusted_proxies_option.OPTION.set(believed))
    )
    with rendered.running(site("web.test", one.url), settings=settings) as running:
        for _ in range(2):
            assert fetch(running, "https://web.test/").status_code == 200
        with clients.client(running.clients) as stranger:
            named = {"Accept": "application/json", "X-Request-ID": "theirs"}
            page = stranger.get("http://unknown.test/", headers=named).json()
        log = pathlib.Path(running.layout.logs, "access.log")
        wait_for(lambda: log.read_text().count("\n") >= 3, "three lines")
        found = re.findall(r'request_id(?:=|":")([^"\n]+)', log.read_text())
    assert all(re.fullmatch(r"\d+-\d+", named) for named in found[:2])
    assert len(set(found)) == 3
    assert found[2] == page["request_id"]
    assert (found[2] == "theirs") == bool(believed)


def test_unknown_hosts_and_misdirected_requests(gate: rendered.Running) -> None:
    answer = fetch(gate, "http://unknown.test/", accept="application/json")
    assert (answer.status_code, answer.json()["status"]) == (404, 404)
    with clients.client(gate.clients) as once:
        request = once.build_request("GET", "https://web.test/app/", headers={"Host": "mine.test", "Accept": HTML})
        answer = once.send(request)
    assert answer.status_code == 421
    assert "Wrong connection" in answer.text


def test_pages_of_servers_are_never_replaced(gate: rendered.Running, one: echo.EchoServer) -> None:
    for path in ("/app/missing", "/app/broken"):
        assert fetch(gate, f"https://web.test{path}").status_code == 200
    theirs = fetch(gate, "https://theirs.test/status/404")
    assert "request_id" not in theirs.text


def test_pages_of_the_owner_stay(gate: rendered.Running) -> None:
    assert fetch(gate, "https://mine.test/nothing").text == "mine"
    assert fetch(gate, "https://web.test/own/").status_code == 200
    assert "Service not reachable" in fetch(gate, "https://mine.test/down/").text


def test_a_waiting_request_ends_with_the_pages_of_the_gate_where_no_daemon_is(gate: rendered.Running) -> None:
    answer = fetch(gate, "https://web.test/held/", accept="application/json")
    assert answer.status_code == 502
    assert ID.fullmatch(answer.json()["request_id"])


# --- the access log ------------------------------------------------------------------------------------------------


def _logged(settings: model.Globals, *requests: tuple[str, str]) -> str:
    """The access log when the answer to one more request on the connection of these is there: nginx logs a request
    before it reads the next one of its connection."""
    closed = f"http://127.0.0.1:{ports.free_port()}"
    quiet = nginx_snippet.parse_snippet("access_log off;")
    sites = (
        site("loud.test", route("/down/", proxy(closed, options=catalogue.values(hold_option.OPTION.set(0.0))))),
        site(
            "quiet.test",
            route("/down/", proxy(closed, options=catalogue.values(hold_option.OPTION.set(0.0)))),
            snippet=quiet,
        ),
    )
    with rendered.running(*sites, settings=settings) as running, clients.client(running.clients) as one_connection:
        for host, path in (*requests, (requests[-1][0], "/last")):
            assert one_connection.get(f"https://{host}{path}").status_code in {404, 502}
        return pathlib.Path(running.layout.logs, "access.log").read_text()


@pytest.mark.parametrize("path", ["/down/", "/nothing/here"])
def test_in_nginx_proxys_place_the_line_of_an_error_is_there_at_once(path: str) -> None:
    log = _logged(model.Globals(like_nginx_proxy=True), ("loud.test", path))
    assert f'"GET {path} HTTP/1.1"' in log


@pytest.mark.parametrize("path", ["/down/", "/nothing/here"])
def test_errors_of_a_site_without_an_access_log_are_in_none(path: str) -> None:
    log = _logged(model.Globals(like_nginx_proxy=True), ("loud.test", path), ("quiet.test", path))
    assert "loud.test" in log
    assert "quiet.test" not in log


@pytest.mark.parametrize("path", ["/down/", "/nothing/here"])
def test_one_off_for_all_sites_counts_for_their_errors(path: str) -> None:
    off = nginx_snippet.parse_snippet("access_log off;")
    assert not _logged(model.Globals(like_nginx_proxy=True, snippet=off), ("loud.test", path))


def test_errors_of_a_route_are_in_the_log_of_that_route_alone(tmp_path: pathlib.Path) -> None:
    closed = f"127.0.0.1:{ports.free_port()}"
    actions: dict[str, tuple[model.Proxy | model.Files, int]] = {
        "down": (proxy(f"http://{closed}", options=catalogue.values(hold_option.OPTION.set(0.0))), 502),
        "held": (proxy(f"http://{closed}"), 502),
        "streamed": (proxy(f"http://{closed}", options=catalogue.values(buffering_option.OPTION.set(False))), 502),
        "grpc": (proxy(f"grpc://{closed}"), 502),
        "fastcgi": (proxy(f"fastcgi://{closed}"), 502),
        "memcached": (proxy(f"memcached://{closed}"), 502),
        "files": (model.Files(folder="/nowhere"), 404),
    }

    def routes(written: str) -> tuple[model.Route, ...]:
        snippet = nginx_snippet.parse_snippet(written)
        return tuple(route(f"/{name}/", action, snippet=snippet) for name, (action, _) in actions.items())

    own_log = tmp_path / "own.log"
    sites = (
        site("quiet.test", *routes("access_log off;"), route("/loud/", proxy(f"http://{closed}"))),
        site("own.test", *routes(f"access_log {own_log};")),
        site("other.test", *routes("access_log off; error_page 502 404 = @mine; send_timeout 3s;")),
    )
    settings = model.Globals(like_nginx_proxy=True)  # a line is written at once
    with rendered.running(*sites, settings=settings) as running, clients.client(running.clients) as one_connection:
        for host in ("quiet.test", "own.test"):
            for name, (_, status) in actions.items():
                for method, body in (("GET", b""), ("POST", b"x" * 5000)):
                    answer = one_connection.request(method, f"https://{host}/{name}/no?{method}", content=body)
                    expected = 405 if (name, method) == ("memcached", "POST") else status
                    assert answer.status_code == expected, (host, name, method)
                    assert ID.search(answer.text), (host, name, method)
        assert one_connection.get("https://quiet.test/loud/").status_code == 502
        assert one_connection.get("https://quiet.test/none").status_code == 404
        assert one_connection.get("https://quiet.test/last").status_code == 404
        log = pathlib.Path(running.layout.logs, "access.log")
        wait_for(lambda: "GET /last " in log.read_text(), "the last line")  # nginx logs after it has answered
        logged = log.read_text().splitlines()
        wait_for(lambda: own_log.read_text().count("\n") == 2 * len(actions), "the lines of own.test")
    assert [line.split('"')[1] for line in logged] == [f"GET /{path} HTTP/1.1" for path in ("loud/", "none", "last")]
    own = own_log.read_text()
    for name in actions:
        for method in ("GET", "POST"):
            assert own.count(f'"{method} /{name}/no?{method} ') == 1, own
