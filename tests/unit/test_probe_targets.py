"""Which names of a site are shaken hands with, and which of its servers are one."""

import dataclasses

from daemun.core import directive, model
from daemun.core.options import access_option, catalogue, forward_auth_forms
from daemun.core.served import probe_targets
from daemun.probing import handshakes
from tests.support.sites import route, site


def test_names_of_a_site_without_tls_are_not_shaken_hands_with() -> None:
    made = site("a.test", "http://10.0.0.1", aliases=("*.a.test", "b.test"))
    assert probe_targets.handshake_names(made) == ("a.test", "daemun-probe.a.test", "b.test")
    assert probe_targets.handshake_names(dataclasses.replace(made, tls=model.Tls(mode=model.TlsMode.OFF))) == ()


def test_a_certificate_that_the_owners_nginx_names() -> None:
    made = site("a.test", "http://10.0.0.1")
    assert not probe_targets.names_a_certificate(made)
    own = directive.Directive("ssl_certificate", (directive.Expr("/x.pem"),))
    assert probe_targets.names_a_certificate(dataclasses.replace(made, snippet=(own,)))


def test_two_routes_to_one_server_are_one() -> None:
    to = {"/": "http://10.0.0.1:80", "/x/": "http://10.0.0.1:80", "/y/": "http://10.0.0.2"}
    made = site("a.test", *(route(path, target) for path, target in to.items()))
    first, second, other = (probe_targets.server_of(aim) for aim in probe_targets.find_aims(made))
    assert first == second != other
    assert len(list(probe_targets.targets_of(made))) == 3


def test_the_judge_of_every_route_is_tried_whoever_names_it() -> None:
    def judged(port: int) -> model.OptionValues:
        auth = forward_auth_forms.ForwardAuth(url=f"http://10.0.0.9:{port}/check")
        return catalogue.values(access_option.OPTION.set(access_option.Access(forward_auth=auth)))

    public = catalogue.values(access_option.OPTION.set(access_option.Access()))
    made = site(
        "a.test",
        route("/", "http://10.0.0.1"),
        route("/moved/", model.Redirect(to="https://b.test/")),
        route("/open/", "http://10.0.0.1", options=public),
        route("/own/", "http://10.0.0.9:3", options=judged(3)),
    )

    def found(made: model.Site, settings: model.Globals | None = None) -> list[tuple[str, int]]:
        aims = probe_targets.find_aims(made, settings)
        return [(aim.path, aim.endpoint.port) for aim in aims if aim.is_judge and aim.endpoint]

    assert found(made) == [("/own/", 3)]
    gate = model.Globals(options=judged(1))
    assert found(made, gate) == [("/", 1), ("/moved/", 1), ("/own/", 3)]
    of_site = dataclasses.replace(made, options=judged(2))
    assert found(of_site, gate) == [("/", 2), ("/moved/", 2), ("/own/", 3)]
    assert found(dataclasses.replace(made, enabled=False), gate) == []
    server, judge = (aim for aim in probe_targets.find_aims(made) if aim.path == "/own/")
    assert probe_targets.server_of(server) != probe_targets.server_of(judge)


def test_ports_of_a_site_are_at_the_addresses_of_the_gate() -> None:
    listen = model.Listen(
        http=(model.Address(port=80),),
        https=(model.Address(port=443, host="192.0.2.7"), model.Address(port=8443, host="192.0.2.7")),
    )
    settings = model.Globals(listen=listen)
    one = site("a.test", "http://127.0.0.1:1", http_port=81, https_port=7443)
    own = model.Address(port=7443, host="192.0.2.7")
    assert handshakes.find_listeners(one, settings, has_ipv6=True) == (own,)
    found = probe_targets.find_gate(one, model.Desired(globals=settings, sites=(one,)))
    assert set(found) == {*listen.http, *listen.https, own, model.Address(port=81)}
