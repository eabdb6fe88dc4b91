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


def test_of_a_disabled_site_nothing_is_said() -> None:
    assert loops.find_loops(site("a.test", "http://127.0.0.1", enabled=False), LISTENING) == ()


def test_a_server_of_this_machine_beside_a_gate_on_an_address_of_its_own() -> None:
    listening = (model.Address(port=80, host="192.0.2.1"), model.Address(port=443, host="192.0.2.1"))
    assert loops.find_loops(site("a.test", "http://127.0.0.1"), listening) == ()
