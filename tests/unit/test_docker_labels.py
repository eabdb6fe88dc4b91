"""Labels become routes, or refuse their container."""

import dataclasses
import datetime

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core import model
from daemun.core.options import (
    access_option,
    balance_option,
    basic_auth_form,
    buffering_option,
    catalogue,
    compress_option,
    forward_auth_forms,
    header_options,
    host_header_option,
    hsts_option,
    login_rule_form,
    maintenance_option,
    max_body_option,
    rate_limit_form,
    redirect_status_option,
    retries_option,
    status_option,
    timeout_option,
    underscores_option,
    upstream_tls_options,
)
from daemun.core.rounds import merge
from daemun.core.validation import validate
from daemun.sources.docker import container_labels, label_options, route_requests
from tests.support import docker_values as values


def read(given: dict[str, str]) -> route_requests.ContainerRequests:
    return container_labels.read_requests(values.container(labels=given))


def request(given: dict[str, str]) -> route_requests.RouteRequest:
    result = read(given)
    assert result.faults == ()
    (found,) = result.requests
    return found


def proxy(given: dict[str, str]) -> model.Proxy:
    action = request({"daemun.host": "a.test", **given}).route.action
    assert isinstance(action, model.Proxy)
    return action


def fault(given: dict[str, str]) -> str:
    result = read(given)
    assert result.requests == ()
    (found,) = result.faults
    return found


def test_a_container_without_labels_asks_for_nothing() -> None:
    assert read({"com.example.daemun.host": "a.test", "maintainer": "me"}) == route_requests.ContainerRequests()


def test_the_host_is_the_one_label_that_is_needed() -> None:
    found = request({"daemun.host": " Chat.Example.COM. "})

    assert (found.host, found.route.path, found.port, found.site) == ("chat.example.com", "/", None, None)
    assert found.scheme is model.Scheme.HTTP
    assert found.route.origin == model.Origin(source="docker", place="container web-1")


def test_several_hosts_are_separated_by_commas() -> None:
    result = read({"daemun.host": "a.test, *.b.test ,bücher.example,[::1],a.test,"})

    assert [request.host for request in result.requests] == ["a.test", "*.b.test", "xn--bcher-kva.example", "[::1]"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("daemon.host", "daemun.host"),
        ("deamun.host", "daemun.host"),
        ("Daemun.Host", "daemun.host"),
        ("DAEMUN.PORT", "daemun.port"),
        ("daemun-host", "daemun.host"),
        ("daemun_api.path", "daemun.api.path"),
        ("daemon.api.path", "daemun.api.path"),
        ("daemun", "daemun.host"),
        ("daemon", None),
        ("daemon.log", None),
        ("com.example.daemun.host", None),
    ],
)
def test_a_label_that_was_meant_for_daemun_is_told(name: str, meant: str | None) -> None:
    notes = () if meant is None else (f'the label "{name}" is not read; did you mean "{meant}"?',)

    assert read({name: "a.test"}) == route_requests.ContainerRequests(notes=notes)
    assert read({name: "a.test", "daemun.host": "b.test"}).notes == notes


@pytest.mark.parametrize(
    "given",
    [
        {"daemun.port": "80", "daemun.b.port": "81"},
        {"daemun.port": "80", "daemun.b.path": "/", "daemun.b.port": "81"},
        {"daemun.port": "80", "daemun.b.host": "b.test, A.Test.", "daemun.b.port": "81"},
        {"daemun.a.path": "/x", "daemun.b.path": "/x"},
    ],
)
def test_two_routes_of_one_container_for_one_place(given: dict[str, str]) -> None:
    """Requests would go to each of two ports in turn."""
    assert "are both for" in fault({"daemun.host": "a.test", **given})


