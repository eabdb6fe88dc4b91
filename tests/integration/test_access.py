"""Who may come in and how often, as visitors of many addresses see it: a trusted proxy in front says which."""

import collections.abc
import contextlib
import dataclasses
import pathlib
import socket

import httpx
import pytest

from daemun.core import model
from daemun.core.options import access_option, catalogue, hsts_option, spa_option, trusted_proxies_option
from daemun.core.options.access_option import Access
from daemun.core.options.rate_limit_form import Rate, RateLimit
from daemun.errors import RenderError
from daemun.sources import nginx_snippet
from tests.support import clients, echo, rendered
from tests.support.sites import proxy, route, site

pytestmark = pytest.mark.nginx

HOME, STRANGER, BANNED, AT_HOME_6 = "192.168.1.7", "198.51.100.7", "203.0.113.9", "fd00::7"
SETTINGS = model.Globals(options=catalogue.values(trusted_proxies_option.OPTION.set(("127.0.0.1",))))


def guarded(**access: object) -> model.OptionValues:
    return catalogue.values(access_option.OPTION.set(Access(**access)))  # type: ignore[arg-type]


PUBLIC = guarded()
PRIVATE = guarded(allow=("private",))


def fetch(gate: rendered.Running, url: str, address: str, method: str = "GET", **more: str) -> httpx.Response:
    return gate.ask(method, url, headers={"X-Forwarded-For": address, **more})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    there = tmp_path_factory.mktemp("public")
    (there / "index.html").write_text("page")
    (there / "Secret.txt").write_text("secret")
    for part in (there, *there.parents):
        if part.owner() == there.owner():
            part.chmod(part.stat().st_mode | 0o055)
    return there


@pytest.fixture(scope="module")
def gate(one: echo.EchoServer, folder: pathlib.Path) -> collections.abc.Iterator[rendered.Running]:
    there = f"http://127.0.0.1:{one.port}"
    files = model.Files(folder=str(folder))
    home = site(
        "home.test",
        route("/", there),
        route("/share/", there, options=PUBLIC),
        route("/files/", files),
        route("/page/", model.Files(folder=str(folder), options=catalogue.values(spa_option.OPTION.set(True)))),
        route("/moved/", model.Redirect(to="https://else.test/")),
        route("/moved-open/", model.Redirect(to="https://else.test/"), options=PUBLIC),
        route("/not-them/", there, options=guarded(deny=(BANNED,))),
        route("/prefixed/", proxy(f"{there}/inner/")),
        route("/limited/", there, options=guarded(connections=5)),
        route("/limited-open/", there, options=guarded(allow=("public",), connections=5)),
        snippet=nginx_snippet.parse_snippet("location /own/ { default_type text/plain; alias " + f"{folder}/; }}"),
        options=PRIVATE,
    )
    opened = site(
        "open.test",
        route("/", there),
        route("/admin/", there, options=PRIVATE),
        route("/admin/hook/", there, options=PUBLIC),
        route("/gone/", model.Redirect(to="https://else.test/"), options=PRIVATE),
    )
    either = site("either.test", there, options=guarded(allow=("private",), any=True))
    with rendered.running(home, opened, either, settings=SETTINGS) as running:
        yield running


@pytest.mark.parametrize("path", ["/", "/files/", "/files/Secret.txt", "/page/deep/link", "/own/Secret.txt", "/moved/"])
def test_private_networks_are_let_in_and_nobody_else(gate: rendered.Running, path: str) -> None:
    url = f"https://home.test{path}"
    wanted = 301 if path == "/moved/" else 200
    for visitor, status in ((HOME, wanted), (AT_HOME_6, wanted), (STRANGER, 403), ("2001:db8::1", 403)):
        assert fetch(gate, url, visitor).status_code == status, visitor
        assert gate.ask("GET", url, headers={"X-Forwarded-For": visitor}, http2=True).status_code == status


def test_a_route_that_is_public_opens_a_path_of_a_guarded_site(gate: rendered.Running) -> None:
    assert fetch(gate, "https://home.test/share/x", STRANGER).status_code == 200
    assert fetch(gate, "https://home.test/moved-open/", STRANGER).status_code == 301
    assert fetch(gate, "https://open.test/admin/hook/", STRANGER).status_code == 200


def test_a_route_replaces_what_its_site_says(gate: rendered.Running) -> None:
    assert fetch(gate, "https://home.test/not-them/", STRANGER).status_code == 200
    assert fetch(gate, "https://home.test/not-them/", BANNED).status_code == 403


