"""Which path a server receives of a route with `rewrite`."""

import collections.abc

import pytest

from daemun.core import model
from daemun.core.options import access_option, rewrite_option
from tests.support import echo, rendered
from tests.support.sites import proxy, route, site

pytestmark = pytest.mark.nginx

USERS = rewrite_option.Rewrite(match="^/u/(?<id>[0-9]+)(?<rest>/.*)?$", to="/users/${id}/$host${rest}")


def placed(path: str, url: str, **rewrite: str) -> model.Route:
    """As the sources make it."""
    made = route(path, proxy(url), rewrite=rewrite_option.Rewrite(**rewrite))
    return route(path, rewrite_option.place_path(path, made.action))


@pytest.fixture(scope="module")
def gate(one: echo.EchoServer) -> collections.abc.Iterator[rendered.Running]:
    routes = (
        route("/u/", one.url, rewrite=USERS),
        route("/whole/", one.url, rewrite=rewrite_option.Rewrite(match="^.*$", to="/always%20here")),
        route("/mid", one.url, rewrite=rewrite_option.Rewrite(match="^/mid(?<n>.*)$", to="/in/${n}")),
        route(
            "/by-",
            one.url,
            rewrite=rewrite_option.Rewrite(match="^/by-(?<id>[^-]*)-(?<rest>.*)$", to="/users/${id}/${rest}"),
        ),
        route(
            "/two-",
            one.url,
            rewrite=rewrite_option.Rewrite(match="^/two-(?<a>[^-]*)-(?<b>[^-]*)-(?<c>.*)$", to="/pub/${b}${a}/${c}"),
        ),
        placed("/legacy/", one.url, strip="/legacy", add="/v1"),
        placed("/gone/", one.url, strip="/gone/"),
        placed("/deep/er/", one.url, strip="/deep"),
        placed("/more/", one.url, add="/v2/"),
    )
    guarded = site(
        "guarded.test",
        route("/u/", one.url, rewrite=USERS),
        access=access_option.Access(allow=("127.0.0.1",)),
    )
    with rendered.running(site("open.test", *routes), guarded) as nginx:
        yield nginx


@pytest.mark.parametrize(
    ("asked", "received"),
    [
        ("/u/7", "/users/7/$host"),
        ("/u/7?x=%20&y", "/users/7/$host?x=%20&y"),
        ("/u/7/a%20b", "/users/7/$host/a%20b"),
        ("/u/7/a%3Fb%26c", "/users/7/$host/a%3Fb&c"),
        ("/u/7/%0d%0aX:%20y", "/users/7/$host/%0D%0AX:%20y"),
        ("/u/%37", "/users/7/$host"),
        ("/u/x%2Fy", "/u/x%2Fy"),
        ("/whole/x", "/always%20here"),
        ("/mid/x", "/in//x"),
        ("/mid/a.b../c..d", "/in//a.b../c..d"),
        ("/by-7-x/y.", "/users/7/x/y."),
        ("/by-...-x", "/users/.../x"),
        ("/two-a-b-c", "/pub/ba/c"),
        ("/legacy/a%2Fb?c", "/v1/a%2Fb?c"),
        ("/gone/x", "/x"),
        ("/gone/", "/"),
        ("/deep/er/x", "/er/x"),
        ("/more/x", "/v2/more/x"),
    ],
)
@pytest.mark.parametrize("kind", ["ordinary", "with a body", "a WebSocket"])
def test_the_server_receives(gate: rendered.Running, asked: str, received: str, kind: str) -> None:
    """Bodies and WebSockets take other locations, and must reach the same place."""
    more = {"ordinary": "", "with a body": "Content-Length: 1\n", "a WebSocket": "Upgrade: websocket\n"}[kind]
    method, body = ("POST", "x") if kind == "with a body" else ("GET", "")
    answer = gate.raw(
        f"{method} {asked} HTTP/1.1\nHost: open.test\nConnection: close\n{more}\n{body}",
        name="open.test",
        tls=True,
    )
    text = answer.partition(b"\r\n\r\n")[2]
    said = echo.Said.parse(text[text.index(b"{") : text.rindex(b"}") + 1])
    assert said.path == received


@pytest.mark.parametrize(
    "path",
    [
        "/by-..-admin",
        "/by-%2e%2e-admin",
        "/by-.-admin",
        "/two-.-.-x",
        "/two-..--x",
        "/two--..-x",
        "/by-7-..;/x",
        "/mid/../mid/%5c..",
        "/mid../admin",
        "/mid%2e%2e/admin",
        "/mid..;/admin",
        "/mid..%5cadmin",
        "/mid./.x/.",
    ],
)
def test_no_group_leads_out(gate: rendered.Running, path: str) -> None:
    answer = gate.raw(f"GET {path} HTTP/1.1\nHost: open.test\nConnection: close\n\n", name="open.test", tls=True)
    assert answer.split(b" ", 2)[1] == b"400"


def test_a_guarded_route_is_rewritten_too(gate: rendered.Running) -> None:
    assert gate.said("https://guarded.test/u/7").path == "/users/7/$host"