def test_routes_of_one_container_that_differ_in_the_host_or_the_path() -> None:
    result = read({"daemun.host": "a.test", "daemun.b.host": "b.test", "daemun.c.path": "/c"})

    assert [(one.host, one.route.path) for one in result.requests] == [
        ("a.test", "/"),
        ("b.test", "/"),
        ("a.test", "/c"),
    ]


@pytest.mark.parametrize(
    ("hosts", "cure"),
    [
        ("a.test b.test", 'separate them with commas: write "a.test, b.test"'),
        (".a.test", 'write "a.test, *.a.test"'),
        ("a.test:8080", 'write "a.test", and name the container\'s port with "daemun.port"'),
    ],
)
def test_hosts_as_other_tools_write_them(hosts: str, cure: str) -> None:
    assert fault({"daemun.host": hosts}).endswith(cure)


def test_path_port_scheme_and_target_path() -> None:
    found = request(
        {
            "daemun.host": "a.test",
            "daemun.path": "/websocket/",
            "daemun.port": "7777",
            "daemun.to": "/",
            "daemun.scheme": "https",
            "daemun.weight": "3",
        }
    )

    assert (found.route.path, found.port, found.weight) == ("/websocket/", 7777, 3)
    assert isinstance(found.route.action, model.Proxy)
    assert found.route.action.targets == (model.Target(scheme=model.Scheme.HTTPS, path="/"),)


def test_a_named_route_takes_the_host_of_the_route_without_a_name() -> None:
    result = read(
        {
            "daemun.host": "a.test",
            "daemun.ws.path": "/ws/",
            "daemun.ws.port": "7777",
            "daemun.admin.host": "admin.test",
            "daemun.admin.timeout.read": "5m",
        }
    )

    assert [(request.host, request.route.path, request.port) for request in result.requests] == [
        ("a.test", "/", None),
        ("admin.test", "/", None),
        ("a.test", "/ws/", 7777),
    ]


def test_options_are_written_as_in_the_file() -> None:
    found = proxy(
        {
            "daemun.balance": "hash $remote_addr",
            "daemun.timeout.idle": "2h",
            "daemun.timeout.read": "90",
            "daemun.retries": "0",
            "daemun.buffering": "false",
            "daemun.host_header": "app.internal:8080",
        }
    )

    assert (balance_option.OPTION.of(found).method, balance_option.OPTION.of(found).key) == (
        balance_option.Method.HASH,
        "$remote_addr",
    )
    assert timeout_option.OPTION.of(found) == timeout_option.Timeouts(read_s=90.0, idle_s=7200.0)
    assert (
        retries_option.OPTION.of(found),
        buffering_option.OPTION.of(found),
        host_header_option.OPTION.of(found),
    ) == (
        0,
        False,
        "app.internal:8080",
    )
    assert timeout_option.OPTION.of(proxy({"daemun.timeout": "1.5"})).read_s == 1.5


def test_headers_and_body_size_belong_to_the_route() -> None:
    route = request(
        {
            "daemun.host": "a.test",
            "daemun.max_body": "10m",
            "daemun.request_headers.X-Tenant": "1",
            "daemun.response_headers.Content-Security-Policy": "default-src 'self'; img-src *",
        }
    ).route

    assert max_body_option.OPTION.of(route) == 10 << 20
    assert header_options.REQUEST.of(route.action) == (("X-Tenant", "1"),)
    assert header_options.RESPONSE.of(route) == (("Content-Security-Policy", "default-src 'self'; img-src *"),)


def test_options_of_the_site() -> None:
    found = request({"daemun.host": "a.test", "daemun.tls": "off", "daemun.hsts": "false"}).site
    assert found == route_requests.SiteOptions(tls=model.Tls(mode=model.TlsMode.OFF), http=model.HttpMode.SERVE)

    found = request({"daemun.host": "a.test", "daemun.hsts.max_age": "1d", "daemun.http": "off"}).site
    assert found == route_requests.SiteOptions(
        options=catalogue.values(hsts_option.OPTION.set(hsts_option.Hsts(max_age_s=86400))), http=model.HttpMode.OFF
    )


