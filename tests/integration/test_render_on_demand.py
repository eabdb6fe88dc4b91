"""Names that are added to a site while nginx runs, by putting a certificate into live/: what visitors receive."""

import http.client
import pathlib
import shutil
import socket
import ssl

import pytest

from daemun.core import model
from daemun.core.options import catalogue, on_demand_option, status_option
from tests.support import clients, rendered
from tests.support.sites import route

pytestmark = pytest.mark.nginx


def site(*, ask: str | None = None, **options: object) -> model.Site:
    answer = route("/", model.Redirect(to="/seen?host=$host", options=catalogue.values(status_option.OPTION.set(302))))
    return model.Site(
        host="app.test",
        routes=(answer,),
        options=catalogue.values(on_demand_option.OPTION.set(on_demand_option.OnDemand(ask=ask))),
        **options,  # type: ignore[arg-type]
    )


def add(gate: rendered.Running, name: str) -> None:
    """As the daemon does it: a folder with chain and key, put into its place whole."""
    live = pathlib.Path(gate.layout.live)
    certificate, key = rendered.self_signed(name)
    draft = live / f".{name}"
    shutil.copytree(live / "app.test", draft)
    (draft / "fullchain.pem").write_bytes(certificate)
    (draft / "privkey.pem").write_bytes(key)
    (draft / "privkey.pem").chmod(0o644)
    draft.rename(live / name)


def test_a_name_that_is_added_is_served_without_a_reload() -> None:
    other = model.Site(host="other.test", routes=(route("/", model.Redirect(to="/other")),))
    with rendered.running(site(), other) as gate:
        assert clients.handshake(gate.clients, "shop.example.com").alert is not None
        assert clients.get(gate.clients, "http://shop.example.com/").status_code == 404
        add(gate, "shop.example.com")
        assert clients.handshake(gate.clients, "shop.example.com").names == {"shop.example.com"}
        there = clients.get(gate.clients, "http://shop.example.com/x?y=1")
        assert (there.status_code, there.headers["Location"]) == (301, f"https://shop.example.com:{gate.https}/x?y=1")
        assert clients.handshake(gate.clients, "app.test").names == {"app.test"}
        assert clients.handshake(gate.clients, "other.test").names == {"other.test"}
        assert clients.handshake(gate.clients, None).names == {"app.test"}


@pytest.mark.parametrize("name", ["../app.test", "app.test/..", "", ".", "..", "a", "x" * 300, "%2e%2e", "a.test\x00b"])
def test_a_name_that_is_none_finds_no_folder(name: str) -> None:
    with rendered.running(site()) as gate, socket.create_connection(("127.0.0.1", gate.http), timeout=10) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        status = connection.recv(4096).split(b" ", 2)[1]
    assert status in {b"400", b"404"}


def test_who_came_in_by_a_known_name_reaches_no_unknown_one() -> None:
    with rendered.running(site()) as gate:
        add(gate, "shop.example.com")
        assert clients.get(gate.clients, "https://app.test/", Host="unknown.example.com").status_code == 421
        answer = clients.get(gate.clients, "https://app.test/", Host="shop.example.com")
        assert answer.headers["Location"] == "/seen?host=shop.example.com"


def test_handshakes_for_unknown_names_are_told_to_the_daemon() -> None:
    with rendered.running(site(ask="http://127.0.0.1:9/allowed")) as gate:
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with told:
            told.bind(gate.layout.missed_socket)
            pathlib.Path(gate.layout.missed_socket).chmod(0o666)
            told.settimeout(20)
            assert clients.handshake(gate.clients, "shop.example.com").alert is not None
            assert b"/live/shop.example.com/fullchain.pem" in told.recv(8192)


