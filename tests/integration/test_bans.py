"""Banned addresses, as visitors of nginx on rendered files meet them."""

import collections.abc
import contextlib
import os
import pathlib
import tempfile

import httpx
import pytest

from daemun.core import model
from daemun.core.access import banned_networks
from daemun.core.options import access_option, catalogue, trusted_proxies_option
from daemun.sources import nginx_snippet
from tests.support import clients, echo, rendered
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

TRUSTING = model.Globals(options=catalogue.values(trusted_proxies_option.OPTION.set(("127.0.0.1",))))
PRIVATE = access_option.OPTION.set(access_option.Access(allow=("private",)))


@pytest.fixture(scope="module")
def gate(one: echo.EchoServer) -> collections.abc.Iterator[rendered.Running]:
    there = f"http://127.0.0.1:{one.port}"
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)
        pathlib.Path(folder, "page.txt").write_text("page")
        pathlib.Path(folder, "link.txt").symlink_to("page.txt")
        if os.geteuid() == 0:
            pathlib.Path(folder, "foreign.txt").symlink_to("page.txt")
            os.lchown(pathlib.Path(folder, "foreign.txt"), 4711, 4711)
        site_ = site(
            "banned.test",
            route("/", there),
            route("/files/", model.Files(folder=folder)),
            route("/moved/", model.Redirect(to="https://else.test/")),
            route("/guarded/", there, options=catalogue.values(PRIVATE)),
            snippet=nginx_snippet.parse_snippet("location /own/ { return 204; } error_page 403 429 /own/page;"),
        )
        plain = site("plain.test", there, tls=model.Tls(mode=model.TlsMode.OFF))
        with rendered.running(site_, plain, settings=TRUSTING, ban_steps=3) as running:
            yield running


@contextlib.contextmanager
def banned(gate: rendered.Running, text: str, mode: int = 0o640) -> collections.abc.Iterator[None]:
    paths = [pathlib.Path(gate.layout.bans, name) for name in banned_networks.find_names(banned_networks.parse(text))]
    for path in paths:
        path.touch(mode)
        path.chmod(mode)
    try:
        yield
    finally:
        for path in paths:
            path.unlink()


def visit(gate: rendered.Running, address: str, url: str = "https://banned.test/", **headers: str) -> httpx.Response:
    return gate.ask("GET", url, headers={"X-Forwarded-For": address, **headers})


@pytest.mark.parametrize(
    "path", ["/", "/files/page.txt", "/files/", "/moved/", "/own/", "/guarded/", "/%2e%2e/x", "//"]
)
def test_every_location_refuses(gate: rendered.Running, path: str) -> None:
    with banned(gate, "203.0.113.7"):
        assert visit(gate, "203.0.113.7", f"https://banned.test{path}").status_code in {400, 403}
        assert visit(gate, "203.0.113.7", f"http://banned.test{path}").status_code in {400, 403}
        assert visit(gate, "203.0.113.8", f"https://banned.test{path}").status_code in {200, 204, 301, 400, 403}
    assert visit(gate, "203.0.113.7").status_code == 200


def test_a_site_without_tls(gate: rendered.Running) -> None:
    with banned(gate, "203.0.113.7"):
        assert visit(gate, "203.0.113.7", "http://plain.test/").status_code == 403
        assert visit(gate, "203.0.113.17", "http://plain.test/").status_code == 200


@pytest.mark.parametrize(
    ("ban", "inside", "outside"),
    [
        ("203.0.113.0/24", ["203.0.113.0", "203.0.113.255"], ["203.0.112.255", "203.0.114.0"]),
        ("203.0.113.0/25", ["203.0.113.0", "203.0.113.127"], ["203.0.113.128"]),
        ("198.18.0.0/15", ["198.18.0.1", "198.19.255.255"], ["198.20.0.1"]),
        ("198.18.64.0/18", ["198.18.64.1", "198.18.127.1"], ["198.18.128.1", "198.18.63.1"]),
        ("2001:db8::5", ["2001:db8::", "2001:db8::1:2:3:4", "2001:db8:0:0:1::"], ["2001:db8:0:1::", "2001:db9::"]),
        ("2001:db8:0:1::", ["2001:db8:0:1::1", "2001:db8::1:0:0:0:5"], ["2001:db8::1:0:0:5"]),
        ("2001:0:0:1::", ["2001::1:2:3:4:5", "2001:0:0:1::"], ["2001::1", "2001:0:1:1::"]),
        ("2001:db8:1:2::/64", ["2001:db8:1:2::1", "2001:db8:1:2:3:4:5:6"], ["2001:db8:1:3::1"]),
        ("2001:db8::/32", ["2001:db8::1", "2001:db8:ffff:1::"], ["2001:db9::1"]),
        ("2001:db8:ab00::/40", ["2001:db8:ab00::1", "2001:db8:abff::1"], ["2001:db8:ac00::1"]),
        ("fd00::/48", ["fd00::1", "fd00:0:0:7::1"], ["fd00:0:1::1"]),
        ("::ffff:203.0.113.9", ["203.0.113.9", "::ffff:203.0.113.9"], ["203.0.113.10"]),
    ],
)
def test_networks(gate: rendered.Running, ban: str, inside: list[str], outside: list[str]) -> None:
    with banned(gate, ban):
        assert [visit(gate, one).status_code for one in inside] == [403] * len(inside)
        assert [visit(gate, one).status_code for one in outside] == [200] * len(outside)


@pytest.mark.parametrize("accept", ["text/html", "application/json", "*/*"])
def test_who_waits_gets_a_page_with_the_time(gate: rendered.Running, accept: str) -> None:
    with banned(gate, "203.0.113.7", 0o750):
        answer = visit(gate, "203.0.113.7", Accept=accept)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
        assert "Too many requests" in answer.text
    with banned(gate, "203.0.113.7"):
        answer = visit(gate, "203.0.113.7", Accept=accept)
        assert "Retry-After" not in answer.headers
        assert "Not allowed" in answer.text
        assert answer.headers["Content-Type"].split(";")[0] in {"text/html", "application/json", "text/plain"}


def test_certificate_authorities_come_in(gate: rendered.Running) -> None:
    token = "a" * 32
    with banned(gate, "203.0.113.7"):
        url = f"http://banned.test/.well-known/acme-challenge/{token}"
        assert visit(gate, "203.0.113.7", url).text == f"{token}.{rendered.THUMBPRINT}"
        for spelling in ("/.well-known/acme-challenge/../../", "/.well-known/acme-challenge", "/.well-known//x"):
            assert visit(gate, "203.0.113.7", f"http://banned.test{spelling}").status_code in {400, 403}


def test_an_open_connection_is_refused_too(gate: rendered.Running) -> None:
    headers = {"X-Forwarded-For": "203.0.113.7"}
    for http2 in (False, True):
        with clients.client(gate.clients, http2=http2) as client:
            assert client.get("https://banned.test/", headers=headers).status_code == 200
            with banned(gate, "203.0.113.7"):
                assert client.get("https://banned.test/", headers=headers).status_code == 403
            assert client.get("https://banned.test/", headers=headers).status_code == 200


def test_links_in_folders_are_judged_as_ever(gate: rendered.Running) -> None:
    """What nginx follows while it tests for a ban is nothing else's."""
    assert visit(gate, "203.0.113.7", "https://banned.test/files/link.txt").text == "page"
    assert visit(gate, "203.0.113.7", "https://banned.test/files/foreign.txt").status_code in {403, 404}