def test_a_certificate_of_a_container_is_checked_where_a_name_is_given_for_it() -> None:
    https = {"daemun.scheme": "https"}

    assert upstream_tls_options.find_tls(proxy(https)) == model.UpstreamTls(verify=False)
    assert upstream_tls_options.find_tls(proxy(https | {"daemun.server_name": "app.internal"})) == model.UpstreamTls(
        name="app.internal"
    )
    assert "needs server_name" in fault({"daemun.host": "a.test", "daemun.verify": "true"} | https)


def test_a_redirect() -> None:
    found = request(
        {"daemun.host": "www.a.test", "daemun.redirect": "https://a.test$request_uri", "daemun.status": "308"}
    )

    assert found.route.action == model.Redirect(
        to="https://a.test$request_uri", options=catalogue.values(status_option.OPTION.set(308))
    )
    assert found.scheme is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"respond": "204"}, model.Respond(status=204)),
        ({"respond.body": "4", "respond.type": "a/b"}, model.Respond(body="4", media_type="a/b")),
        ({"deny": "true"}, model.Respond(status=403)),
    ],
)
def test_an_answer_of_the_gate(given: dict[str, str], expected: model.Respond) -> None:
    found = request({"daemun.host": "a.test", **{f"daemun.{name}": value for name, value in given.items()}})

    assert found.route.action == expected
    assert found.scheme is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"daemun.host": "a.test", "daemun.respond.file": "/etc/passwd"}, "is not for labels"),
        ({"daemun.host": "a.test", "daemun.respond": "302"}, "302 is a redirect"),
        ({"daemun.host": "a.test", "daemun.deny": "false"}, "expected true, found false"),
        ({"daemun.host": "a.test", "daemun.deny": "true", "daemun.redirect": "/x"}, "stands beside redirect"),
        ({"daemun.host": "a.test", "daemun.deny": "true", "daemun.port": "80"}, "has no meaning for a fixed answer"),
        ({"daemun.port": "80"}, 'label "daemun.host" is missing'),
        ({"daemun.host": " , "}, 'label "daemun.host" is empty'),
        ({"daemun.host": "a b.test"}, '"a b.test" is not a host name'),
        ({"daemun.host": "a.test:8080"}, "holds a port"),
        ({"daemun.host": "a.test", "daemun.prot": "1"}, 'label "daemun.prot" is unknown'),
        ({"daemun.hosts": "a.test"}, 'did you mean "host"?'),
        ({"daemun.host": "a.test", "daemun.bufering": "1"}, 'did you mean "buffering"?'),
        ({"daemun.host": "a.test", "daemun.ws.prot": "1"}, 'label "daemun.ws.prot" is unknown'),
        ({"daemun.host": "a.test", "daemun.w s.port": "1"}, "a route's name is"),
        ({"daemun.host": "a.test", "daemun.port": "0"}, 'label "daemun.port": expected a number from 1 to 65535'),
        ({"daemun.host": "a.test", "daemun.port": "80/tcp"}, 'found the text "80/tcp"'),
        ({"daemun.host": "a.test", "daemun.port": "٨٠"}, "expected a number from 1 to 65535"),
        ({"daemun.host": "a.test", "daemun.path": "api"}, 'must start with "/"'),
        ({"daemun.host": "a.test", "daemun.to": "api"}, 'must start with "/"'),
        ({"daemun.host": "a.test", "daemun.scheme": "htps"}, 'did you mean "https"?'),
        ({"daemun.host": "a.test", "daemun.scheme": "wss"}, "WebSockets need no scheme"),
        ({"daemun.host": "a.test", "daemun.timeout": "soon"}, 'label "daemun.timeout": expected a duration'),
        ({"daemun.host": "a.test", "daemun.timeout.raed": "1s"}, "expected timeout.connect, timeout.read"),
        ({"daemun.host": "a.test", "daemun.timeout": "1s", "daemun.timeout.read": "2s"}, "use one of the two forms"),
        ({"daemun.host": "a.test", "daemun.buffering": "yes"}, 'label "daemun.buffering": expected true or false'),
        ({"daemun.host": "a.test", "daemun.retries": "-1"}, "retries: -1 is not between 0 and 100"),
        ({"daemun.host": "a.test", "daemun.balance": "hash $foo"}, '"$foo", which is not one of the variables'),
        ({"daemun.host": "a.test", "daemun.request_headers": "X: 1"}, "the header's name is missing"),
        ({"daemun.host": "a.test", "daemun.request_headers.X Y": "1"}, "is not a header name"),
        ({"daemun.host": "a.test", "daemun.port.x": "1"}, "port has no parts"),
        ({"daemun.host": "a.test", "daemun.redirect": "/x", "daemun.port": "80"}, "has no meaning for a redirect"),
        ({"daemun.host": "a.test", "daemun.redirect": "/x", "daemun.retries": "1"}, "has no meaning for a redirect"),
        ({"daemun.host": "a.test", "daemun.status": "301"}, "has no meaning for a server"),
        ({"daemun.host": "a.test", "daemun.tls": "off", "daemun.http": "redirect"}, "because tls is off"),
        ({"daemun.host": "a.test", "daemun.index": "a/b"}, "must be the name of a file"),
        ({"daemun.host": "a.test", **{f"daemun.n{n}.port": "1" for n in range(200)}}, "at most 200"),
        ({"daemun.host": ",".join(f"h{n}.test" for n in range(101))}, "at most 100"),
    ],
)
def test_a_mistake_refuses_the_container_and_says_what_to_do(given: dict[str, str], said: str) -> None:
    assert said in fault(given)


