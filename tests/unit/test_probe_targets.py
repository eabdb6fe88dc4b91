"""Which names of a site are shaken hands with, and which of its servers are one."""

import dataclasses

from daemun.core import directive, model
from daemun.core.served import probe_targets
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
