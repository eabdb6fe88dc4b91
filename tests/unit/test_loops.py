"""Requests that would never end: they are told before a visitor goes round in circles."""

import pytest

from daemun.core import loops, model
from tests.support.sites import proxy, route, site

LISTENING = (model.Address(port=80), model.Address(port=443), model.Address(port=8443))


def found(*routes: model.Route) -> list[str]:
    return [problem.message for problem in loops.find_loops(site("a.test", *routes, aliases=("b.test",)), LISTENING)]


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


@pytest.mark.parametrize(
    "to", ["/", "/x", "https://a.test/", "https://b.test/x?y=1", "https://a.test:443/", "https://$host/", "/$is_args"]
)
def test_a_redirect_to_its_own_route(to: str) -> None:
    is_loop = bool(found(route("/", model.Redirect(to=to))))
    assert is_loop is ("$is_args" not in to)


@pytest.mark.parametrize(
    "to",
    [
        "https://c.test/",
        "https://a.test:9443/",
        "https://$host$request_uri",
        "https://a.test$request_uri",
        "https://a.test/new/",
        "$scheme://x.test/",
    ],
)
def test_a_redirect_elsewhere(to: str) -> None:
    assert found(route("/", model.Redirect(to=to)), route("/new/", "http://10.0.0.1")) == []


def test_of_a_disabled_site_nothing_is_said() -> None:
    assert loops.find_loops(site("a.test", "http://127.0.0.1", enabled=False), LISTENING) == ()
