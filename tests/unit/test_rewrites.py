"""Which `rewrite` lines of an owner may change the paths of a route."""

import pytest

from daemun.core.render import rewrites
from daemun.sources import nginx_snippet
from tests.support.sites import route


@pytest.mark.parametrize(
    ("own", "site", "may"),
    [
        ("", "", False),
        ("", "location = /unrelated { rewrite ^ /x break; }", False),
        ("", "location / { rewrite ^/(.*)$ /index.php?q=$1 last; }", False),
        ("", "rewrite ^/old/(.*)$ /app/$1 last;", False),
        ("", "rewrite ^/$ /app/ last;", False),
        ("", r"rewrite ^/v1\.0/ /app/ last;", False),
        ("", "rewrite ^ https://else.test$request_uri permanent;", False),
        ("", "rewrite ^/app/ $scheme://else.test/;", False),
        ("", "rewrite ^/app/a /app/b;", True),
        ("", "rewrite ^/app/a /app/b break;", True),
        ("", "location /app/a { rewrite ^/app/a /app/b break; }", False),
        ("", "location /app/a { rewrite ^/app/a /app/b last; }", True),
        ("", "if ($arg_x) { rewrite (.*) /app$1; }", True),
        ("", "rewrite ^/old|^/app/a /app/b;", True),
        ("", "rewrite ^/(old|app)/ /app/b;", True),
        ("", "rewrite ^/apps?/x /app/b;", True),
        ("", "rewrite ^/app/x* /other/; rewrite ^/other/ /app/y;", True),
        ("", "rewrite (?i)^/OLD /app/y;", True),
        ("", "rewrite ^/old /$1;", False),
        ("", "rewrite ^/app/old /$1;", True),
        ("rewrite ^/app/a /b break;", "", True),
        ("if ($arg_x) { rewrite ^ /b break; }", "", True),
        ("rewrite ^/app/a https://else.test/ redirect;", "", False),
        ("location /app/in/ { rewrite ^ /x break; }", "", False),
        ("location /app/in/ { rewrite ^ /app/x last; }", "", True),
    ],
)
def test_what_a_rewrite_concerns(own: str, site: str, may: bool) -> None:
    given = route("/app/", "http://127.0.0.1:1/", snippet=nginx_snippet.parse_snippet(own))
    assert rewrites.may_change(given, nginx_snippet.parse_snippet(site)) is may


@pytest.mark.parametrize(("path", "may"), [("= /app/", True), ("= /other", False), ("*.js", True), ("~ ^/x", True)])
def test_what_a_rewrite_concerns_of_other_paths(path: str, may: bool) -> None:
    """Of a suffix or an expression it cannot be excluded."""
    given = route(path, "http://127.0.0.1:1")
    assert rewrites.may_change(given, nginx_snippet.parse_snippet("rewrite ^/app/(.*)$ /app/inner/$1 last;")) is may
