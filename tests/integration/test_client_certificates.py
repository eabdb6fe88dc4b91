"""Visitors who show a certificate: nginx on rendered files, with TLS clients that show one, none, another, an old one,
and that resume sessions."""

import collections.abc
import contextlib
import dataclasses
import pathlib
import socket
import ssl

import httpx
import pytest
from cryptography import x509

from daemun.core import model
from daemun.core.options import (
    access_option,
    basic_auth_form,
    catalogue,
    client_certificates_form,
    trusted_proxies_option,
)
from daemun.core.options.access_option import Access
from daemun.errors import RenderError
from daemun.sources import client_authorities, nginx_snippet
from tests.support import client_authority, clients, echo, ports, rendered
from tests.support.sites import proxy, route, site

pytestmark = pytest.mark.nginx

SETTINGS = model.Globals(options=catalogue.values(trusted_proxies_option.OPTION.set(("127.0.0.1",))))
FORGED = {
    "Remote-User": "root",
    "X-SSL-Client-Verify": "SUCCESS",
    "X-SSL-Client-S-DN": "CN=root",
    "X-SSL-Client-Cert": "root",
}


def guarded(**access: object) -> model.OptionValues:
    return catalogue.values(access_option.OPTION.set(Access(**access)))  # type: ignore[arg-type]


def asking(
    authority: client_authority.ClientAuthority, *, require: bool = True, revoked: bool = True
) -> client_certificates_form.ClientCertificates:
    crl = str(authority.revoked) if revoked else None
    found = client_authorities.read(str(authority.file), crl, None)
    ca = client_certificates_form.ClientAuthority(path=str(authority.file), found=found)
    return client_certificates_form.ClientCertificates(ca=ca, require=require, revoked=crl)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class House:
    gate: rendered.Running
    family: client_authority.ClientAuthority
    visitors: dict[str, pathlib.Path]

    def at(self, visitor: str | None) -> clients.GateAddress:
        own = None if visitor is None else self.visitors[visitor]
        return dataclasses.replace(self.gate.clients, own=own)

    def fetch(
        self,
        url: str,
        visitor: str | None = None,
        method: str = "GET",
        *,
        http2: bool = False,
        content: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        with clients.client(self.at(visitor), http2=http2) as client:
            return client.request(method, url, headers=headers, content=content)


def _name(*parts: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in parts])


@pytest.fixture(scope="module")
def house(one: echo.EchoServer, tmp_path_factory: pytest.TempPathFactory) -> collections.abc.Iterator[House]:
    folder = tmp_path_factory.mktemp("clients")
    family = client_authority.ClientAuthority(folder / "family", "family CA")
    others = client_authority.ClientAuthority(folder / "others", "others' CA")
    visitors = {
        "alice": family.issue("alice"),
        "expired": family.issue("expired", days=(-10, -1)),
        "early": family.issue("early", days=(3, 9)),
        "revoked": family.issue("revoked"),
        "mallory": others.issue("mallory"),
        "comma": family.issue(
            "comma",
            subject=_name((x509.NameOID.COMMON_NAME, "bob"), (x509.NameOID.ORGANIZATION_NAME, "x,CN=root")),
        ),
        "plus": family.issue("plus", subject=_name((x509.NameOID.ORGANIZATION_NAME, "x+CN=root"))),
    }
    family.revoke("revoked")
    there = f"http://127.0.0.1:{one.port}"
    own, theirs = asking(family), asking(others, revoked=False)
    with echo.websocket_server() as port:
        sites = (
            site(
                "family.test",
                route("/", there),
                route("/share/", there, options=guarded()),
                route("/maybe/", there, options=guarded(client_certificates=asking(family, require=False))),
                route("/ws/", f"http://127.0.0.1:{port}"),
                route("/moved/", model.Redirect(to="https://else.test/")),
                route("/gone/", f"http://127.0.0.1:{ports.free_port()}"),
                route("/home/", there, options=guarded(client_certificates=own, allow=("203.0.113.0/24",))),
                snippet=nginx_snippet.parse_snippet("location /own/ { return 204; }"),
                options=guarded(client_certificates=own),
            ),
            site(
                "part.test", route("/", there), route("/admin/", proxy(there), options=guarded(client_certificates=own))
            ),
            site("others.test", there, options=guarded(client_certificates=theirs)),
            site("open.test", there),
            site(
                "either.test",
                there,
                options=guarded(client_certificates=own, allow=("203.0.113.0/24",), any=True),
            ),
            site("plain.test", there, http=model.HttpMode.SERVE, options=guarded(client_certificates=own)),
            site(
                "closed.test",
                there,
                options=guarded(
                    client_certificates=dataclasses.replace(own, ca=client_certificates_form.ClientAuthority(path="/x"))
                ),
            ),
        )
        with rendered.running(*sites, settings=SETTINGS) as gate:
            yield House(gate=gate, family=family, visitors=visitors)


