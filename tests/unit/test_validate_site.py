"""Every rule about one site: what is refused, with which words, and what is not."""

import dataclasses
import typing

import pytest

from daemun.core import model, render_environment
from daemun.core.options import (
    balance_option,
    catalogue,
    header_options,
    health_option,
    host_header_option,
    hsts_option,
    index_option,
    keepalive_option,
    retries_option,
    root_option,
    spa_option,
    status_option,
    timeout_option,
    trusted_proxies_option,
    upstream_tls_options,
)
from daemun.core.texts import rules
from daemun.core.validation import validate
from tests.support import sites
from tests.support.sites import upstream_tls

TARGET = model.Target(scheme=model.Scheme.HTTP, host="web", port=80)


def proxy(*targets: model.Target, **options: typing.Any) -> model.Proxy:
    return model.Proxy(targets=targets or (TARGET,), **sites.with_options(options))


def site(action: model.Proxy | model.Redirect | model.Files | None = None, **options: typing.Any) -> model.Site:
    """A good site on the local CA, but for the options."""
    of_route = {one.name for one in catalogue.ROUTE} | {"path"}
    own = {name: options.pop(name) for name in list(options) if name in of_route}
    route = sites.route(own.pop("path", "/"), action or proxy(), **own)
    return model.Site(**{"host": "a.test", "routes": (route,), **sites.with_options(options)})


def said(found: tuple[model.Problem, ...]) -> str:
    return "\n".join(f"{problem.severity.value}: {problem.message}" for problem in found)


def target(**changes: typing.Any) -> model.Target:
    return dataclasses.replace(TARGET, **changes)


def test_a_good_site_has_no_problems() -> None:
    assert not validate.find_site_problems(site())


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("", "is empty"),
        ("Shop.example.com", 'lower case; write "shop.example.com"'),
        ("shop.example.com:8443", 'ports are set by `listen`; write "shop.example.com"'),
        ("https://shop.example.com/x", 'holds a scheme; write "shop.example.com"'),
        ("shop.example.com/x", 'paths belong under the host; write "shop.example.com"'),
        ("a..b", "is not a host name"),
        ("-a.test", "is not a host name"),
        ("a b.test", "is not a host name"),
        ("a." * 130 + "test", "is too long"),
        ("x" * 64 + ".test", "is not a host name"),
        ("_.test", 'starts with "_"'),
        ("_v6_--1", 'starts with "_"'),
        ("a.*.test", '"*" in the wrong place'),
        ("*a.test", '"*" in the wrong place'),
        ("*.*.test", '"*" in the wrong place'),
        ("256.1.1.1", "looks like an IP address"),
        ("xn--a.com", 'has a part, "xn--a", that looks like punycode and is none, so no browser opens it'),
        ("shop.xn--zzzzzzzz9999.com", "looks like punycode and is none"),
        ("*.xn--a.com", "looks like punycode and is none"),
        ("::1", 'write "[::1]"'),
        ("[0:0::1]", 'write "[::1]"'),
        ("[10.0.0.1]", 'write "10.0.0.1"'),
        ("[fe80::1%eth0]", "zone"),
        ("a\n.test", "control character U+000A"),
        ("a\ud800.test", "control character U+D800"),
    ],
)
def test_bad_hosts(host: str, words: str) -> None:
    (problem,) = validate.find_site_problems(site(host=host, tls=model.Tls(mode=model.TlsMode.LOCAL)))
    assert words in problem.message
    assert problem.host == host


