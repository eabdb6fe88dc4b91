"""`trailing_slash`, and how redirects of a site are one: scheme, name and slash in a single step."""

import collections.abc
import pathlib
import tempfile

import pytest

from daemun.core import model
from daemun.core.options import access_option, forward_auth_forms, hsts_option, maintenance_option
from daemun.core.options.trailing_slash_option import Slash
from tests.support import echo, rendered
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx


@pytest.fixture(scope="module")
def gate(one: echo.EchoServer) -> collections.abc.Iterator[rendered.Running]:
    with tempfile.TemporaryDirectory(prefix="dm-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        (folder / "sub").mkdir(mode=0o755)
        (folder / "sub" / "index.html").write_text("sub")
        judge = forward_auth_forms.ForwardAuth(kind=forward_auth_forms.ForwardAuthKind.OAUTH2_PROXY, url=one.url)
        routes = (
            route("/", one.url),
            route("/api/", one.url),
            route("= /exact", one.url),
            route("= /exact/", one.url),
            route("/files/", model.Files(folder=name)),
            route("/rpc/", model.Proxy(targets=(model.Target(scheme=model.Scheme.GRPC, host="127.0.0.1", port=1),))),
            route("/private/", one.url, access=access_option.Access(forward_auth=judge)),
        )
        www = {"aliases": ("www.add.test",), "redirect_aliases": True}
        sites = (
            site("add.test", *routes, trailing_slash=Slash.ADD, **www),
            site("remove.test", *routes, trailing_slash=Slash.REMOVE),
            site("keep.test", *routes, aliases=("www.keep.test",), redirect_aliases=True),
            site(
                "listed.test",
                one.url,
                aliases=("www.listed.test",),
                redirect_aliases=True,
                hsts=hsts_option.Hsts(preload=True),
            ),
            site("both.test", *routes, trailing_slash=Slash.ADD, http=model.HttpMode.SERVE),
            site("closed.test", one.url, trailing_slash=Slash.ADD, maintenance=maintenance_option.Maintenance()),
        )
        with rendered.running(*sites) as running:
            yield running


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
@pytest.mark.parametrize(
    ("url", "there"),
    [
        ("https://add.test/about", "/about/"),
        ("https://add.test/a.b/c%20d?x=1&y", "/a.b/c%20d/?x=1&y"),
        ("https://add.test/api", "/api/"),
        ("https://add.test/api/x?", "/api/x/?"),
        ("https://remove.test/about/", "/about"),
        ("https://remove.test/about//?x=/", "/about?x=/"),
        ("https://remove.test/api/x/", "/api/x"),
        ("https://remove.test/style.css/", "/style.css"),
        ("http://both.test/about", "/about/"),
    ],
)
def test_a_redirect(gate: rendered.Running, method: str, url: str, there: str) -> None:
    answer = gate.ask(method, url)
    assert (answer.status_code, answer.headers["Location"]) == (301 if method in {"GET", "HEAD"} else 308, there)


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/?x", "/about/", "/style.css", "/a/", "//evil.test", "/\\evil.test", "//evil.test/x", "/exact"),
        *("/.well-known/x", "/.x", "/rpc/pkg.Service/Method", "/files/sub/", "/oauth2/callback"),
    ],
)
def test_what_needs_no_slash_more(gate: rendered.Running, path: str) -> None:
    assert _location(gate, "add.test", path) is None


@pytest.mark.parametrize(
    "path",
    [
        *("/", "//", "/?x=/", "/about", "/api/", "/api/?x", "/exact/", "//evil.test/", "/\\evil.test/"),
        *("/.well-known/x/", "/rpc/x/", "/files/sub/", "/oauth2/x/"),
    ],
)
def test_what_needs_no_slash_less(gate: rendered.Running, path: str) -> None:
    assert _location(gate, "remove.test", path) is None


def _location(gate: rendered.Running, host: str, path: str) -> str | None:
    answer = gate.raw(f"GET {path} HTTP/1.1\nHost: {host}\nConnection: close\n\n", name=host, tls=True)
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1")
    found = [line for line in head.split("\r\n") if line.lower().startswith("location: ")]
    # A judge has its own redirects.
    return None if not found or " 301 " not in head.split("\r\n")[0] else found[0]


@pytest.mark.parametrize("headers", [{"Connection": "upgrade", "Upgrade": "websocket"}, None])
def test_what_no_browser_follows_is_served(gate: rendered.Running, headers: dict[str, str] | None) -> None:
    method = "GET" if headers else "OPTIONS"
    assert "Location" not in gate.ask(method, "https://add.test/about", headers=headers).headers


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("url", "there"),
    [
        ("http://add.test/about?x", "https://add.test:{https}/about/?x"),
        ("http://www.add.test/about?x", "https://add.test:{https}/about/?x"),
        ("https://www.add.test:{https}/about?x", "https://add.test:{https}/about/?x"),
        ("http://www.add.test//evil.test", "https://add.test:{https}//evil.test"),
        ("http://www.keep.test/about?x", "https://keep.test:{https}/about?x"),
        ("http://www.listed.test/about", "https://www.listed.test:{https}/about"),
        ("https://www.listed.test:{https}/about", "https://listed.test:{https}/about"),
    ],
)
def test_one_redirect_for_all(gate: rendered.Running, method: str, url: str, there: str) -> None:
    answer = gate.ask(
        method, url.format(https=gate.https), headers={"Host": url.split("/")[2].format(https=gate.https)}
    )
    assert answer.status_code == (301 if method == "GET" else 308)
    assert answer.headers["Location"] == there.format(https=gate.https)


def test_a_closed_site_is_closed_first(gate: rendered.Running) -> None:
    assert gate.get("https://closed.test/about").status_code == 503