@pytest.mark.parametrize(
    "key", ["nginx", "files", "spa", "listing", "aliases", "redirect_aliases", "enabled", "routes"]
)
def test_what_reaches_beyond_a_container_is_not_for_labels(key: str) -> None:
    assert "is not for labels" in fault({"daemun.host": "a.test", f"daemun.{key}": "/etc"})
    assert "is not for labels" in fault({"daemun.host": "a.test", f"daemun.x.{key}": "/etc"})


@pytest.mark.parametrize("value", ["/etc/ssl/private/ca.pem", "ca.pem", "[/etc]"])
def test_no_label_names_a_file_of_this_machine(value: str) -> None:
    https = {"daemun.host": "a.test", "daemun.scheme": "https"}

    assert "expected true or false" in fault(https | {"daemun.verify": value})
    assert "expected auto, acme, local, off" in fault(https | {"daemun.tls": value})
    assert "is unknown: tls has no parts" in fault(https | {"daemun.tls.certificate": value})


HOSTILE = [
    "a.test; return 200",
    "a.test{",
    "a.test\nserver_name b.test",
    "$host",
    '"',
    "'",
    "x" * 10_000,
    "\ufffd\ufffd",
    "\udc80",
    "\x00",
    "\u2028",
    "${jndi}",
    "../../etc/passwd",
    "1" * 4000,
    "{a: &x [*x]}",
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("key", ["host", "path", "port", "to", "scheme", "timeout", "tls", "server_name", "n.host"])
def test_hostile_values_refuse_their_container_and_no_other(key: str, value: str) -> None:
    bad = values.container("bad", {"daemun.host": "bad.test", f"daemun.{key}": value})
    good = values.container("good", {"daemun.host": "good.test"}, ip="10.0.0.3")

    found = values.snapshot(bad, good)

    if [site.host for site in found.sites] != ["good.test"]:
        # Some are harmless where they stand, such as a dollar sign in a path.
        assert all(validate.find_site_problems(_with_server(site)) == () for site in found.sites)
    else:
        assert all('cannot serve container "bad"' in message for message in values.messages(found))
        assert values.messages(found)
    assert values.endpoints(found, "good.test") == ["10.0.0.3:80"]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("key", ["host", "port", "scheme", "timeout", "tls", "server_name"])
def test_what_is_no_value_of_its_kind_is_refused(key: str, value: str) -> None:
    assert read({"daemun.host": "a.test", "daemun.scheme": "https", f"daemun.{key}": value}).requests == ()


def _with_server(site: model.Site) -> model.Site:
    """The site with a server in the place of each pool."""

    def served(route: model.Route) -> model.Route:
        if not isinstance(route.action, model.Proxy):
            return route
        target = dataclasses.replace(route.action.targets[0], pool=None, host="127.0.0.1", port=80)
        return dataclasses.replace(route, action=dataclasses.replace(route.action, targets=(target,)))

    return dataclasses.replace(site, routes=tuple(served(route) for route in site.routes))


_KEYS = strategies.sampled_from(
    sorted(
        {f"{prefix}{key}" for prefix in ("", "n.") for key in container_labels._KNOWN}
        | {"timeout.read", "hsts.max_age"}
    )
)
_TEXTS = strategies.one_of(
    strategies.text(max_size=40),
    strategies.sampled_from(
        ["true", "1", "1s", "http", "off", "/", "/x/", "a.test", "http://a.test", "$uri", *HOSTILE]
    ),
)


@hypothesis.given(
    strategies.lists(
        strategies.dictionaries(strategies.one_of(_KEYS, strategies.text(max_size=10)), _TEXTS, max_size=6), max_size=3
    )
)
def test_no_labels_at_all_can_break_the_snapshot(given: list[dict[str, str]]) -> None:
    found = values.snapshot(
        *(
            values.container(f"c-{number}", {f"daemun.{key}": value for key, value in one.items()}, age_s=number)
            for number, one in enumerate(given)
        ),
        values.container("good", {"daemun.host": "good.example", "daemun.path": "/untouched/"}, ip="10.9.9.9"),
    )

    sites = tuple(_with_server(site) for site in found.sites)
    desired = merge.merge_snapshots([model.Snapshot(source="docker", sites=sites)])
    assert [site.host for site in desired.sites] == [site.host for site in found.sites]
    assert values.endpoints(found, "good.example", "/untouched/") == ["10.9.9.9:80"]
    for message in map(str, found.problems):
        message.encode()
        assert all(char.isprintable() for char in message)


# --- I4: what a label can set -----------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["timeout", "hold", "hsts.max_age", "health.interval"])
@pytest.mark.parametrize("value", ["9" * 400, "9" * 400 + "s", "-" + "9" * 400])
def test_a_number_of_any_length_refuses_its_container_and_no_other(label: str, value: str) -> None:
    """I: one label must not stop the round of all."""
    assert read({"daemun.host": "a.test", f"daemun.{label}": value}).faults


FILE_ONLY = {
    "files": "names a folder of the machine",
    "php": "names a folder of the machine",
    "spa": "belongs to files",
    "listing": "belongs to files",
    "local_address": "is an address of the machine",
    "client_timeout": "holds for connections that sites share",
    "listen": "takes a port of the machine",
    "http3": "opens ports of the machine, and makes reloads end connections of other sites",
    "errors": "names files of the machine",
    "nginx": "reaches whatever nginx does",
    "routes": "are the labels themselves",
    "aliases": "daemun.host takes several names",
    "redirect_aliases": "daemun.redirect sends one name to another",
    "on_demand": "spends the gate's budget of certificates",
    "enabled": "a container is stopped instead",
    "from": "containers are beneath what the file sets",
    "when": "containers have no order among each other",
}


def test_each_option_has_a_label_or_a_reason_to_have_none() -> None:
    """I4: who adds an option decides whether it is safe for a tenant."""
    assert set(label_options.FOR_THE_FILE_ONLY) == FILE_ONLY.keys()


@pytest.mark.parametrize(
    ("label", "value", "field", "expected"),
    [
        ("keepalive", "0", "keepalive", 0),
        ("keepalive", "128", "keepalive", 128),
        ("translate", "false", "translate", False),
        ("timeout.body", "10m", "timeout.body_s", 600.0),
        ("timeout.idle", "2h", "timeout.idle_s", 7200.0),
        ("timeout.keepalive", "2s", "timeout.keepalive_s", 2.0),
        ("hold", "off", "hold", 0.0),
        ("retries", "0", "retries", 0),
        ("index", "start.php", "index", ("start.php",)),
    ],
)
def test_labels_set_what_the_file_does(label: str, value: str, field: str, expected: object) -> None:
    """I4: a cure that names an option can be followed for a container, too."""
    found = request({"daemun.host": "a.test", f"daemun.{label}": value})

    option, _, part = field.partition(".")
    set_to = catalogue.BY_NAME[option].of(found.route.action)
    assert (getattr(set_to, part) if part else set_to) == expected


def test_labels_of_traffic() -> None:
    """I4: what concerns all traffic of a route, or of a host."""
    found = request(
        {
            "daemun.host": "a.test",
            "daemun.compress": "text/css, text/html",
            "daemun.redirect_status": "307",
            "daemun.underscores_in_headers": "true",
        }
    )
    assert compress_option.OPTION.of(found.route) == compress_option.Compress(types=("text/css", "text/html"))
    assert found.site is not None
    assert (redirect_status_option.OPTION.of(found.site), underscores_option.OPTION.of(found.site)) == (307, True)


def test_labels_of_maintenance() -> None:
    """I4: a container may close its own host, also for a time; pages are files of the machine."""
    found = request(
        {
            "daemun.host": "a.test",
            "daemun.maintenance.until": "2026-12-31T18:00+09:00",
            "daemun.maintenance.allow": "private, 203.0.113.7",
        }
    )
    assert found.site is not None
    assert maintenance_option.OPTION.of(found.site) == maintenance_option.Maintenance(
        until=datetime.datetime(2026, 12, 31, 9, tzinfo=datetime.UTC), allow=("private", "203.0.113.7")
    )
    for label in ("maintenance", "maintenance.page"):
        assert read({"daemun.host": "a.test", f"daemun.{label}": "/etc/passwd"}).faults
    assert request({"daemun.host": "a.test", "daemun.maintenance": "true"}).site is not None


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("keepalive", "-1"),
        ("keepalive", "many"),
        ("keepalive", "70000"),
        ("translate", "maybe"),
        ("timeout.body", "x"),
        ("compress", "a b"),
        ("redirect_status", "200"),
    ],
)
def test_a_value_that_the_file_refuses_is_refused(label: str, value: str) -> None:
    """I4."""
    found = read({"daemun.host": "a.test", f"daemun.{label}": value})
    assert found.requests == ()
    assert label.partition(".")[0] in found.faults[0]


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("request_headers.X-Leak", "$http_authorization"),
        ("request_headers.X-Leak", "a ${http_cookie} b"),
        ("request_headers.X-Leak", "$cookie___host_daemun_session"),
        ("response_headers.X-Leak", "$HTTP_Authorization"),
        ("redirect", "https://evil.test/$http_cookie"),
        ("redirect", "https://evil.test/?${cookie_session}"),
        ("request_headers.X-Leak", "$http_proxy_authorization"),
    ],
)
def test_what_visitors_sign_in_with_reaches_no_container(label: str, value: str) -> None:
    found = read({"daemun.host": "a.test", f"daemun.{label}": value})
    assert found.requests == ()
    assert "which may hold what opens other sites, too" in found.faults[0]


