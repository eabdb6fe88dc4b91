"""Hostile servers name locations of the gate in `X-Accel-Redirect`: nothing but their own answer comes of it, except
where an owner wrote nginx for the site, whose internal locations are there for it."""

import collections.abc
import contextlib
import pathlib
import re
import tempfile
import urllib.parse

import pytest

from daemun.core import model
from daemun.core.directive import Directive, Expr, Text
from tests.support import bad_servers, clients, echo, rendered, responders
from tests.support.sites import proxy, route, site

pytestmark = pytest.mark.nginx

OTHERS = ("Limit-Rate: 1000000", "Charset: koi8-r", "Expires: 60", "Buffering: yes")
_LOCATION = re.compile(r"^\s*location (?:(?:=|~|\^~) )?\"?([^\s\"]+)\"? \{", re.MULTILINE)


def _headers(path: str) -> str:
    there = urllib.parse.unquote(path.partition("?")[2])
    return "".join(f"X-Accel-{line}\r\n" for line in (f"Redirect: {there}", *OTHERS)) + "X-Daemun-To: 127.0.0.1:1\r\n"


def _hostile(path: str, _: collections.abc.Mapping[str, str]) -> bytes:
    return f"HTTP/1.1 200 OK\r\n{_headers(path)}Content-Length: 4\r\nConnection: close\r\n\r\nmine".encode()


def _hostile_cgi(parameters: dict[str, str], body: bytes) -> bytes:
    return f"Status: 200 OK\r\n{_headers(parameters['REQUEST_URI'])}\r\nmine".encode()


class _HostileFastCgi(responders.FastCgi):
    answer = staticmethod(_hostile_cgi)


class _HostileUwsgi(responders.Uwsgi):
    answer = staticmethod(_hostile_cgi)


class _HostileScgi(responders.Scgi):
    answer = staticmethod(_hostile_cgi)


class _HostileGrpc(responders.Http2):
    headers = (("x-accel-redirect", "/files/secret.txt"),)


@contextlib.contextmanager
def _server(scheme: str) -> collections.abc.Iterator[str]:
    handlers = {"fastcgi": _HostileFastCgi, "uwsgi": _HostileUwsgi, "scgi": _HostileScgi}
    if scheme in handlers:
        with responders.responder(handlers[scheme]) as place:
            yield f"{scheme}://{place}"
    else:
        with bad_servers.running(_hostile) as server:
            yield f"{scheme}://127.0.0.1:{server.port}"


@contextlib.contextmanager
def _secrets() -> collections.abc.Iterator[tuple[echo.EchoServer, pathlib.Path]]:
    """A server and a folder that are not the hostile server's."""
    with tempfile.TemporaryDirectory() as folder, echo.echo_server("secret") as server:
        pathlib.Path(folder).chmod(0o755)
        pathlib.Path(folder, "secret.txt").write_text("secret")
        yield server, pathlib.Path(folder)


def _ask(gate: rendered.Running, host: str, there: str, path: str = "/x") -> tuple[int, str, set[str]]:
    answer = clients.get(gate.clients, f"http://{host}{path}?{urllib.parse.quote(there, safe='')}")
    return answer.status_code, answer.text, {name.lower() for name in answer.headers if name.lower() != "connection"}


@pytest.mark.parametrize("scheme", ["http", "fastcgi", "uwsgi", "scgi"])
def test_a_server_leads_nowhere(scheme: str) -> None:
    with _secrets() as (server, folder), _server(scheme) as hostile:
        given = site(
            "app.test",
            route("/", hostile),
            route("/path/", f"{hostile}/inner/" if scheme == "http" else hostile),
            route("/other/", f"http://127.0.0.1:{server.port}"),
            route("/files/", model.Files(folder=str(folder))),
            route("/moved", model.Redirect(to="https://else.test/")),
            http=model.HttpMode.SERVE,
        )
        with rendered.running(given) as gate:
            paths = ("sites/app.test.conf", "errors.conf", "challenge.conf")
            written = "".join(gate.files[path].decode() for path in paths)
            places = [*_LOCATION.findall(written), "/files/secret.txt", "/other/x?y", "@unknown"]
            assert sum(place.startswith("@") for place in places) > 10, places
            for place in dict.fromkeys(places):
                for path in ("/x", "/path/x"):
                    status, text, headers = _ask(gate, "app.test", place, path)
                    assert (status, text) == (200, "mine"), (place, path)
                    assert not {name for name in headers if name.startswith("x-accel")}, (place, headers)


def test_nor_does_one_of_a_site_that_shares_its_blocks() -> None:
    with _secrets() as (server, _), _server("http") as hostile:
        shared = [
            site(host, url) for host, url in (("app.test", hostile), ("other.test", f"http://127.0.0.1:{server.port}"))
        ]
        with rendered.running(*shared, own_blocks=0) as gate:
            places = _LOCATION.findall(gate.files["shared.conf"].decode())
            assert len(places) > 5
            for place in places:
                there = urllib.parse.quote(place, safe="")
                answer = clients.get(gate.clients, f"https://app.test/x?{there}")
                assert (answer.status_code, answer.text) == (200, "mine"), place


def test_nor_does_one_that_speaks_grpc() -> None:
    with _secrets() as (_, folder), responders.responder(_HostileGrpc) as place:
        given = site("app.test", f"grpc://{place}", route("/files/", model.Files(folder=str(folder))))
        with rendered.running(given) as gate:
            answer = clients.get(gate.clients, "https://app.test/x", http2=True)
        assert (answer.status_code, answer.json()["protocol"]) == (200, "HTTP/2")


def _protected(folder: pathlib.Path) -> Directive:
    inside = (Directive("internal", ()), Directive("alias", (Text(f"{folder}/"),)))
    return Directive("location", (Text("/protected/"),), inside)


def test_an_owner_s_internal_location_is_there_for_it() -> None:
    with _secrets() as (_, folder), _server("http") as hostile:
        at_site = site("site.test", route("/", hostile), snippet=(_protected(folder),), http=model.HttpMode.SERVE)
        at_route = site(
            "route.test",
            route("/", proxy(hostile), snippet=(Directive("send_timeout", (Text("30s"),)),)),
            route("/files/", model.Files(folder=str(folder))),
            http=model.HttpMode.SERVE,
        )
        with rendered.running(at_site, at_route) as gate:
            assert _ask(gate, "site.test", "/protected/secret.txt")[:2] == (200, "secret")
            assert clients.get(gate.clients, "http://site.test/protected/secret.txt").status_code == 404
            assert _ask(gate, "route.test", "/files/secret.txt")[:2] == (200, "secret")


@pytest.mark.parametrize(
    ("line", "is_followed"),
    [
        (Directive("limit_req_zone", (Expr("$binary_remote_addr"), Text("zone=one:1m"), Text("rate=1r/s"))), False),
        (Directive("proxy_ignore_headers", (Text("Cache-Control"),)), True),
        (Directive("proxy_ignore_headers", (Text("X-Accel-Redirect"), Text("Cache-Control"))), False),
    ],
)
def test_nginx_for_the_whole_gate_decides_where_it_says_what_is_ignored(line: Directive, is_followed: bool) -> None:
    with _secrets() as (_, folder), _server("http") as hostile:
        given = site("app.test", hostile, route("/files/", model.Files(folder=str(folder))), http=model.HttpMode.SERVE)
        with rendered.running(given, settings=model.Globals(snippet=(line,))) as gate:
            assert _ask(gate, "app.test", "/files/secret.txt")[1] == ("secret" if is_followed else "mine")
