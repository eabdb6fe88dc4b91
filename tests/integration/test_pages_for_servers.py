"""`errors` with `servers: true`: pages of the owner's in place of what servers answer, and what stays theirs."""

import collections.abc
import http.server
import pathlib
import tempfile
import threading

import pytest

from daemun.core import model
from daemun.core.options import access_option, catalogue
from daemun.core.options.access_option import Access
from daemun.core.options.errors_option import ErrorPages
from daemun.core.options.forward_auth_forms import ForwardAuth, ForwardAuthKind
from daemun.core.options.page_file import PageFile
from tests.support import ports, rendered
from tests.support.sites import proxy, route, site

pytestmark = pytest.mark.nginx


class _Handler(http.server.BaseHTTPRequestHandler):
    """ "/x/404" is answered with 404 and the path."""

    protocol_version = "HTTP/1.1"
    seen: collections.Counter[str] = collections.Counter()

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.seen[f"{self.command} {self.path}"] += 1
        last = self.path.rpartition("/")[2]
        if last == "socket":
            self.send_response(101)
            self.send_header("Connection", "upgrade")
            self.send_header("Upgrade", "websocket")
            self.end_headers()
            self.wfile.write(b"framed")
            self.close_connection = True
            return
        body = f"server {self.path}".encode()
        self.send_response(int(last) if last.isdecimal() else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", "7")
        self.send_header("WWW-Authenticate", "Digest realm=x")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_HEAD = _answer  # noqa: N815 - names of the standard library

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden name
        """Tests read what was answered."""


@pytest.fixture(scope="module")
def gate() -> collections.abc.Iterator[rendered.Running]:
    with (
        tempfile.TemporaryDirectory(prefix="dm-") as name,
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        for page in ("lost", "sorry", "enter", "page"):
            (folder / f"{page}.html").write_text(f"page {page}")

        def pages(servers: bool | None = None, **named: str) -> ErrorPages:
            found = ((key[1:], PageFile(path=str(folder / f"{one}.html"))) for key, one in named.items())
            return ErrorPages(pages=tuple(found), servers=servers)

        url = f"http://127.0.0.1:{server.server_address[1]}"
        outside = catalogue.values(access_option.OPTION.set(Access(allow=("203.0.113.0/24",))))
        limited = Access(connections=50)
        routes = (
            route("/", url),
            route("/inner/", f"{url}/"),
            route("/held/", proxy(url, hold=1.0)),
            route("/waits/", proxy(f"http://127.0.0.1:{ports.free_port()}", hold=0.2)),
            route("/down/", proxy(f"http://127.0.0.1:{ports.free_port()}", hold=0.0)),
            route("/outside/", url, options=outside),
            route("/limited/", url, access=limited),
            route(
                "/judged/", url, access=Access(forward_auth=ForwardAuth(kind=ForwardAuthKind.TRAEFIK, url=f"{url}/200"))
            ),
            route(
                "/refused/",
                url,
                access=Access(forward_auth=ForwardAuth(kind=ForwardAuthKind.TRAEFIK, url=f"{url}/401")),
            ),
            route("/unbuffered/", proxy(url, buffering=False)),
            route("/api/", url, errors=pages(servers=False)),
            route("/enter/", url, errors=pages(servers=True, s401="enter", s419="page", s410="page")),
            route("~ ^/by/(?<id>[0-9]+)$", f"{url}/one/${{id}}"),
        )
        own = site("own.test", *routes, errors=pages(servers=True, s404="lost", s503="sorry"))
        of_gate = site("gate.test", route("/", url), errors=pages(s404="lost"))
        further = site("further.test", route("/", url), errors=pages(servers=True))
        settings = model.Globals(options=catalogue.values_of({"errors": pages(s404="page")}))
        with rendered.running(own, of_gate, further, settings=settings) as running:
            yield running
        server.shutdown()


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/404", 404, "page lost"),
        ("/503", 503, "page sorry"),
        ("/held/404", 404, "page lost"),
        ("/inner/404", 404, "page lost"),
        ("/limited/404", 404, "page lost"),
        ("/unbuffered/404", 404, "page lost"),
        ("/by/404", 404, "page lost"),
        ("/enter/401", 401, "page enter"),
        ("/enter/410", 410, "page page"),
        ("/enter/419", 419, "page page"),
        ("/200", 200, "server /200"),
        ("/401", 401, "server /401"),
        ("/403", 403, "server /403"),
        ("/judged/401", 401, "server /judged/401"),
        ("/judged/404", 404, "page lost"),
        ("/refused/404", 401, "server /401"),
        ("/418", 418, "server /418"),
        ("/419", 419, "server /419"),
        ("/500", 500, "server /500"),
        ("/held/500", 500, "server /held/500"),
        ("/api/404", 404, "server /api/404"),
        ("/api/503", 503, "server /api/503"),
    ],
)
def test_what_servers_answer(gate: rendered.Running, method: str, path: str, status: int, text: str) -> None:
    """A body of more than 10 kB, which is counted elsewhere, makes no difference."""
    answer = gate.ask(method, f"https://own.test{path}", body=b"x" * 20_000 if method == "POST" else b"")
    assert (answer.status_code, answer.text) == (status, "" if method == "HEAD" else text)
    assert answer.headers["Content-Length"] == str(len(text))


def test_each_request_is_sent_once(gate: rendered.Running) -> None:
    _Handler.seen.clear()
    for path in ("/404", "/418", "/419", "/503", "/held/503"):
        gate.ask("POST", f"https://own.test{path}", body=b"x" * 20_000)
    assert set(_Handler.seen.values()) == {1}


def test_what_stays_with_a_page(gate: rendered.Running) -> None:
    assert gate.get("https://own.test/503").headers["Retry-After"] == "7"
    assert gate.get("https://own.test/enter/401").headers["WWW-Authenticate"] == "Digest realm=x"


def test_the_gates_own_errors_are_as_ever(gate: rendered.Running) -> None:
    for path in ("/down/", "/waits/"):
        answer = gate.get(f"https://own.test{path}", Accept="application/json")
        assert (answer.status_code, answer.json()["status"]) == (502, 502)
    answer = gate.get("https://own.test/outside/404", Accept="application/json")
    assert (answer.status_code, answer.json()["status"]) == (403, 403)


def test_a_websocket_opens(gate: rendered.Running) -> None:
    upgrade = "GET /socket HTTP/1.1\nHost: own.test\nConnection: upgrade\nUpgrade: websocket\n\n"
    answer = gate.raw(upgrade, name="own.test", tls=True)
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.endswith(b"framed")
    refused = gate.get("https://own.test/404", Connection="upgrade", Upgrade="websocket")
    assert (refused.status_code, refused.text) == (404, "page lost")


def test_pages_further_out_are_for_servers_where_a_site_says_so(gate: rendered.Running) -> None:
    assert gate.get("https://gate.test/404").text == "server /404"
    assert gate.get("https://further.test/404").text == "page page"