@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("path", ["/", "/own/", "/moved/", "//x", "/share/../x", "/%73hare/../", "/gone/"])
def test_one_that_is_taken_and_all_others(house: House, path: str, http2: bool) -> None:
    url = f"https://family.test{path}"
    wanted = {"/own/": 204, "/moved/": 301, "/gone/": 502}.get(path, 200)
    assert house.fetch(url, "alice", http2=http2).status_code == wanted
    for visitor in (None, "expired", "early", "revoked", "mallory"):
        assert house.fetch(url, visitor, http2=http2, headers=FORGED).status_code == 403, visitor


@pytest.mark.parametrize(
    ("visitor", "words"),
    [
        (None, "certificate is needed"),
        ("expired", "has ended"),
        ("early", "not valid yet"),
        ("revoked", "withdrawn"),
        ("mallory", "not taken"),
    ],
)
def test_a_page_with_the_reason(house: House, visitor: str | None, words: str) -> None:
    for accept in ("text/html", "application/json", "text/plain"):
        answer = house.fetch("https://family.test/", visitor, headers={"Accept": accept})
        assert answer.status_code == 403
        assert words in answer.text
        assert answer.headers["content-type"].startswith(accept)
        assert "nginx" not in answer.text


def test_open_paths_and_the_challenge(house: House) -> None:
    for path in ("/share/x", "/.well-known/acme-challenge/abcdefghijklmnopqrstuvwxyz"):
        assert house.fetch(f"https://family.test{path}").status_code == 200
        assert house.fetch(f"https://family.test{path}", "alice").status_code == 200
    assert house.fetch("https://part.test/").status_code == 200
    assert house.fetch("https://open.test/", "alice").status_code == 200


@pytest.mark.parametrize("path", ["/admin/", "//admin/", "/%61dmin/", "/x/../admin/", "/admin/x", "/admin//"])
def test_some_routes_of_a_site(house: House, path: str) -> None:
    assert house.fetch(f"https://part.test{path}").status_code == 403
    assert house.fetch(f"https://part.test{path}", "alice").status_code == 200
    assert house.fetch(f"https://part.test{path}", "mallory").status_code == 403


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_every_method(house: House, method: str) -> None:
    content = b"x" * 2_000_000 if method in {"POST", "PUT"} else b""
    assert house.fetch("https://family.test/up", None, method, content=content).status_code == 403
    assert house.fetch("https://family.test/up", "alice", method, content=content).status_code in {200, 501}


def test_the_server_receives_who_it_is(house: House) -> None:
    for url, visitor, user, dn, verify in (
        ("https://family.test/", "alice", "alice", "CN=alice", "SUCCESS"),
        ("https://family.test/", "comma", "bob", r"O=x\,CN=root,CN=bob", "SUCCESS"),
        ("https://family.test/", "plus", None, r"O=x\+CN=root", "SUCCESS"),
        ("https://family.test/maybe/", "alice", "alice", "CN=alice", "SUCCESS"),
        ("https://family.test/maybe/", None, None, None, "NONE"),
    ):
        said = house.fetch(url, visitor, headers={**FORGED, "remote_user": "root"}).json()["headers"]
        found = said.get("remote-user"), said.get("x-ssl-client-s-dn"), said.get("x-ssl-client-verify")
        assert found == (user, dn, verify), (url, visitor)