@pytest.mark.parametrize(
    "host",
    [
        "a",
        "localhost",
        "a.test",
        "*.a.test",
        "10.0.0.1",
        "[::1]",
        "xn--3e0b707e.test",
        "xn--i-7iq.ws",
        "xn--strae-oqa.de",
        "xn--fsqu00a.xn--0zwm56d",
    ],
)
def test_good_hosts(host: str) -> None:
    assert rules.check_host(host) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"aliases": ("b_.test", "C.test")}, 'aliases: "C.test" is not in lower case'),
        ({"aliases": ("a.test",)}, 'aliases: "a.test" is already a name of this site'),
        ({"redirect_aliases": True}, 'warning: site "a.test", redirect_aliases: has no effect'),
        ({"tls": model.Tls(mode=model.TlsMode.FILES)}, "tls.certificate: is missing"),
        ({"tls": model.Tls(mode=model.TlsMode.FILES, certificate="/c")}, "tls.key: is missing"),
        ({"tls": model.Tls(mode=model.TlsMode.FILES, certificate="c", key="/k")}, "must be an absolute path"),
        ({"tls": model.Tls(certificate="/c")}, "belongs to a certificate of your own"),
        ({"host": "*.a.test", "aliases": ("b.test",), "redirect_aliases": True}, "cannot lead to a wildcard"),
        ({"tls": model.Tls(mode=model.TlsMode.OFF), "http": model.HttpMode.OFF}, "would answer nothing"),
        ({"tls": model.Tls(mode=model.TlsMode.OFF), "hsts": hsts_option.Hsts()}, "hsts: promises HTTPS"),
        ({"hsts": hsts_option.Hsts(max_age_s=-1)}, "hsts.max_age: -1s is not between"),
        ({"routes": ()}, "routes: is empty"),
    ],
)
def test_options_of_a_site(options: dict[str, typing.Any], words: str) -> None:
    assert words in said(validate.find_site_problems(site(**options)))


def test_a_path_given_twice() -> None:
    route = site().routes[0]
    assert 'route "/": is given twice' in said(validate.find_site_problems(site(routes=(route, route))))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", 'must start with "/"'),
        ("api", 'write "/api"'),
        ("/a/../b", '".."'),
        ("/a//b", '"//"'),
        ("/a?b", "a query is a condition of a route"),
        ("/a%20b", 'write "/a b"'),
        ("/\x1b", "U+001B"),
        ("/" + "a" * 255, "is too long: 256 bytes"),
        ("/" + "a" * 5000, "is too long"),
    ],
)
def test_bad_paths(path: str, words: str) -> None:
    assert words in said(validate.find_site_problems(site(path=path)))