def test_a_cookie_may_choose_the_server() -> None:
    assert read({"daemun.host": "a.test", "daemun.balance": "hash $cookie_session"}).faults == ()


@pytest.mark.parametrize("key", ["allow", "deny"])
def test_host_names_are_looked_up_for_the_file_alone(key: str) -> None:
    found = read({"daemun.host": "a.test", f"daemun.access.{key}": "private, home.example.org"})
    assert found.requests == ()
    assert 'holds the host name "home.example.org"' in found.faults[0]


# --- who may come in -----------------------------------------------------------------------------------------------


def access(**given: str) -> access_option.Access | None:
    labels = {f"daemun.access.{key.replace('__', '.')}": value for key, value in given.items()}
    return access_option.OPTION.of(request({"daemun.host": "a.test", **labels}).route)


def test_conditions_and_limits() -> None:
    assert access(allow="private, 192.0.2.1", deny="10.9.9.9", any="false") == access_option.Access(
        allow=("private", "192.0.2.1"), deny=("10.9.9.9",)
    )
    limit = rate_limit_form.RateLimit(rate=rate_limit_form.Rate(requests=10, period_s=1), burst=5, by="user")
    assert access(rate_limit__rate="10/s", rate_limit__burst="5", rate_limit__by="user", connections="3") == (
        access_option.Access(rate_limit=limit, connections=3)
    )
    assert access(login="true") == access_option.Access(login=login_rule_form.LoginRule())
    assert access(login__users="bob 42", login__groups="2024", login__emails="*@a.test") == access_option.Access(
        login=login_rule_form.LoginRule(users=("bob", "42"), groups=("2024",), emails=("*@a.test",))
    )
    hashed = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="
    assert access(basic_auth__users=f"alice:{hashed} bob:{hashed}", basic_auth__realm="42") == access_option.Access(
        basic_auth=basic_auth_form.BasicAuth(users=(("alice", hashed), ("bob", hashed)), realm="42")
    )
    judge = forward_auth_forms.ForwardAuth(kind=forward_auth_forms.ForwardAuthKind.AUTHELIA, remember_s=10.0)
    assert access(forward_auth__kind="authelia", forward_auth__remember="10s") == access_option.Access(
        forward_auth=judge
    )


