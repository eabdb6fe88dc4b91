"""`errors`: what visitors receive where the gate itself answers with an error, and the owner has a page for it."""

import collections.abc
import contextlib
import os
import pathlib
import tempfile

import pytest

from daemun.core import model
from daemun.core.options import access_option, catalogue
from daemun.core.options.access_option import Access
from daemun.core.options.errors_option import ErrorPages
from daemun.core.options.page_file import PageFile
from tests.support import echo, header_server, ports, rendered
from tests.support.sites import proxy, route, site, target

pytestmark = pytest.mark.nginx


@pytest.fixture(scope="module")
def folder() -> collections.abc.Iterator[pathlib.Path]:
    with tempfile.TemporaryDirectory(prefix="dm-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        for page in ("gate", "site", "route", "sorry", "gone"):
            (folder / f"{page} $1.html").write_text(f"page {page}")
        yield folder


@pytest.fixture(scope="module")
def gate(one: echo.EchoServer, folder: pathlib.Path) -> collections.abc.Iterator[rendered.Running]:
    def pages(**named: str) -> ErrorPages:
        found = ((key.removeprefix("s"), PageFile(path=str(folder / f"{name} $1.html"))) for key, name in named.items())
        return ErrorPages(pages=tuple(found))

    def down(scheme: str = "http", *, hold: float = 0.0) -> model.Proxy:
        return proxy(f"{scheme}://127.0.0.1:{ports.free_port()}", hold=hold)

    outside = catalogue.values(access_option.OPTION.set(Access(allow=("203.0.113.0/24",))))
    with header_server.running() as sending:
        own = site(
            "own.test",
            route("/", one.url),
            route("/sends/", sending),
            route("/down/", down(hold=0.0)),
            route("/waits/", down(hold=0.2)),
            route("/grpc/", model.Proxy(targets=(target(f"grpc://127.0.0.1:{ports.free_port()}"),))),
            route("/cgi/", down("fastcgi")),
            route("/inside/", one.url, options=outside),
            route("/files/", model.Files(folder=str(folder))),
            route("/mine/", model.Files(folder=str(folder)), errors=pages(s404="route")),
            route("/small/", one.url, max_body=1, errors=pages(s4xx="route")),
            route("/deny/", model.Respond(status=403), errors=pages(s403="route")),
            errors=pages(s4xx="site", s403="gone", s5xx="sorry"),
        )
        guarded = site("guarded.test", one.url, options=outside, errors=pages(s403="site"))
        further = site("further.test", route("/", model.Files(folder=str(folder))))
        settings = model.Globals(options=catalogue.values_of({"errors": pages(s404="gate")}))
        with rendered.running(own, guarded, further, settings=settings) as running:
            yield running


@pytest.mark.parametrize(
    ("method", "url", "status", "page"),
    [
        ("GET", "https://own.test/files/none", 404, "site"),
        ("GET", "https://own.test/files/.hidden", 404, "site"),
        ("GET", "https://own.test/mine/none", 404, "route"),
        ("GET", "https://own.test/down/", 502, "sorry"),
        ("POST", "https://own.test/down/", 502, "sorry"),
        ("GET", "https://own.test/waits/", 502, "sorry"),
        ("POST", "https://own.test/waits/", 502, "sorry"),
        ("POST", "https://own.test/cgi/", 502, "sorry"),
        ("POST", "https://own.test/files/gate%20$1.html", 405, "site"),
        ("POST", "https://own.test/small/", 413, "route"),
        ("PUT", "https://own.test/deny/x", 403, "route"),
        ("POST", "https://own.test/inside/", 403, "gone"),
        ("GET", "https://guarded.test/", 403, "site"),
        ("GET", "https://further.test/none", 404, "gate"),
        ("GET", "http://unknown.test/", 404, "gate"),
    ],
)
def test_the_nearest_page_for_each_status(
    gate: rendered.Running, method: str, url: str, status: int, page: str
) -> None:
    answer = gate.ask(method, url, body=b"body" if method != "GET" else b"")
    assert (answer.status_code, answer.text) == (status, f"page {page}")
    assert answer.headers["Content-Type"].startswith("text/html")


def test_pages_of_servers_stay(gate: rendered.Running) -> None:
    answer = gate.get("https://own.test/sends/missing")
    assert (answer.status_code, answer.text) == (404, "ok")


def test_what_has_no_page_has_the_gates(gate: rendered.Running) -> None:
    answer = gate.get("https://further.test/none", Accept="application/json")
    assert answer.text == "page gate"
    answer = gate.ask("POST", "https://further.test/gate%20$1.html", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["status"]) == (405, 405)


def test_while_the_file_is_gone_the_gates_page_is_shown(gate: rendered.Running, folder: pathlib.Path) -> None:
    file = folder / "gone $1.html"
    file.rename(folder / "away")
    for is_link in (False, True)[: 1 + (os.geteuid() == 0)]:
        if is_link:
            file.symlink_to("away")
            os.lchown(file, 65534, 65534)  # a stranger's
        answer = gate.ask("POST", "https://own.test/inside/", headers={"Accept": "application/json"})
        assert (answer.status_code, answer.json()["status"]) == (403, 403)
    file.unlink(missing_ok=True)
    (folder / "away").rename(file)
    assert gate.get("https://own.test/inside/").text == "page gone"


def test_no_visitor_requests_a_page(gate: rendered.Running) -> None:
    for content in gate.files.values():
        for place in {word.rstrip(b";") for word in content.split() if word.startswith(b"/.daemun-page-")}:
            assert gate.get(f"https://own.test{place.decode()}").text != "page gate"
            assert gate.get(f"https://further.test{place.decode()}").status_code == 404


def test_sites_that_share_their_blocks(folder: pathlib.Path) -> None:
    pages = ErrorPages(pages=(("5xx", PageFile(path=str(folder / "sorry $1.html"))),))
    settings = model.Globals(options=catalogue.values_of({"errors": pages}))
    away = site("shared.test", f"http://127.0.0.1:{ports.free_port()}")
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(rendered.running(away, settings=settings, own_blocks=0))
        assert running.get("https://shared.test/").text == "page sorry"