@pytest.mark.parametrize("path", ["/", "/a b/", "/문/", "/a.b", "/$x", '/"{};'])
def test_good_paths(path: str) -> None:
    assert not validate.find_site_problems(site(path=path))


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (proxy(target(port=0)), "to: port 0 is not between 1 and 65535"),
        (proxy(target(port=65536)), "to: port 65536"),
        (proxy(target(host="A")), 'host "A" is neither a lower-case name nor an IP address'),
        (proxy(target(host="10.0.0.256")), "looks like an IP address"),
        (proxy(target(host="[::1]")), "without zone or brackets"),
        (proxy(target(host=None)), "needs a host and a port"),
        (proxy(target(socket="/run/x")), "both a unix socket and a host"),
        (proxy(target(host=None, port=None, socket="run/x")), "must be an absolute path"),
        (proxy(target(host=None, port=None, socket="/run/" + "x" * 110)), "too long: 115 bytes, at most 107"),
        (proxy(target(path="x")), 'path "x" must start with "/"'),
        (proxy(target(path="/a b")), 'write "/a%20b"'),
        (proxy(target(path="/문")), 'write "/%EB%AC%B8"'),
        (proxy(target(path="/a?b")), "query"),
        (proxy(target(path="/a%2Fb")), 'holds "%2F", which nginx cannot send unchanged'),
        (proxy(target(path="/100%")), 'holds "%"'),
        (proxy(target(path="/%EB%AC%B8/")), ""),
        (proxy(target(path="/%EB")), "is not UTF-8"),
        (proxy(target(host=None, port=None, pool="abc.daemun")), ""),
        (proxy(target(pool="abc.daemun")), "both a pool and a place of its own"),
        (proxy(target(path="/$a")), 'is appended by itself; write "/"'),
        (proxy(target(weight=0)), "to.weight: 0 is not between 1 and 65535"),
        (proxy(target(max_fails=-1)), "to.max_fails"),
        (proxy(target(fail_timeout_s=0.0)), "to.fail_timeout"),
        (proxy(target(fail_timeout_s=float("nan"))), "to.fail_timeout: nan is not between"),
        (proxy(target(max_connections=-1)), "to.max_connections"),
        (proxy(TARGET, target(scheme=model.Scheme.HTTPS)), "has another scheme than"),
        (proxy(TARGET, target(path="/")), "has another path than"),
        (proxy(TARGET, target(down=True)), ""),
        (proxy(target(down=True), target(backup=True)), "no server is left"),
        (proxy(target(), target(drain=True)), "`drain` keeps the visitors of `balance: sticky`"),
        (
            model.Proxy(
                targets=(target(drain=True), target(backup=True)),
                options=catalogue.values(
                    balance_option.OPTION.set(balance_option.Balance(method=balance_option.Method.STICKY))
                ),
            ),
            "no server is left",
        ),
        (model.Proxy(targets=()), "to: is empty"),
        (
            proxy(
                TARGET,
                target(backup=True),
                options=catalogue.values(
                    balance_option.OPTION.set(balance_option.Balance(method=balance_option.Method.RANDOM))
                ),
            ),
            "random cannot be used with a backup",
        ),
        (
            proxy(
                options=catalogue.values(
                    balance_option.OPTION.set(balance_option.Balance(method=balance_option.Method.HASH))
                )
            ),
            "balance: needs a variable",
        ),
        (
            proxy(
                options=catalogue.values(
                    balance_option.OPTION.set(
                        balance_option.Balance(method=balance_option.Method.HASH, key="$remot_addr")
                    )
                )
            ),
            'did you mean "$remote_addr"?',
        ),
        (
            proxy(
                options=catalogue.values(
                    balance_option.OPTION.set(
                        balance_option.Balance(method=balance_option.Method.HASH, key="$cookie_id$uri")
                    )
                )
            ),
            "",
        ),
        (
            proxy(options=catalogue.values(balance_option.OPTION.set(balance_option.Balance(key="$uri")))),
            "a hash key has no meaning",
        ),
        (
            proxy(options=catalogue.values(timeout_option.OPTION.set(timeout_option.Timeouts(read_s=0)))),
            "timeout.read: 0s is not between 1ms and",
        ),
        (
            proxy(options=catalogue.values(timeout_option.OPTION.set(timeout_option.Timeouts(idle_s=float("inf"))))),
            "timeout.idle: inf",
        ),
        (proxy(options=catalogue.values(retries_option.OPTION.set(-1))), "retries"),
        (
            proxy(options=catalogue.values(keepalive_option.OPTION.set(65536))),
            "keepalive: 65536 is not between 0 and 65535",
        ),
        (proxy(options=catalogue.values(host_header_option.OPTION.set("a b"))), 'host_header: "a b" is not a host'),
        (proxy(options=catalogue.values(host_header_option.OPTION.set("$host"))), "is not a host"),
        (proxy(options=catalogue.values(root_option.OPTION.set("var"))), "root"),
        (proxy(options=catalogue.values(index_option.OPTION.set(("a/b.php",)))), "index"),
        (proxy(options=catalogue.values(upstream_tls_options.SERVER_NAME.set("::1"))), "nginx compares names only"),
        (
            proxy(options=catalogue.values(health_option.OPTION.set(health_option.Health(statuses=())))),
            "no answer would be good",
        ),
        (
            proxy(
                options=catalogue.values(
                    balance_option.OPTION.set(balance_option.Balance(method=balance_option.Method.HASH, key="a$1"))
                )
            ),
            "variable",
        ),
        (
            proxy(
                target(scheme=model.Scheme.GRPC),
                options=catalogue.values(header_options.REQUEST.set(((47 * "a", "1"),))),
            ),
            "at most 46",
        ),
        (
            proxy(
                target(scheme=model.Scheme.FASTCGI),
                options=catalogue.values(index_option.OPTION.set(("a.php", "b.php"))),
            ),
            "expected one name",
        ),
        (
            model.Files(folder="/srv", options=catalogue.values(index_option.OPTION.set(("a.html", "..")))),
            '".." must be the name of a file',
        ),
        (
            model.Files(folder="/srv", options=catalogue.values(index_option.OPTION.set(("$x",)))),
            "without a folder or a variable",
        ),
        (model.Files(folder="/srv", options=catalogue.values(index_option.OPTION.set(("a b.html", "c.txt")))), ""),
        (
            proxy(options=upstream_tls(model.UpstreamTls(verify=False))),
            'warning: site "a.test", route "/", verify: has no effect',
        ),
        (
            proxy(target(scheme=model.Scheme.HTTPS), options=upstream_tls(model.UpstreamTls(name="A"))),
            "server_name",
        ),
        (proxy(target(scheme=model.Scheme.HTTPS, host="10.0.0.1")), "set `server_name` to a name it carries, or"),
        (
            proxy(
                target(scheme=model.Scheme.HTTPS, host="10.0.0.1"),
                options=upstream_tls(model.UpstreamTls(verify=False)),
            ),
            "",
        ),
        (proxy(target(scheme=model.Scheme.GRPCS), target(scheme=model.Scheme.GRPCS, host="b")), "several hosts"),
        (
            proxy(
                target(scheme=model.Scheme.HTTPS),
                options=upstream_tls(model.UpstreamTls(ca_file="ca.pem")),
            ),
            "verify",
        ),
        (
            model.Redirect(to="/x", options=catalogue.values(status_option.OPTION.set(200))),
            "status: 200 is not a redirect",
        ),
        (model.Redirect(to="x"), "neither a URL"),
        (model.Redirect(to="javascript:alert(1)"), "neither a URL"),
        (model.Redirect(to="https://"), "neither a URL"),
        (model.Redirect(to="https://x/a b"), 'write "https://x/a%20b"'),
        (model.Redirect(to="https://$host$request_uri"), ""),
        (model.Redirect(to="https://$hostname/"), '"$hostname"'),
        (model.Redirect(to="/${uri"), ""),
        (model.Files(folder="public"), "files"),
    ],
)
def test_actions(action: model.Proxy | model.Redirect | model.Files, words: str) -> None:
    found = said(validate.find_site_problems(site(action)))
    assert words in found
    assert bool(words) == bool(found)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ((("X A", "1"),), "is not a header name"),
        ((("X$A", "1"),), "is not a header name"),
        ((("Host", "a"),), "use `host_header`"),
        ((("content-length", "1"),), "concerns one connection"),
        ((("Transfer-Encoding", "chunked"),), "concerns one connection"),
        ((("X-A", "1"), ("x-a", "2")), "is given twice"),
        ((("X-A", "a\r\nX-B: b"),), "control character U+000D"),
        ((("X-A", "x" * 2001),), "is too long: 2001 characters"),
        ((("X-A", "$" * 300),), "is too long for nginx"),
        ((("X-A", "$secret"),), 'uses "$secret"'),
        ((("X-A", "costs $5 or 5$"), ("X-B", ""), ("X-C", "${host}")), ""),
    ],
)
def test_headers(headers: tuple[model.Header, ...], words: str) -> None:
    found = said(validate.find_site_problems(site(request_headers=headers)))
    assert words in found
    assert bool(words) == bool(found)


