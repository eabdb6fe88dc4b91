"""Paths in the words of other tools, redirects that drop what is behind their prefix, and keys for anchors."""

import pytest

from daemun.core import model
from daemun.core.options import hold_option, timeout_option
from daemun.core.texts import words
from daemun.sources import yaml_file


def parse(text: str) -> model.Snapshot:
    return yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")


def said(text: str) -> str:
    return "\n".join(str(problem) for problem in parse(text).problems)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("/api/*", "/api/"),
        ("/api*", "/api"),
        ("/*", "/"),
        ("/api/**", "/api/"),
        ("/a/b/*", "/a/b/"),
        ("/~bob/*", "/~bob/"),
    ],
)
def test_g1_a_star_at_the_end_is_the_prefix(written: str, meant: str) -> None:
    snapshot = parse(f"sites: {{a.test: {{{written!r}: 'http://web'}}}}")
    assert snapshot.problems == ()
    assert [route.path for route in snapshot.sites[0].routes] == [meant]


def test_g1_the_same_path_in_two_spellings() -> None:
    assert 'route "/api/*": is the same as "/api/"' in said(
        "sites: {a.test: {/api/: 'http://a', '/api/*': 'http://b'}}"
    )


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("/files/{id}", 'write "/files/"'),
        ("/files/{id}/x", 'write "/files/"'),
        ("/users/:id", 'write "/users/"'),
        ("/users/[id]", 'write "/users/"'),
        ("/api/*/x", 'write "/api/"'),
        ("/*.php", 'write "*.php"'),
        ("/(a|b)", 'a route for each of "/a" and "/b"'),
        ("/x/(a|b|c)/", '"/x/a/", "/x/b/" and "/x/c/"'),
        ("/x$", 'write "= /x"'),
        ("/~ ^/api", 'write "/api"'),
        ("/^api", "would never match"),
        ("/a|/b", "would never match"),
        ("/user/\\d+", "would never match"),
        ("/api/.*", 'write "/api/"'),
        ("/api/:path*", 'write "/api/"'),
        ("/foo/?*", "would never match"),
        ("/api/<id>", 'write "/api/"'),
        ("/api/<int:id>/x", 'write "/api/"'),
        ("/api,/v2", 'a route for each of "/api" and "/v2"'),
        ("/api, /v2,/v3/", '"/api", "/v2" and "/v3/"'),
        ("/api/ ", 'write "/api/"'),
        ("/api/*/ ", 'write "/api/"'),
    ],
)
def test_g1_what_would_never_match_is_refused(written: str, advice: str) -> None:
    found = said(f"sites:\n  a.test:\n    routes:\n      '{written}': http://web\n")
    assert advice in found
    assert f"route {words.quoted(written)}" in found
    assert "daemun.yaml:4:7" in found


@pytest.mark.parametrize("written", ["/a//b/*", "/a/../b*", "/a%20b/*"])
def test_g1_what_is_wrong_before_a_star_is_told_at_its_line(written: str) -> None:
    assert "daemun.yaml:5:7" in said(
        f"sites:\n  a.test:\n    routes:\n      /: http://web\n      '{written}': http://web\n"
    )


@pytest.mark.parametrize("to", ["https://b.test/${path}", "https://b.test/{path}", "https://b.test{path}"])
def test_g1_a_placeholder_in_a_redirect(to: str) -> None:
    found = said(f"sites: {{a.test: {{/old/: {{redirect: '{to}'}}}}}}")
    assert "https://b.test$uri" in found


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/a",
        "/a.b+(c)/",
        "/~bob/",
        "/price$list",
        "/x:y/",
        "/한글/",
        "/.well-known/x",
        "/a b",
        "/'",
        "/a,b/",
        "/a<b/",
        "/x<1>/",
    ],
)
def test_g1_plain_paths_stay_good(path: str) -> None:
    assert said(f'sites: {{a.test: {{"{path}": "http://web"}}}}') == ""


@pytest.mark.parametrize("path", ["/exact", "/old/", "/a/b"])
def test_g2_a_redirect_that_drops_the_rest_is_told(path: str) -> None:
    (problem,) = parse(f"sites: {{a.test: {{{path}: {{redirect: /new}}}}}}").problems
    assert problem.severity is model.Severity.WARNING
    assert f"{path.rstrip('/')}/more?x=1" in problem.message
    assert ('"/exactly"' in problem.message) == (path == "/exact")


@pytest.mark.parametrize(
    "route",
    [
        "/: {redirect: https://b.test/new}",
        "/x: {redirect: /new$is_args$args}",
        "/x: {redirect: https://b.test$request_uri}",
    ],
)
def test_g2_what_is_meant_is_not_told(route: str) -> None:
    assert said(f"sites: {{a.test: {{{route}}}}}") == ""


def test_l9_keys_for_anchors() -> None:
    text = """
x-usual: &usual {timeout: 30s, hold: off}
x-hosts: [1, 2]
sites:
  a.test:
    routes:
      /: {<<: *usual, to: http://web}
"""
    snapshot = parse(text)
    assert snapshot.problems == ()
    action = snapshot.sites[0].routes[0].action
    assert isinstance(action, model.Proxy)
    assert (timeout_option.OPTION.of(action).read_s, hold_option.OPTION.of(action)) == (30.0, 0.0)


@pytest.mark.parametrize(
    "text",
    [
        "sites: {'${HOST}': 'http://web'}",
        "sites: {'a.test, ${HOST:-b.test}': 'http://web'}",
        "sites: {a.test: {'/${PREFIX}/': 'http://web'}}",
        "sites: {a.test: {/: {to: 'http://web', request_headers: {'X-${NAME}': one}}}}",
    ],
)
def test_l9_variables_of_the_environment_are_no_keys(text: str) -> None:
    assert "variables of the environment are not read in keys" in said(text)


def test_l9_variables_of_nginx_are_not() -> None:
    assert said("'x-${A}': {'${B}': 1}\nsites: {a.test: 'http://web'}") == ""
    assert said("nginx: |\n  map $a ${B} { default 1; }\nsites: {a.test: 'http://web'}") == ""