def get(gate: rendered.Running, shown: str, asked: str) -> tuple[int, str | None]:
    """A request for one name under the handshake of another, whatever the certificate. Status and Location."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", gate.https), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=shown) as connection,
    ):
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {asked}\r\nConnection: close\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.headers["Location"]


_OTHERS = ("other.test", "www.other.test", "x.wild.test", "off.test", "under_score.test")


@pytest.mark.parametrize("ask", [None, "http://127.0.0.1:9/"], ids=["by hand", "asking"])
def test_n11_another_sites_handshake_never_reaches_the_site_that_takes_names(ask: str | None) -> None:
    """Though that site's certificate lies beside those of names that were added. Nor does a disabled site's name."""
    answer = route("/", model.Redirect(to="/other", options=catalogue.values(status_option.OPTION.set(302))))
    others = (
        model.Site(host="other.test", aliases=("www.other.test",), routes=(answer,)),
        model.Site(host="*.wild.test", routes=(answer,)),
        model.Site(host="under_score.test", routes=(answer,)),
        model.Site(host="off.test", routes=(answer,), enabled=False),
    )
    with rendered.running(site(ask=ask, aliases=("app2.test",)), *others) as gate:
        add(gate, "shop.example.com")
        add(gate, "shop2.example.com")
        add(gate, "off.test")  # a certificate that is still there
        live = pathlib.Path(gate.layout.live)
        for name in ("www.other.test", "x.wild.test"):
            if not (live / name).exists():
                add(gate, name)
        for shown in _OTHERS:
            for asked in ("app.test", "app2.test", "shop.example.com"):
                assert get(gate, shown, asked) == (421, None), (shown, asked)
        for shown in ("app.test", "shop.example.com"):
            for asked in _OTHERS:
                assert get(gate, shown, asked) == (421, None), (shown, asked)
            for asked in ("app.test", "app2.test", "shop.example.com", "shop2.example.com"):
                assert get(gate, shown, asked) == (302, f"/seen?host={asked}"), (shown, asked)
        assert clients.get(gate.clients, "http://off.test/").status_code == 404


_LONG = f"{'a1b-c2d.' * 11}example.com"


@pytest.mark.parametrize("ask", [None, "http://127.0.0.1:9/"], ids=["by hand", "asking"])
def test_a_name_is_found_in_every_spelling(ask: str | None) -> None:
    """Visitors' programs send the name as it was written (RFC 4343: case is no difference)."""
    names = ("shop.example.com", "xn--0zwm56d.a-b_c.example.org", "a.bc", _LONG, _LONG.rjust(100, "z"))
    other = model.Site(host="other.test", routes=(route("/", model.Redirect(to="/other")),))
    with rendered.running(site(ask=ask, aliases=("www.app.test",)), other) as gate:
        for name in names:
            assert clients.handshake(gate.clients, name.upper()).alert is not None
            add(gate, name)
            for spelled in (name.upper(), name.title(), name[:-1] + name[-1].upper(), name):
                assert clients.handshake(gate.clients, spelled).names == {name}, spelled
                assert get(gate, spelled, spelled) == (302, f"/seen?host={name}")
        for name in ("app.test", "www.app.test", "other.test"):
            assert clients.handshake(gate.clients, name.upper()).names == clients.handshake(gate.clients, name).names
        assert clients.handshake(gate.clients, "SHOP.example.com.").names == {"shop.example.com"}
        for name in ("Unknown.Example.com", "A", "Shop.example.com.x", "Z" + _LONG.rjust(100, "z")):
            assert clients.handshake(gate.clients, name).alert is not None
        assert "app.test" in clients.handshake(gate.clients, "Shop.example.com/.").names, "it is no name"
        for shown in ("Other.test", "OTHER.TEST"):
            assert get(gate, shown, "shop.example.com") == (421, None)


def test_an_unknown_name_is_reported_in_lower_case() -> None:
    with rendered.running(site(ask="http://127.0.0.1:9/allowed")) as gate:
        reports = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with reports:
            reports.bind(gate.layout.missed_socket)
            pathlib.Path(gate.layout.missed_socket).chmod(0o666)
            reports.settimeout(20)
            assert clients.handshake(gate.clients, "Shop.EXAMPLE.com").alert is not None
            assert b"/live/shop.example.com/fullchain.pem" in reports.recv(8192)