def test_headers_that_nobody_would_get() -> None:
    given: tuple[model.Header, ...] = (("X-A", "1"),)
    for action in (model.Redirect(to="/x"), model.Files(folder="/srv")):
        assert "has a meaning only beside `to`" in said(
            validate.find_site_problems(site(action, request_headers=given))
        )
        content_type = site(action, response_headers=(("Content-Type", "text/plain"),))
        assert "the type of their ending" in said(validate.find_site_problems(content_type))
    memcached = target(scheme=model.Scheme.MEMCACHED)
    assert "cannot be sent to memcached" in said(
        validate.find_site_problems(site(proxy(memcached), request_headers=given))
    )
    assert "host_header: cannot be" in said(
        validate.find_site_problems(
            site(proxy(memcached, options=catalogue.values(host_header_option.OPTION.set("a"))))
        )
    )
    cgi = site(proxy(target(scheme=model.Scheme.SCGI)), request_headers=(("X" * 41, "1"),))
    assert "41 characters, at most 40" in said(validate.find_site_problems(cgi))
    assert "nginx's own" in said(validate.find_site_problems(site(response_headers=(("Server", "x"),))))


def test_files_that_meet() -> None:
    assert "spa: cannot be" in said(
        validate.find_site_problems(
            site(model.Files(folder="/srv", options=catalogue.values(spa_option.OPTION.set(True))), path="/$x")
        )
    )
    routes = (
        model.Route(path="/a", action=model.Files(folder="/srv")),
        model.Route(path="/a/", action=model.Redirect(to="/x")),
    )
    assert 'route "/a": files under it are files under "/a/"' in said(validate.find_site_problems(site(routes=routes)))


