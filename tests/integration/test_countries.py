"""`access.countries`: who comes in by where a database has an address; a trusted proxy in front says which."""

import asyncio
import collections.abc
import pathlib

import pytest
import websockets.exceptions

from daemun.core import model
from daemun.core.options import access_option, catalogue, country_forms, forward_auth_forms, trusted_proxies_option
from daemun.core.options.access_option import Access
from daemun.sources import country_networks, nginx_snippet
from tests.support import address_databases, clients, echo, rendered
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

KOREAN, KOREAN_6, GERMAN, GERMAN_6 = "203.0.113.200", "2001:db8:1::7", "198.51.100.7", "2001:db8:2::7"
AMERICAN, UNKNOWN, UNKNOWN_6, HOME, HOME_6 = "192.0.2.7", "8.8.8.8", "2001:4860::8", "192.168.1.7", "fd00::7"
EVERY = (KOREAN, KOREAN_6, GERMAN, GERMAN_6, AMERICAN, UNKNOWN, UNKNOWN_6, HOME, HOME_6)
TRUSTING = trusted_proxies_option.OPTION.set(("127.0.0.1",))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return address_databases.write(tmp_path_factory.mktemp("db") / "country.mmdb", address_databases.COUNTRIES)


def countries(database: pathlib.Path, *, is_read: bool = True, **rule: tuple[str, ...]) -> country_forms.Countries:
    codes = tuple(code for given in rule.values() for code in given if code != "private")
    found = country_networks.find_networks(str(database), codes) if is_read else None
    return country_forms.Countries(
        database=country_forms.CountryDatabase(path=str(database), found=found),
        **rule,
    )


def access(*given: country_forms.Countries, **more: object) -> model.OptionValues:
    return catalogue.values(access_option.OPTION.set(Access(countries=given, **more)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def gate(one: echo.EchoServer, database: pathlib.Path) -> collections.abc.Iterator[rendered.Running]:
    there = f"http://127.0.0.1:{one.port}"
    korea = access(countries(database, allow=("KR",)))
    written = "location /own/ { return 200 own; location /own/in/ { return 200 in; } } location = /eq { return 204; }"
    with echo.websocket_server() as chat:
        allow = site(
            "allow.test",
            route("/", there),
            route("/chat/", f"http://127.0.0.1:{chat}"),
            route("/open/", there, options=access()),
            route("/moved/", model.Redirect(to="https://else.test/")),
            route("/files/", model.Files(folder="/nonexistent")),
            route("/nested/", there, snippet=nginx_snippet.parse_snippet("location /nested/in/ { return 200 in; }")),
            options=korea,
            snippet=nginx_snippet.parse_snippet(written),
        )
        part = site("part.test", route("/", there), route("/in/", there, options=korea))
        home = site("home.test", there, options=access(countries(database, allow=("KR", "private"))))
        deny = site("deny.test", there, options=access(countries(database, deny=("KR",))))
        two = countries(database, allow=("KR", "DE")), countries(database, deny=("DE",))
        both = site("both.test", there, options=access(*two, deny=(KOREAN_6,)))
        either = site(
            "either.test", there, options=access(countries(database, allow=("KR",)), allow=(AMERICAN,), any=True)
        )
        unread = site("unread.test", there, options=access(countries(database, is_read=False, allow=("KR",))))
        unread_deny = site("unread-deny.test", there, options=access(countries(database, is_read=False, deny=("KR",))))
        sites = (allow, part, home, deny, both, either, unread, unread_deny)
        settings = model.Globals(options=catalogue.values(TRUSTING))
        with rendered.running(*sites, settings=settings) as running:
            yield running


def _who_comes_in(gate: rendered.Running, url: str) -> set[str]:
    found = {address: gate.get(url, X_Forwarded_For=address).status_code for address in EVERY}
    assert {status for status in found.values() if status == 403 or status < 400} == set(found.values()), found
    return {address for address, status in found.items() if status != 403}


KOREANS = {KOREAN, KOREAN_6}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("allow", KOREANS),
        ("home", KOREANS | {HOME, HOME_6}),
        ("deny", set(EVERY) - KOREANS),
        ("both", {KOREAN}),
        ("either", KOREANS | {AMERICAN}),
        ("unread", set()),
        ("unread-deny", set()),
        ("part", set(EVERY)),
    ],
)
def test_who_comes_in(gate: rendered.Running, host: str, expected: set[str]) -> None:
    assert _who_comes_in(gate, f"https://{host}.test/x") == expected


@pytest.mark.parametrize(
    "path", ["/", "/a/../b", "//open/../x", "/%6fpen/../x", "/moved/", "/own/", "/own/in/", "/eq", "/nested/in/x"]
)
def test_every_path_of_a_guarded_site(gate: rendered.Running, path: str) -> None:
    for is_http2 in (False, True):
        url = f"https://allow.test{path}"
        assert gate.get(url, http2=is_http2, X_Forwarded_For=GERMAN).status_code == 403
        assert gate.get(url, http2=is_http2, X_Forwarded_For=KOREAN).status_code < 400
    assert gate.get("https://part.test/in/x", X_Forwarded_For=GERMAN).status_code == 403