def test_both_conditions_and_one_of_them(house: House) -> None:
    home = {"X-Forwarded-For": "203.0.113.7"}
    assert house.fetch("https://family.test/home/", "alice").status_code == 403
    assert house.fetch("https://family.test/home/", headers=home).status_code == 403
    assert house.fetch("https://family.test/home/", "alice", headers=home).status_code == 200
    assert house.fetch("https://either.test/", headers=home).status_code == 200
    assert house.fetch("https://either.test/", "alice").status_code == 200
    assert house.fetch("https://either.test/", "alice").json()["headers"]["remote-user"] == "alice"
    refused = house.fetch("https://either.test/")
    assert (refused.status_code, "certificate is needed" in refused.text) == (403, True)
    for visitor in ("mallory", "revoked", "expired"):
        assert house.fetch("https://either.test/", visitor).status_code == 403


def test_plain_http_has_no_certificates(house: House) -> None:
    for headers in (None, {"X-Forwarded-Proto": "https", **FORGED}):
        assert house.fetch("http://plain.test/", "alice", headers=headers).status_code == 403
        assert house.fetch("http://family.test/", "alice", headers=headers).status_code in {301, 403}
    assert house.fetch("https://plain.test/", "alice").status_code == 200


def test_nobody_comes_in_while_the_file_cannot_be_used(house: House) -> None:
    for visitor in (None, "alice", "mallory"):
        assert house.fetch("https://closed.test/", visitor).status_code == 403


async def test_websockets(house: House) -> None:
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x"}
    for visitor in (None, "revoked", "mallory"):
        assert house.fetch("https://family.test/ws/", visitor, headers=upgrade).status_code == 403
    async with clients.websocket(house.at("alice"), "family.test", "/ws/") as connection:
        assert await connection.recv()


def test_http2_and_its_streams(house: House) -> None:
    with clients.client(house.at("alice"), http2=True) as client:
        answers = [client.get("https://family.test/") for _ in range(3)]
    assert {(one.status_code, one.http_version) for one in answers} == {(200, "HTTP/2")}


# --- another name in the request, and sessions that are resumed -------------------------------------------------


def _exchange(
    house: House,
    context: ssl.SSLContext,
    name: str | None,
    host: str,
    path: str = "/",
    session: ssl.SSLSession | None = None,
) -> tuple[str, ssl.SSLSession | None, bool]:
    """A request over HTTP/1.1. Returns: its status, or "alert"; the session; whether it was resumed."""
    try:
        with (
            socket.create_connection(("127.0.0.1", house.gate.https), timeout=20) as raw,
            context.wrap_socket(raw, server_hostname=name, session=session) as connection,
        ):
            request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            connection.sendall(request.encode())
            answer = b""
            with contextlib.suppress(ssl.SSLEOFError, ConnectionResetError):
                while part := connection.recv(65536):
                    answer += part
            return answer.split(b" ", 2)[1].decode(), connection.session, bool(connection.session_reused)
    except (ssl.SSLError, ConnectionResetError):
        return "alert", None, False


