"""Labels that do not fit what the site of the file sets over them (`from: docker`): none takes the site down."""

import pytest

from daemun.core import model
from daemun.core.rounds import merge
from daemun.sources import yaml_file
from tests.support import docker_values


def merged(site: str, *labels: dict[str, str]) -> model.Desired:
    """site: in braces."""
    text = f"login: {{host: auth.test}}\nsites:\n  a.test: {site}\n"
    file = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")
    found = [
        docker_values.container(f"web-{number}", {"daemun.host": "a.test", **one}, ip=f"10.0.0.{number + 1}")
        for number, one in enumerate(labels, 1)
    ]
    return merge.merge_snapshots([file, docker_values.run(*found).snapshot])


def route(site: model.Site, path: str = "/") -> model.Route:
    (found,) = [one for one in site.routes if one.path == path]
    return found


@pytest.mark.parametrize(
    ("written", "labels", "cause"),
    [
        ("tls: 'off'", [{"daemun.hsts": "true"}], "hsts: promises HTTPS, but tls is off"),
        ("tls: 'off'", [{"daemun.http": "off"}], "http: is off and so is tls"),
        ("http: 'off'", [{}, {"daemun.path": "/x", "daemun.tls": "off"}], "http: is off and so is tls"),
        ("access: {login: true}", [{}, {"daemun.path": "/x", "daemun.tls": "off"}], "access.login: needs HTTPS"),
        (
            "routes: {/admin/: {access: {login: true}}}",
            [{}, {"daemun.path": "/x", "daemun.tls": "off"}],
            "access.login: needs HTTPS",
        ),
    ],
)
def test_labels_of_the_whole_site_yield_to_the_file(written: str, labels: list[dict[str, str]], cause: str) -> None:
    desired = merged(f"{{from: docker, {written}}}", *labels)
    (problem,) = desired.problems
    assert problem.severity is model.Severity.WARNING
    assert cause in problem.message
    assert "(daemun.yaml:3:3)" in problem.message
    assert all(f"container web-{number}" in problem.message for number, _ in enumerate(labels, 1))
    assert problem.message.endswith("set for the whole site has no effect")
    site = next(one for one in desired.sites if one.host == "a.test")
    assert isinstance(route(site).action, model.Proxy)
    assert all(one.is_served for one in desired.containers)


@pytest.mark.parametrize("of_file", ["", ", routes: {/x: {timeout: 5m}}"])
def test_a_label_of_one_path_closes_that_path_alone(of_file: str) -> None:
    labels = {"daemun.path": "/x", "daemun.access.login": "true"}
    desired = merged(f"{{from: docker, tls: 'off'{of_file}}}", {}, labels)
    site = next(one for one in desired.sites if one.host == "a.test")
    assert isinstance(route(site).action, model.Proxy)
    assert route(site, "/x").action == model.Respond(status=503)
    (problem,) = desired.problems
    assert 'route "/x", access.login: needs HTTPS' in problem.message
    assert [(one.is_served, one.why) for one in desired.containers] == [(True, None), (False, problem.message)]
