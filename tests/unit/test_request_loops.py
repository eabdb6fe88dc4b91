"""Requests that would never end: they are told before a visitor goes round in circles."""

import pytest

from daemun.core import directive, model
from daemun.core.validation import request_loops
from tests.support.sites import proxy, route, site

LISTENING = (model.Address(port=80), model.Address(port=443), model.Address(port=8443))


def found(*routes: model.Route) -> list[str]:
    return [
        problem.message for problem in request_loops.find_loops(site("a.test", *routes, aliases=("b.test",)), LISTENING)
    ]


@pytest.mark.parametrize("url", ["http://127.0.0.1", "http://127.0.0.1:8443", "http://localhost", "http://[::1]:80"])
def test_a_server_that_is_the_gate_itself(url: str) -> None:
    (message,) = found(route("/", url))
    assert 'site "a.test", route "/", to: ' in message
    assert "is daemun's own port" in message


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://10.0.0.5", "http://web", "http://unix:/run/x.sock"])
def test_another_server(url: str) -> None:
    assert found(route("/", url)) == []


def test_another_site_of_the_gate_can_be_meant() -> None:
    assert found(route("/", proxy("http://127.0.0.1", host_header="other.test"))) == []


@pytest.mark.parametrize("url", ["https://a.test", "http://a.test", "http://b.test", "https://a.test:8443/x"])
def test_a_server_that_is_the_site_itself(url: str) -> None:
    (message,) = found(route("/", url))
    assert 'site "a.test", route "/", to: ' in message
    assert "is this site itself, so requests would come back to it; name the server by its address" in message


@pytest.mark.parametrize("url", ["http://a.test:8080", "https://c.test", "http://x.a.test", "http://a"])
def test_a_server_of_another_name_or_port(url: str) -> None:
    assert found(route("/", url)) == []


def test_a_site_that_listens_on_its_own_name_s_server() -> None:
    assert found(route("/", proxy("https://a.test", host_header="other.test"))) == []


def test_a_gate_that_is_tried_on_other_ports_beside_the_server() -> None:
    tried = (model.Address(port=8080), model.Address(port=8443))
    assert not request_loops.find_loops(site("a.test", route("/", "https://a.test")), tried)


def redirect(path: str, to: str) -> model.Route:
    return model.Route(path=path, action=model.Redirect(to=to))


@pytest.mark.parametrize(
    "to",
    [
        "https://a.test/",
        "https://a.test",
        "https://b.test/new",
        "http://a.test/",
        "https://$host$request_uri",
        "https://$host/new",
        "https://$host:8443$request_uri",
        "$scheme://$host$uri",
        "/new",
        "/new$is_args$args",
        "https://A.test/x?y=1",
    ],
)
def test_a_redirect_that_leads_back(to: str) -> None:
    (message,) = found(redirect("/", to))
    assert 'site "a.test", route "/", redirect: ' in message
    assert "leads back to this route" in message
    assert "plain HTTP is sent to HTTPS anyway" in message


@pytest.mark.parametrize(
    ("to", "others"),
    [
        ("https://c.test/", ()),
        ("https://www.$host/", ()),
        ("https://a.test:9999/", ()),
        ("//c.test/", ()),
        ("https://a.test/new", ("/new",)),
        ("/new", ("/new",)),
        ("/new$request_uri", ("/new",)),
        ("/$host", ()),
        ("/$arg_to", ()),
    ],
)
def test_a_redirect_that_leads_elsewhere(to: str, others: tuple[str, ...]) -> None:
    assert found(redirect("/", to), *(route(path, "http://10.0.0.5") for path in others)) == []


@pytest.mark.parametrize(("path", "to"), [("/old", "/old/new"), ("/old/", "https://a.test/old/$request_uri")])
def test_a_redirect_of_a_part_that_leads_back(path: str, to: str) -> None:
    (message,) = found(route("/", "http://10.0.0.5"), redirect(path, to))
    assert f'route "{path}"' in message


def test_a_redirect_out_of_a_part_is_none() -> None:
    assert found(route("/", "http://10.0.0.5"), redirect("/old/", "/new/")) == []


def test_https_of_a_site_without_tls_is_another_programs() -> None:
    one = site("a.test", redirect("/", "https://$host$request_uri"), tls=model.Tls(mode=model.TlsMode.OFF))
    assert request_loops.find_loops(one, LISTENING) == ()


def test_hand_written_nginx_may_decide_otherwise() -> None:
    line = (directive.Directive("try_files", (directive.Expr("/x"),)),)
    assert request_loops.find_loops(site("a.test", redirect("/", "/new"), snippet=line), LISTENING) == ()


def test_of_a_disabled_site_nothing_is_said() -> None:
    assert request_loops.find_loops(site("a.test", "http://127.0.0.1", enabled=False), LISTENING) == ()


def test_a_server_of_this_machine_beside_a_gate_on_an_address_of_its_own() -> None:
    listening = (model.Address(port=80, host="192.0.2.1"), model.Address(port=443, host="192.0.2.1"))
    assert request_loops.find_loops(site("a.test", "http://127.0.0.1"), listening) == ()