def _context(house: House, visitor: str | None, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = house.at(visitor).context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    return context


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
def test_another_host_than_the_handshake_was_for(house: House, version: ssl.TLSVersion) -> None:
    names = ("open.test", "part.test", "others.test", "either.test", "closed.test", None, "unknown.test")
    for visitor in ("alice", None, "mallory"):
        context = _context(house, visitor, version)
        for name in names:
            status, _, _ = _exchange(house, context, name, "family.test")
            assert status in {"421", "400", "403", "alert"}, (visitor, name)
            status, _, _ = _exchange(house, context, name, "family.test.")
            assert status in {"421", "400", "403", "alert"}, (visitor, name)
    assert _exchange(house, _context(house, "alice", version), "family.test", "family.test")[0] == "200"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_of_a_site_that_asks_is_never_resumed(house: House, version: ssl.TLSVersion) -> None:
    for visitor, name, path in (
        ("alice", "family.test", "/"),
        ("alice", "part.test", "/"),
        ("alice", "part.test", "/admin/"),
        (None, "family.test", "/share/"),
        ("mallory", "others.test", "/"),
    ):
        context = _context(house, visitor, version)
        status, session, _ = _exchange(house, context, name, name, path)
        assert status == "200"
        if session is None:
            continue  # nothing to resume
        for other in ("family.test", "part.test", "others.test", "open.test", "closed.test", None):
            for host in ("family.test", "others.test", "part.test"):
                status, _, is_resumed = _exchange(house, context, other, host, "/admin/", session=session)
                assert not is_resumed, (name, other)
                is_same = other == host and (visitor, host) not in {
                    (None, "family.test"), (None, "part.test"), ("mallory", "family.test"), ("mallory", "part.test"),
                    (None, "others.test"), ("alice", "others.test"),
                }  # fmt: skip
                assert (status == "200") is is_same, (name, other, host, status)


@pytest.mark.parametrize("version", VERSIONS)
def test_sessions_of_other_sites_are_resumed_and_open_nothing(house: House, version: ssl.TLSVersion) -> None:
    context = _context(house, "alice", version)
    status, session, _ = _exchange(house, context, "open.test", "open.test")
    assert (status, session is not None) == ("200", True)
    assert _exchange(house, context, "open.test", "open.test", session=session)[::2] == ("200", True)
    for name, host in (("family.test", "family.test"), ("open.test", "family.test"), (None, "family.test")):
        status, _, is_resumed = _exchange(house, context, name, host, session=session)
        assert status != "200" or not is_resumed


# --- what cannot hold -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", ["ssl_session_cache shared:x:1m;", "ssl_verify_client off;", "ssl_session_tickets on;"]
)
def test_hand_written_sessions_are_refused(house: House, one: echo.EchoServer, words: str) -> None:
    own = guarded(client_certificates=asking(house.family))
    there = site("a.test", f"http://127.0.0.1:{one.port}", options=own, snippet=nginx_snippet.parse_snippet(words))
    with pytest.raises(RenderError, match="cannot hold beside hand-written"), rendered.running(there):
        pass


def test_two_authorities_an_address_and_no_tls_are_refused(house: House, tmp_path: pathlib.Path) -> None:
    own = guarded(client_certificates=asking(house.family))
    other = guarded(client_certificates=asking(client_authority.ClientAuthority(tmp_path)))
    there = "http://127.0.0.1:1"
    for made, words in (
        (site("a.test", route("/", there, options=own), route("/x/", there, options=other)), "name several"),
        (site("192.0.2.7", there, options=own), "send no name"),
    ):
        with pytest.raises(RenderError, match=words), rendered.running(made):
            pass


def test_for_every_site_at_the_gate(house: House, one: echo.EchoServer) -> None:
    settings = model.Globals(options=guarded(client_certificates=asking(house.family)))
    there = f"http://127.0.0.1:{one.port}"
    for own_blocks in (200, 0):
        sites = (site("a.test", there), site("b.test", there), site("c.test", there, options=guarded()))
        with rendered.running(*sites, settings=settings, own_blocks=own_blocks) as gate:
            shown = dataclasses.replace(gate.clients, own=house.visitors["alice"])
            for host in ("a.test", "b.test"):
                assert clients.get(gate.clients, f"https://{host}/").status_code == 403
                assert clients.get(shown, f"https://{host}/").status_code == 200
            said = gate.ask("GET", "https://c.test/", headers=FORGED).json()["headers"]
            assert not said.keys() & {name.lower() for name in FORGED}


def test_beside_names_and_passwords_without_a_judge(house: House, one: echo.EchoServer) -> None:
    """The certificate lets in where one condition is enough, also while the judge is away."""
    users = basic_auth_form.BasicAuth(users=(("alice", "$2b$04$" + "a" * 53),))
    own = asking(house.family)
    there = f"http://127.0.0.1:{one.port}"
    either = site("e.test", there, options=guarded(client_certificates=own, basic_auth=users, any=True))
    both = site("b.test", there, options=guarded(client_certificates=own, basic_auth=users))
    with rendered.running(either, both) as gate:
        shown = dataclasses.replace(gate.clients, own=house.visitors["alice"])
        answer = clients.get(shown, "https://e.test/")
        assert answer.status_code == 200
        assert answer.json()["headers"]["x-ssl-client-s-dn"] == "CN=alice"
        assert clients.get(gate.clients, "https://e.test/").status_code == 503
        assert clients.get(shown, "https://b.test/").status_code == 503
        assert clients.get(gate.clients, "https://b.test/").status_code == 403
