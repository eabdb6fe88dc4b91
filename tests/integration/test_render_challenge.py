"""C5, C6, C7: who answers the ACME challenge, and who is sent to HTTPS, behind and in front of other programs."""

import collections.abc
import http.client
import socket
import ssl

import pytest

from daemun.core import model
from daemun.core.options import catalogue, redirect_status_option, trusted_proxies_option
from tests.support import echo, rendered
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

TOKEN = "/.well-known/acme-challenge/LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
TRUSTING = model.Globals(options=catalogue.values(trusted_proxies_option.OPTION.set(("127.0.0.1/32",))))
SHARED = [site(f"s{number:03}.test", "http://127.0.0.1:9") for number in range(3)]


@pytest.fixture(name="app")
def running_app() -> collections.abc.Iterator[echo.EchoServer]:
    with echo.echo_server("app") as server:
        yield server


def ask(
    gate: rendered.Running, host: str, path: str, *, https: bool = False, method: str = "GET", proto: str | None = None
) -> tuple[int, str, str]:
    """Status, Location and body. proto: as X-Forwarded-Proto."""
    port = gate.clients.https if https else gate.clients.http
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    if https:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", port), timeout=20)
        connection.sock = context.wrap_socket(plain, server_hostname=host)
    try:
        connection.request(method, path, headers={"Host": host, **({"X-Forwarded-Proto": proto} if proto else {})})
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Location", ""), answer.read().decode(errors="replace")
    finally:
        connection.close()


# --- C5 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"http": model.HttpMode.SERVE},
        {"http": model.HttpMode.OFF},
        {"aliases": ("www.a.test",)},
        {"aliases": ("www.a.test",), "redirect_aliases": True},
    ],
    ids=str,
)
def test_c5_the_challenge_is_answered_on_https_too(app: echo.EchoServer, options: dict[str, object]) -> None:
    wanted = site("a.test", f"http://127.0.0.1:{app.port}", **options)
    with rendered.running(wanted) as gate:
        for name in wanted.names:
            status, _, body = ask(gate, name, TOKEN, https=True)
            assert (status, body.partition(".")[0]) == (200, TOKEN.rpartition("/")[2]), name
            assert ask(gate, name, TOKEN)[::2] == (200, body), "as on plain HTTP"
        assert ask(gate, "a.test", "/.well-known/acme-challenge/short", https=True)[0] == 404
        assert ask(gate, "a.test", "/other", https=True)[0] == 200


def test_c5_sites_that_share_their_blocks(app: echo.EchoServer) -> None:
    shared = site("z.test", f"http://127.0.0.1:{app.port}")
    with rendered.running(*SHARED, shared, own_blocks=2) as gate:
        assert ask(gate, "z.test", TOKEN, https=True)[0] == 200
        assert ask(gate, "z.test", "/other", https=True)[0] == 200


def test_c5_an_owner_who_answers_it_does(app: echo.EchoServer) -> None:
    own = site("a.test", route("/", f"http://127.0.0.1:{app.port}"), challenge=False)
    with rendered.running(own) as gate:
        assert echo.Said.parse(ask(gate, "a.test", TOKEN, https=True)[2].encode()).server == "app"


# --- C6 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("own_blocks", [200, 0], ids=["own blocks", "shared blocks"])
def test_c6_what_a_trusted_proxy_brought_over_https_is_served(app: echo.EchoServer, own_blocks: int) -> None:
    wanted = site("a.test", f"http://127.0.0.1:{app.port}")
    with rendered.running(wanted, settings=TRUSTING, own_blocks=own_blocks) as gate:
        status, _, body = ask(gate, "a.test", "/x?y", proto="https")
        assert status == 200
        said = echo.Said.parse(body.encode())
        assert said.headers["x-forwarded-proto"] == "https"
        for proto in (None, "http", "nonsense"):
            status, location, _ = ask(gate, "a.test", "/x?y", proto=proto)
            assert status == 301, proto
            assert location.startswith("https://a.test")
            assert location.endswith("/x?y")
        assert ask(gate, "a.test", TOKEN)[0] == 200
        assert ask(gate, "a.test", TOKEN, proto="https")[0] == 200


def test_c6_another_status_for_what_is_no_get(app: echo.EchoServer) -> None:
    wanted = site(
        "a.test", f"http://127.0.0.1:{app.port}", options=catalogue.values(redirect_status_option.OPTION.set(308))
    )
    with rendered.running(wanted, settings=TRUSTING) as gate:
        assert ask(gate, "a.test", "/x", method="POST")[0] == 308
        assert ask(gate, "a.test", "/x", method="HEAD")[0] == 301
        assert ask(gate, "a.test", "/x", method="POST", proto="https")[0] == 200


def test_c6_a_stranger_is_not_believed(app: echo.EchoServer) -> None:
    wanted = site("a.test", f"http://127.0.0.1:{app.port}")
    for settings in (
        model.Globals(),
        model.Globals(options=catalogue.values(trusted_proxies_option.OPTION.set(("10.9.9.9/32",)))),
    ):
        with rendered.running(wanted, settings=settings) as gate:
            assert ask(gate, "a.test", "/", proto="https")[0] == 301


def test_c6_nothing_on_plain_http_stays_nothing(app: echo.EchoServer) -> None:
    wanted = site("a.test", f"http://127.0.0.1:{app.port}", http=model.HttpMode.OFF)
    with rendered.running(wanted, settings=TRUSTING) as gate:
        assert ask(gate, "a.test", "/", proto="https")[0] == 404


# --- C7 --------------------------------------------------------------------------------------------------------------


def test_c7_without_tls_the_application_has_the_path(app: echo.EchoServer) -> None:
    wanted = site("a.test", f"http://127.0.0.1:{app.port}", tls=model.Tls(mode=model.TlsMode.OFF))
    with rendered.running(wanted) as gate:
        for path in (TOKEN, "/.well-known/acme-challenge/x", "/.well-known/acme-challenge/"):
            assert echo.Said.parse(ask(gate, "a.test", path)[2].encode()).server == "app"


def test_c7_a_route_of_that_path_has_it(app: echo.EchoServer) -> None:
    """Also where the site is guarded by TLS: its owner says who answers."""
    with echo.echo_server("other") as other:
        routes = (
            route("/", f"http://127.0.0.1:{app.port}"),
            route("/.well-known/acme-challenge/", f"http://127.0.0.1:{other.port}"),
        )
        for options in ({"http": model.HttpMode.SERVE}, {"tls": model.Tls(mode=model.TlsMode.OFF)}):
            with rendered.running(site("a.test", *routes, **options)) as gate:
                assert echo.Said.parse(ask(gate, "a.test", TOKEN)[2].encode()).server == "other"
