"""The port of the gate's HTTPS, and those of single sites, on the ways to the sign-in and back."""

import dataclasses

import pytest

from daemun.core import model
from daemun.core.access import login_providers, login_url
from daemun.core.options import catalogue, login_option, login_provider_form
from tests.support import echo, ports
from tests.support.login_browser import Browser
from tests.support.login_house import EVERYBODY, guarded, house, settings
from tests.support.sites import site

pytestmark = pytest.mark.nginx


def test_plain_http_leads_to_the_port_of_its_site(one: echo.EchoServer) -> None:
    there, own, gates = f"http://127.0.0.1:{one.port}", ports.free_port(), 65_535
    options = guarded(login=EVERYBODY)
    home = site("home.test", there, options=options, http=model.HttpMode.SERVE)
    moved = site("own.test", there, options=options, http=model.HttpMode.SERVE, https_port=own)
    with house(home, moved, gate=settings()) as running:
        listen = model.Listen(https=(model.Address(port=gates),))
        globals_ = dataclasses.replace(running.desired.globals, listen=listen)
        running.desired = dataclasses.replace(running.desired, globals=globals_)
        running.prepare()
        browser = Browser(running.gate.clients)
        for host, port in (("home.test", gates), ("own.test", own)):
            answer = browser.send(f"http://{host}/.daemun/login/start?/x")
            assert answer.headers["Location"] == f"https://{host}:{port}/.daemun/login/start?/x"


@pytest.mark.parametrize(
    ("listening", "port"),
    [([443], ""), ([8443], ":8443"), ([8443, 443], ""), ([9443, 8443], ":9443"), ([], "")],
)
def test_one_port_for_all(listening: list[int], port: str) -> None:
    provider = login_provider_form.LoginProvider(
        oidc="https://id.test", client_id="a", client_secret=model.Secret(text="b")
    )
    login = login_option.Login(host="auth.test", providers=(provider,))
    listen = model.Listen(https=tuple(model.Address(port=one) for one in listening))
    found = model.Globals(listen=listen, options=catalogue.values(login_option.OPTION.set(login)))
    assert login_url.find_url(found) == f"https://auth.test{port}"
    assert login_providers.find_callbacks(found) == {"id.test": f"https://auth.test{port}/callback/id.test"}