@pytest.mark.parametrize(
    "spelling",
    [
        "/share/#/../../admin.txt", "/share/x#/../../admin.txt", "/share#", "/share/x?y#/../..", "/share/..;/admin.txt",
        "/share/.;/../x", "/share/..;a=b/admin", "/share/%2e%2e;/admin", "/share/.%2E%3bx/admin", "/share/..\\admin",
        "/share/..%5cadmin", "/share\\..\\admin", "/share/x%5c..%5c..%5cadmin", "/share/%5c..%5C%2e%2e/admin",
        "/share/x%5c..", "/share/x%2f..;/..%3b%2fadmin", "/share/x%5c..;/admin", "/share/x%5c..?y",
        "/share/;a/../admin", "/share/%3B/x/../../../admin", "/share%2f;%2f..%2fadmin", "/share/;/%2e.",
    ],
)  # fmt: skip
def test_what_servers_read_as_another_path_is_refused_on_open_paths_too(gate: rendered.Running, spelling: str) -> None:
    request = f"GET {spelling} HTTP/1.1\nHost: home.test\nX-Forwarded-For: {STRANGER}\nConnection: close\n\n"
    assert gate.raw(request, name="home.test", tls=True).split()[1] == b"400"


def test_dots_and_semicolons_elsewhere_are_let_through(gate: rendered.Running) -> None:
    paths = (
        "x;y=1",
        "a..;b",
        "...;x",
        "x?next=/..;/",
        "%23",
        "a%5cb",
        "a%5c...%5cb",
        "x?at=%5c..%5c",
        "x/../;y",
        ";y/x",
        ";y/..z",
        "x;y/../z",
    )
    for path in (f"/share/{one}" for one in paths):
        assert fetch(gate, f"https://home.test{path}", STRANGER).status_code == 200, path


def test_limits_alone_open_nothing(gate: rendered.Running) -> None:
    assert fetch(gate, "https://home.test/limited/", STRANGER).status_code == 403
    assert fetch(gate, "https://home.test/limited/", HOME).status_code == 200
    for visitor in (STRANGER, "2001:db8::1", HOME):
        assert fetch(gate, "https://home.test/limited-open/", visitor).status_code == 200


def test_one_route_of_an_open_site_is_guarded(gate: rendered.Running) -> None:
    assert fetch(gate, "https://open.test/", STRANGER).status_code == 200
    assert fetch(gate, "https://open.test/admin/", STRANGER).status_code == 403
    assert fetch(gate, "https://open.test/admin/", HOME).status_code == 200
    assert fetch(gate, "https://open.test/gone/", STRANGER).status_code == 403
    assert fetch(gate, "https://open.test/gone/", HOME).headers["location"] == "https://else.test/"


@pytest.mark.parametrize(
    "spelling",
    [
        "/admin/", "//admin/", "/./admin/", "/x/../admin/", "/%61dmin/", "/admin%2f", "/admin/%2e/x", "/admin//x",
        "/%2e/admin/", "/x/%2e%2e/admin/", "/admin/..%2fadmin/", "///admin///", "/admin/?x=1", "/admin/hook/../x",
        "/admin/hook/..%2fx", "/%41/../admin/", "/admin/;x", "/admin/x;y=1", "/admin/%00x", "/a/b/../../admin/x",
    ],
)  # fmt: skip
def test_every_spelling_of_a_guarded_path_is_guarded(gate: rendered.Running, spelling: str) -> None:
    asked = f"GET {spelling} HTTP/1.1\nHost: open.test\nX-Forwarded-For: {STRANGER}\nConnection: close\n\n"
    answer = gate.raw(asked, name="open.test", tls=True)
    assert answer.split(b" ", 2)[1] in {b"403", b"400"}, answer[:300]


def test_every_method_and_kind_of_request(gate: rendered.Running) -> None:
    url = "https://home.test/"
    for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PROPFIND"):
        assert fetch(gate, url, STRANGER, method).status_code == 403, method
    for body in (b"x", b"x" * 20_000, b"x" * 2_000_000):
        sent = gate.ask("POST", url, body=body, headers={"X-Forwarded-For": STRANGER})
        assert sent.status_code == 403
        sent = gate.ask("POST", url, body=body, headers={"X-Forwarded-For": HOME})
        assert sent.status_code == 200
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x"}
    assert fetch(gate, url, STRANGER, **upgrade).status_code == 403
    assert fetch(gate, url, STRANGER, Accept="text/event-stream").status_code == 403


def test_what_strangers_see_is_a_page_of_the_gate(gate: rendered.Running) -> None:
    refused = fetch(gate, "https://home.test/", STRANGER, Accept="text/html")
    assert "Not allowed" in refused.text
    assert "nginx" not in refused.text