def test_files_that_are_not_there_are_no_way_to_look(gate: rendered.Running) -> None:
    assert gate.get("https://allow.test/files/x", X_Forwarded_For=GERMAN).status_code == 403
    assert gate.get("https://allow.test/files/x", X_Forwarded_For=KOREAN).status_code == 404


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_judges_own_pages_are_for_whom_its_access_lets_in(
    one: echo.EchoServer, database: pathlib.Path, *, is_shared: bool
) -> None:
    there = f"http://127.0.0.1:{one.port}"
    judge = forward_auth_forms.ForwardAuth(kind=forward_auth_forms.ForwardAuthKind.OAUTH2_PROXY, url=there)
    korea = countries(database, allow=("KR",))
    gate_access = TRUSTING, access_option.OPTION.set(Access(countries=(korea,), forward_auth=judge))
    inner = site(
        "inner.test",
        route("/", there),
        route("/world/", there, options=access(forward_auth=judge)),
        options=access(korea),
    )
    both = site("both.test", route("/", there), route("/world/", there, options=access(forward_auth=judge)))
    plain = site("plain.test", there)
    with rendered.running(
        inner,
        both,
        plain,
        settings=model.Globals(options=catalogue.values(*gate_access)),
        own_blocks=1 if is_shared else 200,
    ) as running:
        for host, german in (("inner", 200), ("both", 200), ("plain", 403)):
            assert running.get(f"https://{host}.test/oauth2/start", X_Forwarded_For=GERMAN).status_code == german
            assert running.get(f"https://{host}.test/oauth2/start", X_Forwarded_For=KOREAN).status_code == 200
        assert running.get("https://both.test/x", X_Forwarded_For=GERMAN).status_code == 403
        # The server answers each question by 200: whoever is judged is let in.
        for host in ("inner", "both"):
            assert running.get(f"https://{host}.test/world/x", X_Forwarded_For=GERMAN).status_code == 200


def test_a_judges_own_pages_are_for_the_addresses_that_its_access_lets_in(one: echo.EchoServer) -> None:
    there = f"http://127.0.0.1:{one.port}"
    judge = forward_auth_forms.ForwardAuth(kind=forward_auth_forms.ForwardAuthKind.OAUTH2_PROXY, url=there)
    home = site("home.test", there, options=access(allow=("private",), forward_auth=judge))
    banned = site("banned.test", there, options=access(deny=(GERMAN,), forward_auth=judge))
    either = site("either.test", there, options=access(allow=("private",), forward_auth=judge, any=True))
    settings = model.Globals(options=catalogue.values(TRUSTING))
    with rendered.running(home, banned, either, settings=settings) as running:
        for host, german in (("home", 403), ("banned", 403), ("either", 200)):
            for path in ("/oauth2/", "/oauth2/sign_in"):
                assert running.get(f"https://{host}.test{path}", X_Forwarded_For=GERMAN).status_code == german
                assert running.get(f"https://{host}.test{path}", X_Forwarded_For="192.168.1.7").status_code == 200


def test_what_stays_open(gate: rendered.Running) -> None:
    assert gate.get("https://allow.test/open/x", X_Forwarded_For=GERMAN).status_code == 200
    token = f"/.well-known/acme-challenge/{'a' * 43}"
    for scheme in ("http", "https"):
        assert gate.get(f"{scheme}://allow.test{token}", X_Forwarded_For=GERMAN).status_code == 200


def test_a_post_with_a_body(gate: rendered.Running) -> None:
    for size in (10, 3_000_000):
        for address, expected in ((GERMAN, 403), (KOREAN, 200)):
            answer = gate.ask("POST", "https://allow.test/", body=b"x" * size, headers={"X-Forwarded-For": address})
            assert answer.status_code == expected


def test_websockets(gate: rendered.Running) -> None:
    async def talk(address: str) -> None:
        async with clients.websocket(gate.clients, "allow.test", "/chat/", X_Forwarded_For=address) as socket:
            await socket.recv()  # what the server received
            await clients.echo(socket, "hello")

    asyncio.run(talk(KOREAN))
    with pytest.raises(websockets.exceptions.InvalidStatus, match="403"):
        asyncio.run(talk(GERMAN))


def test_a_stranger_cannot_claim_an_address(one: echo.EchoServer, database: pathlib.Path) -> None:
    guarded = site("a.test", f"http://127.0.0.1:{one.port}", options=access(countries(database, allow=("KR",))))
    with rendered.running(guarded) as nginx:
        assert nginx.get("https://a.test/", X_Forwarded_For=KOREAN).status_code == 403


@pytest.mark.parametrize("own_blocks", [200, 0])
def test_for_the_whole_gate(one: echo.EchoServer, database: pathlib.Path, own_blocks: int) -> None:
    there = f"http://127.0.0.1:{one.port}"
    limited = access_option.OPTION.set(Access(countries=(countries(database, allow=("KR",)),)))
    settings = model.Globals(options=catalogue.values(TRUSTING, limited))
    sites = site("a.test", there), site("open.test", there, options=access())
    with rendered.running(*sites, settings=settings, own_blocks=own_blocks) as nginx:
        assert _who_comes_in(nginx, "https://a.test/") == KOREANS
        assert _who_comes_in(nginx, "https://open.test/") == set(EVERY)


def test_tens_of_thousands_of_networks(one: echo.EchoServer, tmp_path: pathlib.Path) -> None:
    many = {f"{20 + n // 16384}.{n // 64 % 256}.{2 * (n % 64)}.0/24": "KR" for n in range(32768)}
    database = address_databases.write(tmp_path / "many.mmdb", many)
    value = countries(database, allow=("KR",))
    assert value.database.found is not None
    assert len(value.database.found.networks) == len(many)
    settings = model.Globals(options=catalogue.values(TRUSTING))
    with rendered.running(site("a.test", one.url, options=access(value)), settings=settings) as nginx:
        for address, expected in (("20.7.126.9", 200), ("20.7.127.9", 403), ("21.255.0.1", 200), ("22.0.0.1", 403)):
            assert nginx.get("https://a.test/", X_Forwarded_For=address).status_code == expected
