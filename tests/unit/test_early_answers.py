"""Hand-written answers that nginx would give before it looks at `access`: what cannot be put behind it is refused."""

import pytest

from daemun.core import layout, model, render_environment
from daemun.core.options import access_option, catalogue
from daemun.core.options.access_option import Access
from daemun.core.render import render_tree
from daemun.errors import RenderError
from daemun.sources import nginx_snippet
from tests.support.sites import route, site

ENVIRONMENT = render_environment.Environment(
    layout=layout.Layout(state="/var/lib/daemun"),
    nginx=render_environment.Nginx(
        path="/usr/sbin/nginx", version=(1, 31, 3), features=frozenset(render_environment.Feature)
    ),
    resolver="127.0.0.1:5301",
    ca_bundle="/etc/ssl/certs/ca-certificates.crt",
)
GUARDED = catalogue.values(access_option.OPTION.set(Access(allow=("private",))))
PUBLIC = catalogue.values(access_option.OPTION.set(Access()))
LIMITED = catalogue.values(access_option.OPTION.set(Access(connections=5)))


def render(written: str, of_route: str = "", *, options: model.OptionValues = GUARDED) -> str:
    routes = (
        route("/", "http://10.0.0.1:80", snippet=nginx_snippet.parse_snippet(of_route)),
        route("/open/", "http://10.0.0.1:80", options=PUBLIC),
    )
    one = site("a.test", *routes, options=options, snippet=nginx_snippet.parse_snippet(written))
    return render_tree.render_site(one, ENVIRONMENT).decode()


@pytest.mark.parametrize(
    ("written", "of_route"),
    [
        ("return 200 hi;", ""),
        ("return https://else.test/;", ""),
        ("if ($host = x.test) { return 301 https://a.test/; }", ""),
        ("rewrite ^/old$ /new permanent;", ""),
        ("", "if ($arg_x) { return 200 hi; }"),
        ("", "rewrite ^/old$ https://else.test/;"),
        ("", "rewrite ^/old$ /new redirect;"),
        ("location /x { if ($arg_x) { return 302 /y; } proxy_pass http://10.0.0.1; }", ""),
        ("location /x { location /x/y { root /srv; } return 200 hi; }", ""),
        ("location /x { rewrite ^ /y break; return 200 hi; root /srv; }", ""),
        ("error_page 418 = @text; location @text { return 200 hi; }", "if ($arg_x) { return 418; }"),
    ],
)
def test_refused(written: str, of_route: str) -> None:
    with pytest.raises(RenderError, match=r"would answer everybody.* such as `location = /old"):
        render(written, of_route)
    render(written, of_route, options=LIMITED)
    render(written, of_route, options=())


@pytest.mark.parametrize(
    ("written", "of_route"),
    [
        ("if ($http_user_agent ~ bad) { return 403; }", ""),
        ("location ~ /\\.git { return 404; }", "if ($arg_x) { return 444; }"),
        ("", "if ($request_method = OPTIONS) { add_header Access-Control-Allow-Origin *; return 204; }"),
        ("rewrite ^/a$ /b last;", "rewrite ^/c$ /d break;"),
        ("location /x { auth_request off; allow all; return 200 hi; }", ""),
    ],
)
def test_what_lets_nobody_in_stays_where_it_is(written: str, of_route: str) -> None:
    assert "@daemun_behind" not in render(written, of_route)


def test_a_route_that_always_answers_is_behind_its_guard() -> None:
    text = render("", "return 200 route;")
    for part in text.split("location ")[1:]:
        # The other named locations are where the one behind the guard leads.
        assert "return 200 route" not in part or part.startswith("@")


@pytest.mark.parametrize("where", ["server", "location", "route"])
def test_an_include_that_daemun_cannot_read(where: str) -> None:
    line = "include /srv/odd.conf;"
    written = {"server": line, "location": f"location /x {{ {line} }}"}.get(where, "")
    of_route = line if where == "route" else ""
    with pytest.raises(RenderError, match=r"include /srv/odd\.conf.*cannot know whether `access` guards"):
        render(written, of_route)
    render(written, of_route, options=())
