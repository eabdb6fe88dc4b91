"""`listen` of a site: what may be written, and what does not go together."""

import pytest

from daemun.core import model
from daemun.core.rounds import merge
from daemun.sources import yaml_file


def read(site: str) -> model.Snapshot:
    text = f"sites:\n  a.test: {{{site}, routes: {{/: http://127.0.0.1:1}}}}\n"
    return yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")


@pytest.mark.parametrize(
    ("written", "ports", "http"),
    [
        ("listen: {http: 8080, https: 8443}", (8080, 8443), model.HttpMode.REDIRECT),
        ("listen: {http: 8080, https: 8443}, http: serve", (8080, 8443), model.HttpMode.SERVE),
        ("listen: {https: 8443}", (None, 8443), model.HttpMode.OFF),
        ("listen: {https: 8443}, http: off", (None, 8443), model.HttpMode.OFF),
        ("listen: {http: 8080}, tls: off", (8080, None), model.HttpMode.SERVE),
    ],
)
def test_forms(written: str, ports: tuple[int | None, int | None], http: model.HttpMode) -> None:
    snapshot = read(written)
    (site,) = snapshot.sites
    assert not snapshot.problems
    assert ((site.http_port, site.https_port), site.http) == (ports, http)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("listen: 8443", "write `listen: {https: 8443}`"),
        ("listen: {https: 70000}", "70000 is not between 1 and 65535"),
        ("listen: {https: '8443'}", "expected a port such as 8443"),
        ("listen: {https: [8443, 8444]}", "expected a port such as 8443, found a list"),
        ("listen: {htps: 8443}", 'did you mean "https"?'),
        ("listen: {http: 8443, https: 8443}", "for both"),
        ("listen: {http: 8080}", "write `tls: off` in the site"),
        ("listen: {https: 8443}, tls: off", "leave `https` out"),
        ("listen: {}, tls: off", "add one, such as `http: 8080`"),
        ("listen: {https: 8443}, http: redirect", "where `http: redirect` wants one"),
    ],
)
def test_what_is_refused(written: str, words: str) -> None:
    (problem,) = read(written).problems
    assert words in problem.message
    assert problem.origin.place.startswith("daemun.yaml:2:")


@pytest.mark.parametrize("written", ["listen: {http: 443}, tls: off", "listen: {https: 80}"])
def test_a_port_of_the_gate_with_another_protocol_is_an_error(written: str) -> None:
    desired = merge.merge_snapshots((read(written),))
    assert not desired.enabled
    (problem,) = [one for one in desired.problems if one.host == "a.test"]
    assert "choose another port" in problem.message