def test_the_challenge_stays_open_and_plain_http_leads_to_https(gate: rendered.Running) -> None:
    proof = fetch(gate, "http://home.test/.well-known/acme-challenge/abcdefghijklmnopqrstu", STRANGER)
    assert proof.text == f"abcdefghijklmnopqrstu.{rendered.THUMBPRINT}"
    proof = fetch(gate, "https://home.test/.well-known/acme-challenge/abcdefghijklmnopqrstu", STRANGER)
    assert proof.status_code == 200
    assert fetch(gate, "http://home.test/", STRANGER).status_code == 301


def test_one_condition_is_enough_where_any_says_so(gate: rendered.Running) -> None:
    assert fetch(gate, "https://either.test/", HOME).status_code == 200
    assert fetch(gate, "https://either.test/", STRANGER).status_code == 403


def test_names_stand_for_their_known_addresses(one: echo.EchoServer) -> None:
    """One that has none lets nobody in; where it is to be refused, everybody is."""
    there = f"http://127.0.0.1:{one.port}"
    known, unknown = "home.example.org", "gone.example.org"
    let_in = site("let-in.test", there, options=guarded(allow=(known, unknown, "192.0.2.0/24")))
    refused = site("refused.test", there, options=guarded(deny=(known,)))
    nobody = site("nobody.test", there, options=guarded(allow=(unknown,)))
    all_refused = site("all-refused.test", there, options=guarded(deny=(unknown,)))
    addresses = {known: (STRANGER, "2001:db8::7"), unknown: ()}
    with rendered.running(
        let_in, refused, nobody, all_refused, settings=SETTINGS, named_addresses=addresses
    ) as running:
        seen = {
            (name, address): fetch(running, f"https://{name}.test/", address).status_code
            for name in ("let-in", "refused", "nobody", "all-refused")
            for address in (STRANGER, "2001:db8::7", "192.0.2.1", HOME)
        }
    assert seen == {
        ("let-in", STRANGER): 200,
        ("let-in", "2001:db8::7"): 200,
        ("let-in", "192.0.2.1"): 200,
        ("let-in", HOME): 403,
        ("refused", STRANGER): 403,
        ("refused", "2001:db8::7"): 403,
        ("refused", "192.0.2.1"): 200,
        ("refused", HOME): 200,
        **{(name, address): 403 for name in ("nobody", "all-refused") for address in (STRANGER, "2001:db8::7")},
        **{(name, address): 403 for name in ("nobody", "all-refused") for address in ("192.0.2.1", HOME)},
    }


def test_the_gates_own_guard_holds_for_every_site_also_for_those_that_share_blocks(one: echo.EchoServer) -> None:
    there = f"http://127.0.0.1:{one.port}"
    sites = [site(f"s{n}.test", there) for n in range(3)]
    free = site("z.test", there, options=PUBLIC)
    settings = dataclasses.replace(SETTINGS, options=(*SETTINGS.options, *PRIVATE))
    with rendered.running(*sites, free, settings=settings, own_blocks=1) as gate:
        for name in ("s0.test", "s1.test", "s2.test"):
            assert fetch(gate, f"https://{name}/", STRANGER).status_code == 403, name
            assert fetch(gate, f"https://{name}/", HOME).status_code == 200, name
        assert fetch(gate, "https://z.test/", STRANGER).status_code == 200


