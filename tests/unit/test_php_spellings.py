"""Which expressions beside a PHP application are warned of: those that guard a script and not all its spellings."""

import pathlib

import pytest

from daemun.core import model
from daemun.sources import yaml_file

DENY = "{deny: true}"
GUARDED = "{php: 'php:9000', access: {allow: [private]}}"


def find_problems(routes: str, application: str = "/: {php: 'php:9000'}", more: str = "") -> tuple[model.Problem, ...]:
    text = f"sites: {{a.test: {{routes: {{{application}, {routes}}}{more}}}}}"
    return tuple(yaml_file.parse(text, file_name="daemun.yaml", base_dir=pathlib.Path("/srv")).problems)


@pytest.mark.parametrize(
    ("expression", "past"),
    [
        (r"~ ^/sub/index\.php$", '"/sub/index.php/" is requested for "/sub/index.php"'),
        (r"~ ^/sub/index\.php", '"/sub/" is requested for "/sub/index.php"'),
        (r"~ ^/sub/index\.php(?:/|$)", '"/sub/" is requested for "/sub/index.php"'),
        (r"~* ^/(?:wp-login|xmlrpc)\.php$", '"/wp-login.php/" is requested for "/wp-login.php"'),
        (r"~ \.php$", '"/index.php/" is requested for "/index.php"'),
        (r"~ \.php", '"/" is requested for "/index.php"'),
        (r"~ ^/[^/]+$", '"/index.php/" is requested for "/index.php"'),
        (r"~ ^/[0-9]+\.php$", "with something behind their names"),
        (r"~ ^/login\.php/?$", '"/login.php/x" is requested for "/login.php"'),
    ],
)
@pytest.mark.parametrize("action", [DENY, GUARDED, "{php: 'php:9000', access: {rate_limit: 5/s}}"])
def test_what_is_warned_of(expression: str, past: str, action: str) -> None:
    (problem,) = find_problems(f"'{expression}': {action}")
    assert problem.severity is model.Severity.WARNING
    assert "does not guard scripts in every spelling" in problem.message
    assert past in problem.message


def test_the_application_may_be_open_in_a_guarded_site() -> None:
    (problem,) = find_problems(
        r"'~ ^/a\.php$': {php: 'php:9000'}",
        "/: {php: 'php:9000', access: public}",
        ", access: {allow: [private]}",
    )
    assert "does not guard" in problem.message


@pytest.mark.parametrize(
    "routes",
    [
        rf"'~ ^/wp-admin/': {DENY}",
        rf"'~ ^/xmlrpc\.php': {DENY}",
        rf"'~ ^/(?:wp-login|xmlrpc)\.php(?:/|$)': {GUARDED}",
        rf"'~ ^/sub/(?:index\.php(?:/|$)|$)': {GUARDED}",
        rf"'~ ^/u/[0-9]+$': {DENY}",
        # What is to be written instead.
        rf"'= /sub/index.php': {DENY}",
        rf"/sub/: {GUARDED}",
        rf"'*.php': {GUARDED}",
        # No guards.
        r"'~ ^/old\.php$': {redirect: /new}",
        r"'~ ^/a\.php$': {php: 'php:9000', timeout: 5m}",
    ],
)
def test_what_is_not_warned_of(routes: str) -> None:
    assert not find_problems(routes)


def test_only_beside_php() -> None:
    assert not find_problems(rf"'~ ^/sub/index\.php$': {DENY}", "/: 'http://a'")


def test_what_is_no_expression_is_an_error_alone() -> None:
    assert all(one.severity is model.Severity.ERROR for one in find_problems(rf"'~ ^/(\.php$': {DENY}"))
