"""What the rules let pass and nginx could not do as meant: refused with the site, the route and the way out."""

import dataclasses
import re

import pytest

from daemun.core import layout, model, render_environment
from daemun.core.options import balance_option, catalogue, header_options, spa_option, trusted_proxies_option
from daemun.core.render import render_tree
from daemun.core.validation import validate
from daemun.errors import RenderError
from tests.support.sites import proxy, route, site, target

ENVIRONMENT = render_environment.Environment(
    layout=layout.Layout(state="/var/lib/daemun"),
    nginx=render_environment.Nginx(
        path="/usr/sbin/nginx", version=(1, 27, 4), features=frozenset(render_environment.Feature)
    ),
    resolver="127.0.0.1:5301",
    ca_bundle="/etc/ssl/certs/ca-certificates.crt",
)
BALANCED = model.Proxy(
    targets=(target("http://10.0.0.1"), target("http://10.0.0.2", backup=True)),
    options=catalogue.values(balance_option.OPTION.set(balance_option.Balance(method=balance_option.Method.IP_HASH))),
)


@pytest.mark.parametrize(
    ("routes", "cause"),
    [
        ([route("/x", "https://10.0.0.1")], "cannot be verified, because nginx compares names only; set `server_name`"),
        ([route("/x", "https://unix:/run/x.sock")], "cannot be verified"),
        ([route("/x", proxy("https://a", "https://b"))], "several hosts"),
        ([route("/x", "http://10.0.0.1/a%2Fb")], 'holds "%2F"'),
        ([route("/x", model.Files(folder="/srv")), route("/x/", "http://10.0.0.1")], "a route of its own"),
        (
            [route("/$x", model.Files(folder="/srv", options=catalogue.values(spa_option.OPTION.set(True))))],
            "path with a \\$",
        ),
        (
            [route("/x", model.Files(folder="/srv"), request_headers=(("X-A", "1"),))],
            "request_headers: has a meaning only beside `to`",
        ),
        (
            [
                route(
                    "/x",
                    model.Files(folder="/srv"),
                    options=catalogue.values(header_options.RESPONSE.set((("Content-Type", "a/b"),))),
                )
            ],
            "files have the type of their ending",
        ),
        ([route("/x", "memcached://10.0.0.1", request_headers=(("X-A", "1"),))], "cannot be sent to memcached"),
        ([route("/x", "fastcgi://10.0.0.1", request_headers=(("X-" + "a" * 50, "1"),))], "too long for a CGI"),
        (
            [
                route(
                    "/x",
                    "http://10.0.0.1",
                    options=catalogue.values(header_options.RESPONSE.set((("Server", "mine"),))),
                )
            ],
            "nginx's own in every answer",
        ),
        ([route("/x", "http://10.0.0.1", request_headers=(("Content-Length", "1"),))], "concerns one connection"),
        ([route("/x", BALANCED)], "ip_hash cannot be used with a backup"),
        ([route("/x", model.Proxy(targets=()))], "expected at least one target"),
        ([route("/x", proxy("http://10.0.0.1", "https://10.0.0.1"))], "has another scheme"),
    ],
)
def test_a_route(routes: list[model.Route], cause: str) -> None:
    with pytest.raises(RenderError, match=rf'^cannot render site "a\.test", route "/\$?x".*{cause}'):
        render_tree.render_site(site("a.test", *routes), ENVIRONMENT)


def test_the_place_is_named() -> None:
    origin = model.Origin(source="file", place="daemun.yaml:7:3")
    with pytest.raises(RenderError, match=r'site "a\.test", route "/", .*\(daemun\.yaml:7:3\)$'):
        render_tree.render_site(site("a.test", route("/", "https://10.0.0.1", origin=origin)), ENVIRONMENT)


@pytest.mark.parametrize(
    ("made", "cause"),
    [
        (site("~(a", "http://10.0.0.1"), r'host "~\(a" opens a group'),
        (site("a.test", "http://10.0.0.1", aliases=("a b",)), '"a b" is not a host name'),
        (site("*.a.test", "http://10.0.0.1", aliases=("b.test",), redirect_aliases=True), "to a wildcard"),
        (site("a.test", "http://10.0.0.1", "http://10.0.0.2"), 'route "/": is given twice'),
    ],
)
def test_a_site(made: model.Site, cause: str) -> None:
    with pytest.raises(RenderError, match=rf"^cannot render .*{cause}"):
        render_tree.render_site(made, ENVIRONMENT)


@pytest.mark.parametrize(
    ("action", "feature"),
    [
        (proxy("h2c://10.0.0.1"), render_environment.Feature.HTTP2_UPSTREAM),
        (proxy("h2://inner.test"), render_environment.Feature.HTTP2_UPSTREAM),
        (proxy("grpc://10.0.0.1"), render_environment.Feature.GRPC),
        (proxy("fastcgi://10.0.0.1"), render_environment.Feature.FASTCGI),
        (proxy("uwsgi://10.0.0.1"), render_environment.Feature.UWSGI),
        (proxy("scgi://10.0.0.1"), render_environment.Feature.SCGI),
        (proxy("memcached://10.0.0.1"), render_environment.Feature.MEMCACHED),
        (
            proxy(
                "http://10.0.0.1",
                options=catalogue.values(
                    balance_option.OPTION.set(balance_option.Balance(method=balance_option.Method.STICKY))
                ),
            ),
            render_environment.Feature.STICKY,
        ),
    ],
)
def test_what_this_nginx_cannot_do(action: model.Proxy, feature: render_environment.Feature) -> None:
    made = site("a.test", route("/", action))
    lacking = dataclasses.replace(ENVIRONMENT.nginx, features=frozenset(render_environment.Feature) - {feature})
    with pytest.raises(RenderError, match=f"1.27.4 at .* was built without {re.escape(feature.value)}"):
        render_tree.render_site(made, dataclasses.replace(ENVIRONMENT, nginx=lacking))
    assert validate.find_unsupported(made, lacking.features), "and the rules say so first"
    render_tree.render_site(made, ENVIRONMENT)


def test_what_this_machine_lacks() -> None:
    named = site("a.test", "https://inner.test")
    with pytest.raises(RenderError, match="no trusted roots"):
        render_tree.render_site(named, dataclasses.replace(ENVIRONMENT, ca_bundle=None))
    with pytest.raises(RenderError, match="no resolver"):
        render_tree.render_site(named, dataclasses.replace(ENVIRONMENT, resolver=None))


def test_without_realip_nobody_is_trusted() -> None:
    lacking = dataclasses.replace(ENVIRONMENT.nginx, features=frozenset())
    desired = model.Desired(
        globals=model.Globals(options=catalogue.values(trusted_proxies_option.OPTION.set(("10.0.0.0/8",))))
    )
    with pytest.raises(RenderError, match=r"^cannot render trusted_proxies"):
        render_tree.render_files(desired, dataclasses.replace(ENVIRONMENT, nginx=lacking))
    files = render_tree.render_files(
        model.Desired(globals=model.Globals()), dataclasses.replace(ENVIRONMENT, nginx=lacking)
    )
    assert b"realip" not in files["nginx.conf"]
    assert b"http2" not in files["nginx.conf"]


@pytest.mark.parametrize("state", ["/var/$x", "relative", "/a\nb"])
def test_a_state_directory_nginx_could_not_read(state: str) -> None:
    env = dataclasses.replace(ENVIRONMENT, layout=layout.Layout(state=state))
    with pytest.raises(RenderError, match=r"^cannot use the state directory"):
        render_tree.render_files(model.Desired(globals=model.Globals()), env)