@pytest.mark.parametrize(
    "key",
    [
        "basic_auth.file",
        "forward_auth.url",
        "forward_auth.copy",
        "countries",
        "countries.database",
        "client_certificates",
        "client_certificates.ca",
    ],
)
def test_what_reaches_beyond_the_container_is_for_the_file(key: str) -> None:
    said = fault({"daemun.host": "a.test", f"daemun.access.{key}": "/etc/passwd"})
    assert said == (
        f'label "daemun.access.{key}" is not for labels, because it could reach beyond its container; use daemun.yaml'
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rate_limit": "10/s", "rate_limit.by": "user"}, "use one of the two forms"),
        ({"rate_limit.by": "user"}, "rate"),
        ({"rate_limit.rate": "10"}, "write 10/s"),
        ({"rate_limit.rate": "10/s", "rate_limit.by": "cookie"}, "expected address, user or"),
        ({"rate_limit.rate.x": "1"}, "is unknown"),
        ({"login.group": "a"}, "is unknown"),
        ({"login.users": ""}, "user"),
        ({"login": ""}, "is empty"),
        ({"basic_auth.users": "alice"}, "hashed passwords"),
        ({"basic_auth.realm": "x"}, "has no users"),
        ({"forward_auth.kind": "traefik"}, "no usual place"),
        ({"forward_auth.remember": "10s"}, "no usual place"),
        ({"forward_auth.kind": "authelia", "login": "true"}, "one of them decides"),
        ({"allow": "nonsense!"}, "allow"),
        ({"any": "true"}, "no condition beside it"),
    ],
)
def test_mistakes_refuse_the_container(given: dict[str, str], said: str) -> None:
    assert said in fault({"daemun.host": "a.test", **{f"daemun.access.{key}": text for key, text in given.items()}})