def test_the_body_limit() -> None:
    assert "max_body" in said(validate.find_site_problems(site(max_body=-1)))


def test_all_problems_at_once_each_with_its_field_and_origin() -> None:
    place = model.Origin(source="docker", place="container web-1")
    bad = model.Route(path="x", action=proxy(target(port=0, weight=0)), origin=place)
    found = validate.find_site_problems(model.Site(host="A", routes=(bad,)))
    assert [problem.field for problem in found] == [
        (),
        ("routes", "x"),
        ("routes", "x", "to", 0),
        ("routes", "x", "to", 0, "weight"),
    ]
    assert [str(problem.origin) for problem in found] == ["default", *["container web-1"] * 3]


@pytest.mark.parametrize(
    ("action", "feature"),
    [
        (
            proxy(
                options=catalogue.values(
                    balance_option.OPTION.set(balance_option.Balance(method=balance_option.Method.STICKY))
                )
            ),
            render_environment.Feature.STICKY,
        ),
        (proxy(target(scheme=model.Scheme.H2)), render_environment.Feature.HTTP2_UPSTREAM),
        (proxy(target(scheme=model.Scheme.H2C)), render_environment.Feature.HTTP2_UPSTREAM),
        (proxy(target(scheme=model.Scheme.GRPCS)), render_environment.Feature.GRPC),
        (proxy(target(scheme=model.Scheme.FASTCGI)), render_environment.Feature.FASTCGI),
        (proxy(target(scheme=model.Scheme.UWSGI)), render_environment.Feature.UWSGI),
        (proxy(target(scheme=model.Scheme.SCGI)), render_environment.Feature.SCGI),
        (proxy(target(scheme=model.Scheme.MEMCACHED)), render_environment.Feature.MEMCACHED),
    ],
)
def test_what_this_nginx_cannot_do(action: model.Proxy, feature: render_environment.Feature) -> None:
    assert not validate.find_unsupported(site(action), frozenset({feature}))
    (problem,) = validate.find_unsupported(site(action), frozenset())
    assert feature.value in problem.message
    assert "pip install 'daemun[nginx]'" in problem.message


def test_trusted_proxies_need_realip() -> None:
    settings = model.Globals(options=catalogue.values(trusted_proxies_option.OPTION.set(("10.0.0.0/8",))))
    assert validate.find_unsupported_globals(settings, frozenset())
    assert not validate.find_unsupported_globals(settings, frozenset({render_environment.Feature.REALIP}))
    assert validate.find_unsupported_globals(model.Globals(proxy_protocol=True), frozenset())


class _Counted(str):
    """A text that counts how often it is compared."""

    compared = 0
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        _Counted.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_what_is_said_of_aliases_costs_what_each_of_them_costs() -> None:
    """A site of 5,000 aliases took half a minute."""
    count = 20_000
    aliases = tuple(_Counted(f"n{number}.test") for number in range(count))
    many = site(aliases=aliases)
    _Counted.compared = 0
    assert validate.find_site_problems(many) == ()
    assert validate.find_global_problems(model.Globals(), [many]) == ()
    assert _Counted.compared < 50 * count
    twice = dataclasses.replace(many, aliases=(*aliases, aliases[7], "a.test"))
    first, second = validate.find_site_problems(twice)
    assert first.field == ("aliases", count)
    assert second.field == ("aliases", count + 1)