def test_a_guard_holds_where_a_request_waits_for_its_server() -> None:
    """Nobody waits who may not come in, and a public path of a guarded site waits for everybody."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        there = f"http://127.0.0.1:{closed.getsockname()[1]}"
        one = site("a.test", route("/", there), route("/open/", there, options=PUBLIC), options=PRIVATE)
        with rendered.running(one, settings=SETTINGS) as gate:
            assert fetch(gate, "https://a.test/", STRANGER).status_code == 403
            assert fetch(gate, "https://a.test/", HOME).status_code in {502, 503}
            assert fetch(gate, "https://a.test/open/", STRANGER).status_code in {502, 503}


def test_what_an_owner_wrote_for_the_gate_does_not_weaken_a_guard(one: echo.EchoServer) -> None:
    there = f"http://127.0.0.1:{one.port}"
    settings = dataclasses.replace(SETTINGS, snippet=nginx_snippet.parse_snippet("satisfy any; allow all;"))
    with rendered.running(site("a.test", there, options=PRIVATE), settings=settings) as gate:
        assert fetch(gate, "https://a.test/", STRANGER).status_code == 403
        assert fetch(gate, "https://a.test/", HOME).status_code == 200


def test_hand_written_nginx_in_the_place_of_a_guarded_route_is_refused_or_guarded(one: echo.EchoServer) -> None:
    """The lines for the route of a file that replaces it, as nginx-proxy has it, are guarded like any."""
    there = f"http://127.0.0.1:{one.port}"
    written = nginx_snippet.parse_snippet("location /admin/ { return 200 open; }")
    mine = site("a.test", route("/", there), route("/admin/", there, options=PRIVATE), snippet=written)
    with pytest.raises(RenderError, match="cannot hold"), rendered.running(mine, settings=SETTINGS):
        pass
    lines = nginx_snippet.parse_snippet(f"location /admin/ {{ proxy_pass {there}; }}")
    replaced = route("/admin/", there, options=PRIVATE, replaced=True, snippet=lines)
    with rendered.running(site("a.test", route("/", there), replaced), settings=SETTINGS) as gate:
        assert fetch(gate, "https://a.test/admin/", STRANGER).status_code == 403
        assert fetch(gate, "https://a.test/admin/", HOME).status_code == 200
        assert fetch(gate, "https://a.test/", STRANGER).status_code == 200


# --- limits ----------------------------------------------------------------------------------------------------


def _statuses(gate: rendered.Running, url: str, address: str, count: int, **headers: str) -> list[int]:
    return [fetch(gate, url, address, **headers).status_code for _ in range(count)]


def test_a_rate_is_kept_for_each_address(one: echo.EchoServer) -> None:
    there = f"http://127.0.0.1:{one.port}"
    slow = RateLimit(rate=Rate(requests=3, period_s=60))
    limited = site(
        "a.test",
        route("/", there),
        route("/moved/", model.Redirect(to="https://else.test/")),
        route("/burst/", there, options=guarded(rate_limit=dataclasses.replace(slow, burst=5))),
        route("/key/", there, options=guarded(rate_limit=dataclasses.replace(slow, by="header X-Key"))),
        options=(
            *guarded(rate_limit=slow),
            *catalogue.values(hsts_option.OPTION.set(hsts_option.Hsts(max_age_s=9))),
        ),
    )
    with rendered.running(limited, settings=SETTINGS) as gate:
        assert _statuses(gate, "https://a.test/", "198.51.100.1", 4) == [200, 200, 200, 429]
        refused = fetch(gate, "https://a.test/", "198.51.100.1", Accept="text/html")
        assert refused.headers["retry-after"] == "30"
        assert refused.headers["strict-transport-security"] == "max-age=9"
        assert "Too many requests" in refused.text
        assert _statuses(gate, "https://a.test/", "198.51.100.2", 1) == [200]
        # One customer has many addresses of IPv6, and the routes of a site count together.
        assert _statuses(gate, "https://a.test/", "2001:db8::1", 2) == [200, 200]
        assert fetch(gate, "https://a.test/moved/", "2001:db8::2:1").status_code == 301
        assert fetch(gate, "https://a.test/moved/", "2001:db8::3:1").status_code == 429
        assert fetch(gate, "https://a.test/", "2001:db8:0:1::1").status_code == 200
        assert _statuses(gate, "https://a.test/burst/", "198.51.100.3", 6) == [200] * 5 + [429]
        assert _statuses(gate, "https://a.test/key/", "198.51.100.4", 4, **{"X-Key": "k"})[-1] == 429
        assert _statuses(gate, "https://a.test/key/", "198.51.100.4", 4) == [200, 200, 200, 429]
        proof = "http://a.test/.well-known/acme-challenge/abcdefghijklmnopqrstu"
        assert _statuses(gate, proof, "198.51.100.5", 6) == [200] * 6


_UPGRADE = (
    "GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def _upgrade(gate: rendered.Running, stack: contextlib.ExitStack, address: str) -> bytes:
    connection = stack.enter_context(socket.create_connection((clients.LOOPBACK, gate.http), timeout=20))
    connection.sendall(_UPGRADE.format(address).encode())
    return connection.recv(4096).split(b" ", 2)[1]


def test_so_many_requests_of_an_address_may_be_open() -> None:
    with echo.websocket_server() as port, contextlib.ExitStack() as stack:
        one = site("a.test", f"http://127.0.0.1:{port}", http=model.HttpMode.SERVE, options=guarded(connections=2))
        with rendered.running(one, settings=SETTINGS) as gate:
            assert [_upgrade(gate, stack, STRANGER) for _ in range(3)] == [b"101", b"101", b"429"]
            assert _upgrade(gate, stack, HOME) == b"101"
