"""daemun.yaml: what each part of it means, and that whatever is wrong is told at once, in words, with its place."""

import json
import pathlib

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core import directive, model, problem_report
from daemun.core.options import (
    alias_options,
    balance_option,
    catalogue,
    docker_option,
    header_options,
    hsts_option,
    index_option,
    listing_option,
    logs_option,
    max_body_option,
    on_demand_option,
    option,
    ordering_forms,
    robots_option,
    root_option,
    security_headers_option,
    spa_option,
    status_option,
    timeout_option,
    trusted_proxies_option,
    upstream_tls_options,
    user_option,
    workers_option,
)
from daemun.core.validation import validate_acme
from daemun.errors import ConfigError
from daemun.sources import yaml_file, yaml_route, yaml_site, yaml_top

BASE = "/etc/daemun"

DESIGN = """\
listen: {http: 80, https: 443}        # a port, "127.0.0.1:8443", "[::]:443", or a list of them
acme:
  email: me@example.com
  directory: letsencrypt              # letsencrypt | letsencrypt-staging | zerossl | google | a URL
  ca_file: root.pem                   # trust for a private directory server (optional)
docker: auto                          # auto (the socket, if there is one) | off | URL | {endpoint, tls, ...}
compat: none                          # none | nginx-proxy
sites:
  chat.example.com:                   # short form: a target, or a map of path -> target
    /: http://html:80
    /websocket/: http://chat:7777/
  shop.example.com:                   # long form: `routes` and options
    aliases: [www.shop.example.com]   # served too; `redirect_aliases: true` sends them to the main name
    tls: auto                         # auto | acme | local | off | {certificate: f.pem, key: k.pem}
    http: redirect                    # redirect (301, default) | serve | off
    enabled: true
    routes:
      /: {to: [http://10.0.0.5:8000, {url: http://10.0.0.6:8000, weight: 2}], balance: least_conn}
      /old: {redirect: "https://shop.example.com/new", status: 308}
      /assets/: {files: ./public}
  "*.apps.example.com": http://127.0.0.1:9000
  "192.168.88.244": http://web:8080   # an address is a host like any other
"""


def parse(content: bytes | str) -> model.Snapshot:
    return yaml_file.parse(content, file_name="daemun.yaml", base_dir=BASE)


def good(content: str) -> tuple[model.Site, ...]:
    snapshot = parse(content)
    assert not [str(problem) for problem in snapshot.problems]
    return snapshot.sites


def said(content: bytes | str) -> list[str]:
    return [str(problem) for problem in parse(content).problems]


def route(options: str) -> model.Route:
    (site,) = good(f"sites:\n  a.test:\n    routes:\n      /: {options}\n")
    return site.routes[0]


def proxy(options: str) -> model.Proxy:
    action = route(f"{{to: http://web, {options}}}").action
    assert isinstance(action, model.Proxy)
    return action


def settings(content: str) -> model.Globals:
    snapshot = parse(content + "\nsites: {a.test: http://web}\n")
    assert not snapshot.problems
    assert snapshot.globals is not None
    return snapshot.globals


# --- what is good ----------------------------------------------------------------------------------------------


def test_the_file_of_the_design() -> None:
    snapshot = parse(DESIGN)
    # G2: a redirect that drops the rest of the path, and the wildcard's certificate.
    assert [str(problem.origin) for problem in snapshot.problems] == ["daemun.yaml:19:24", "daemun.yaml:21:25"]
    assert snapshot.globals == model.Globals(
        acme=model.Acme(
            authorities=(
                model.Authority(
                    directory=model.LETS_ENCRYPT,
                    email="me@example.com",
                    ca_file=f"{BASE}/root.pem",
                    staging=ordering_forms.STAGINGS[model.LETS_ENCRYPT],
                ),
            )
        )
    )
    chat, shop, apps, address = snapshot.sites
    assert [(item.path, str(item.origin)) for item in chat.routes] == [
        ("/", "daemun.yaml:10:5"),
        ("/websocket/", "daemun.yaml:11:5"),
    ]
    assert str(chat.origin) == "daemun.yaml:9:3"
    assert chat.routes[1].action == model.Proxy(
        targets=(model.Target(scheme=model.Scheme.HTTP, host="chat", port=7777, path="/"),)
    )
    root, assets, old = shop.routes
    assert isinstance(root.action, model.Proxy)
    assert [(str(target), target.weight) for target in root.action.targets] == [
        ("http://10.0.0.5:8000", 1),
        ("http://10.0.0.6:8000", 2),
    ]
    assert balance_option.OPTION.of(root.action).method is balance_option.Method.LEAST_CONN
    assert assets.action == model.Files(folder=f"{BASE}/public")
    assert old.action == model.Redirect(
        to="https://shop.example.com/new", options=catalogue.values(status_option.OPTION.set(308))
    )
    assert shop.aliases == ("www.shop.example.com",)
    assert (apps.host, address.host) == ("*.apps.example.com", "192.168.88.244")


def test_the_three_lines() -> None:
    (site,) = good(
        "sites:\n  chatting.example.com:\n    /: http://htmldeploy\n    /websocket/: http://chatserver:7777/\n"
    )
    assert site == model.Site(host="chatting.example.com", routes=site.routes, origin=site.origin)
    assert [str(item.action.targets[0]) for item in site.routes if isinstance(item.action, model.Proxy)] == [
        "http://htmldeploy",
        "http://chatserver:7777/",
    ]


def test_every_option_of_a_target() -> None:
    options = "weight: 3, max_fails: 0, fail_timeout: 1m, max_connections: 9"
    others = "{url: http://b, backup: true}, {url: http://c, down: true}"
    action = route(f"{{to: [{{url: http://a, {options}}}, {others}]}}").action
    assert isinstance(action, model.Proxy)
    first, second, third = action.targets
    assert (first.weight, first.max_fails, first.fail_timeout_s, first.max_connections) == (3, 0, 60.0, 9)
    assert (second.backup, third.down) == (True, True)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("balance: round_robin", {}),
        ("balance: ip_hash", {"balance": balance_option.Balance(method=balance_option.Method.IP_HASH)}),
        ("balance: sticky", {"balance": balance_option.Balance(method=balance_option.Method.STICKY)}),
        (
            "balance: hash $cookie_id$uri",
            {"balance": balance_option.Balance(method=balance_option.Method.HASH, key="$cookie_id$uri")},
        ),
        ("timeout: 5m", {"timeout": timeout_option.Timeouts(read_s=300.0)}),
        ("timeout: 90", {"timeout": timeout_option.Timeouts(read_s=90.0)}),
        (
            "timeout: {connect: 500ms, read: 1h, send: 2s, idle: 1d}",
            {"timeout": timeout_option.Timeouts(connect_s=0.5, read_s=3600.0, send_s=2.0, idle_s=86400.0)},
        ),
        ("retries: 0", {"retries": 0}),
        ("buffering: false", {"buffering": False}),
        ("keepalive: 64", {"keepalive": 64}),
        ("keepalive: 0", {"keepalive": 0}),
        ("host_header: app.internal", {"host_header": "app.internal"}),
    ],
)
def test_options_of_a_proxy(options: str, expected: dict[str, object]) -> None:
    target = model.Target(scheme=model.Scheme.HTTP, host="web", port=80)
    assert proxy(options) == model.Proxy(targets=(target,), options=catalogue.values_of(expected))


def test_options_of_a_fastcgi_server() -> None:
    action = route("{to: fastcgi://php, root: /srv/www, index: app.php}").action
    assert action.options == catalogue.values(root_option.OPTION.set("/srv/www"), index_option.OPTION.set(("app.php",)))


@pytest.mark.parametrize(
    ("options", "tls"),
    [
        ("verify: false", model.UpstreamTls(verify=False)),
        ("verify: ca.pem", model.UpstreamTls(ca_file=f"{BASE}/ca.pem")),
        ("verify: true, server_name: App.Internal", model.UpstreamTls(name="app.internal")),
    ],
)
def test_options_of_an_https_target(options: str, tls: model.UpstreamTls) -> None:
    action = route(f"{{to: https://web, {options}}}").action
    assert isinstance(action, model.Proxy)
    assert upstream_tls_options.find_tls(action) == tls


def test_options_of_every_route() -> None:
    found = route("{to: http://a, max_body: 100m, request_headers: {X-A: 1, X-B: }, response_headers: {X-C: $host}}")
    assert max_body_option.OPTION.of(found) == 100 << 20
    assert header_options.REQUEST.of(found.action) == (("X-A", "1"), ("X-B", ""))
    assert header_options.RESPONSE.of(found) == (("X-C", "$host"),)
    assert max_body_option.OPTION.of(route("{to: http://a, max_body: off}")) == 0
    assert route("{files: ., spa: true, listing: true}").action == model.Files(
        folder=BASE, options=catalogue.values(spa_option.OPTION.set(True), listing_option.OPTION.set(True))
    )


def test_options_of_a_site() -> None:
    text = (
        "sites:\n  Shop.TEST:\n    aliases: 한국.test\n    redirect_aliases: true\n"
        "    tls: {certificate: c.pem, key: /k.pem}\n    http: serve\n"
        "    hsts: {max_age: 1d, include_subdomains: true, preload: true}\n    enabled: false\n"
        "    routes: {/: http://web}\n    nginx: add_header X-A b;\n"
    )
    (site,) = good(text)
    assert site == model.Site(
        host="shop.test",
        aliases=("xn--3e0b707e.test",),
        tls=model.Tls(mode=model.TlsMode.FILES, certificate=f"{BASE}/c.pem", key="/k.pem"),
        http=model.HttpMode.SERVE,
        options=catalogue.values(
            alias_options.REDIRECT.set(True),
            hsts_option.OPTION.set(hsts_option.Hsts(max_age_s=86400, include_subdomains=True, preload=True)),
        ),
        enabled=False,
        routes=site.routes,
        snippet=(
            directive.Directive("add_header", (directive.Expr("X-A"), directive.Expr("b")), beside="daemun.yaml:10:12"),
        ),
        origin=site.origin,
    )


@pytest.mark.parametrize(
    ("options", "tls", "http", "sent"),
    [
        ("", model.TlsMode.AUTO, model.HttpMode.REDIRECT, None),
        ("tls: off", model.TlsMode.OFF, model.HttpMode.SERVE, None),
        ("tls: false", model.TlsMode.OFF, model.HttpMode.SERVE, None),
        ("tls: local, http: off", model.TlsMode.LOCAL, model.HttpMode.OFF, None),
        ("hsts: true", model.TlsMode.AUTO, model.HttpMode.REDIRECT, hsts_option.Hsts()),
        ("hsts: false", model.TlsMode.AUTO, model.HttpMode.REDIRECT, None),
    ],
)
def test_https(options: str, tls: model.TlsMode, http: model.HttpMode, sent: hsts_option.Hsts | None) -> None:
    (site,) = good(f"sites:\n  a.test: {{routes: {{/: http://web}}, {options}}}\n")
    assert (site.tls.mode, site.http, hsts_option.OPTION.of(site)) == (tls, http, sent)


@pytest.mark.parametrize(("written", "expected"), [("true", "true"), ("false", "false"), ("strict", "strict")])
def test_security_headers(written: str, expected: str) -> None:
    (site,) = good(f"sites:\n  a.test: {{routes: {{/: http://web}}, security_headers: {written}, robots: none}}\n")
    assert security_headers_option.OPTION.of(site).value == expected
    assert robots_option.OPTION.of(site) is robots_option.Robots.NONE


def test_the_top_of_the_file() -> None:
    found = settings(
        "listen: {http: [8080, '127.0.0.1:81'], https: '[::1]:8443'}\nacme: {directory: 'https://ca.test/dir'}\n"
        "docker: off\ncompat: none\ndefault: {site: A.test}\ntrusted_proxies: [10.0.0.0/8]\n"
        "logs: {access: false, max_size: 16k, keep: 2}\nworkers: 4\nuser: gate\n"
        "nginx: |\n  map $a $b { default c; }\n"
    )
    assert found.listen.http == (model.Address(port=8080), model.Address(port=81, host="127.0.0.1"))
    assert found.listen.https == (model.Address(port=8443, host="::1"),)
    assert found.acme == model.Acme(authorities=(model.Authority(directory="https://ca.test/dir"),))
    assert (found.default.kind, found.default.host) == (model.DefaultKind.SITE, "a.test")
    assert trusted_proxies_option.OPTION.of(found) == ("10.0.0.0/8",)
    assert logs_option.OPTION.of(found) == logs_option.Logs(access=False, max_bytes=16384, keep=2, stdout=False)
    assert (workers_option.OPTION.of(found), user_option.OPTION.of(found)) == (4, "gate")
    assert [node.name for node in found.snippet if isinstance(node, directive.Directive)] == ["map"]
    assert str(found.snippet_origin) == "daemun.yaml:10:8"


def test_other_forms_of_the_top() -> None:
    assert "staging" in settings("acme: {directory: letsencrypt-staging}").acme.directory
    assert settings("default: refuse").default.kind is model.DefaultKind.REFUSE
    assert workers_option.OPTION.of(settings("workers: auto")) is None
    redirect = settings("default: {redirect: 'https://a.test/', status: 302}").default.redirect
    assert redirect == model.Redirect(to="https://a.test/", options=catalogue.values(status_option.OPTION.set(302)))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("auto", docker_option.Docker()),
        ("off", docker_option.Docker(is_on=False)),
        ("{swarm: auto}", docker_option.Docker()),
        ("{swarm: true}", docker_option.Docker(swarm=True)),
        ("{swarm: false}", docker_option.Docker(swarm=False)),
        ("tcp://socket-proxy:2375", docker_option.Docker(endpoint="tcp://socket-proxy:2375")),
        ("{endpoint: off, reserve: A.test}", docker_option.Docker(is_on=False, reserved=("a.test",))),
        (
            "{reserve: [admin.test, '*.corp.test', bücher.test]}",
            docker_option.Docker(reserved=("admin.test", "*.corp.test", "xn--bcher-kva.test")),
        ),
        (
            "{endpoint: 'tcp://h:2376', tls: {ca: ca.pem, cert: ./c.pem, key: /k.pem}}",
            docker_option.Docker(
                endpoint="tcp://h:2376",
                tls=docker_option.DockerTls(ca="/etc/daemun/ca.pem", certificate="/etc/daemun/c.pem", key="/k.pem"),
            ),
        ),
    ],
)
def test_where_the_engine_is(written: str, expected: docker_option.Docker) -> None:
    assert docker_option.OPTION.of(settings(f"docker: {written}")) == expected


def test_several_engines_in_a_list_or_beside_other_keys() -> None:
    listed = (
        "[unix:///var/run/docker.sock, {endpoint: 'tcp://10.0.0.7:2376', tls: {ca: a, cert: b, key: c}, name: attic}]"
    )
    found = docker_option.OPTION.of(settings(f"docker: {listed}"))
    beside = docker_option.OPTION.of(settings(f"docker: {{engines: {listed}, reserve: [a.test]}}"))

    assert [(one.name, one.endpoint) for one in found.engines] == [
        ("local", "unix:///var/run/docker.sock"),
        ("attic", "tcp://10.0.0.7:2376"),
    ]
    assert found.engines[1].tls == docker_option.DockerTls(
        ca="/etc/daemun/a", certificate="/etc/daemun/b", key="/etc/daemun/c"
    )
    assert (found.endpoint, found.is_on, found.reserved) == (None, True, ())
    assert (beside.engines, beside.reserved) == (found.engines, ("a.test",))
    one = docker_option.OPTION.of(settings("docker: {engines: 'ssh://me@nas'}"))
    assert [engine.name for engine in one.engines] == ["nas"]
    single = docker_option.OPTION.of(settings("docker: {endpoint: 'ssh://me@nas', address: NAS.lan, networks: lan}"))
    assert (single.endpoint, single.address, single.networks) == ("ssh://me@nas", "nas.lan", ("lan",))
    both = docker_option.OPTION.of(settings("docker: [{endpoint: 'ssh://nas_', address: nas_, name: nas}]"))
    assert both.engines[0].address == "nas_"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("atuo", 'did you mean "auto"?'),
        ("ssh://me:secret@host", "expected no password in an ssh:// URL"),
        ("ssh://-oProxyCommand=x", "expected ssh://nas or ssh://nas:22"),
        ("ssh://nas/run/$(x).sock", "expected the path of a socket"),
        ("ssh://a$b@nas", "as the user before the host"),
        ("[ssh://nas, ssh://me@nas]", 'two engines are called "nas"; give one of them a `name`'),
        ("[]", "expected at least one engine, found an empty list"),
        ("{engines: []}", "expected at least one engine, found an empty list"),
        ("[auto]", 'expected unix:///var/run/docker.sock, ssh://nas or tcp://nas:2376, found the text "auto"'),
        ("[{endpoint: 'ssh://nas', address: 0.0.0.0}]", "expected the address or the name of the engine's machine"),
        ("[{endpoint: 'ssh://nas', networks: [-x]}]", "is not the name of a network"),
        ("[{endpoint: 'ssh://nas', tls: {ca: a, cert: b, key: c}}]", "needs `endpoint`, the tcp:// URL"),
        ("{endpoint: 'ssh://nas', engines: ['ssh://nas']}", "`engines` stands for `endpoint`"),
        ("unix://", 'expected "unix:///var/run/docker.sock"'),
        ("unix://var/run/docker.sock", "write unix:///var/run/docker.sock"),
        ("'unix:///var/run/docker.sock, ssh://me@nas'", "several are a list"),
        ("tcp://10.0.0.7", "engines listen on 2375"),
        ("'tcp://[::1]'", "engines listen on 2375"),
        ("tcp://10.0.0.7:2376/path", "write tcp://10.0.0.7:2376"),
        ("2375", "found the number 2375"),
        ("{endpont: off}", 'did you mean "endpoint"?'),
        ("{reserve: [a..test]}", '"a..test" is not a host name'),
        ("{swarm: atuo}", 'docker.swarm: expected auto, true or false, found the text "atuo"; did you mean "auto"?'),
        ("{tls: {ca: a, cert: b, key: c}}", "docker.tls: needs `endpoint`"),
        ("{endpoint: 'unix:///d.sock', tls: {ca: a, cert: b, key: c}}", "docker.tls: needs `endpoint`"),
        ("{endpoint: 'tcp://d:2376', tls: {ca: a}}", '"cert" is missing'),
    ],
)
def test_what_is_no_engine(written: str, told: str) -> None:
    found = parse(f"docker: {written}\nsites: {{}}\n").problems
    assert told in found[0].message


def test_no_sites_at_all_can_be_meant() -> None:
    assert good("sites: {}") == ()


def test_anchors_and_merges() -> None:
    text = "sites:\n  a.test: &a {tls: local, routes: {/: http://web}}\n  b.test: {<<: *a, http: serve}\n"
    a, b = good(text)
    assert (a.http, b.http) == (model.HttpMode.REDIRECT, model.HttpMode.SERVE)
    assert b.routes == a.routes


# --- what is not -----------------------------------------------------------------------------------------------

ALL_AT_ONCE = """\
listn: {http: 80}
listen: {http: 99999}
acme: {directory: zerossl, email: foo}
docker: atuo
sites:
  a.test: {/: "http://127.0.0.1:99999", bad: http://127.0.0.1}
  b..test: http://127.0.0.1:1
  c.test: {rouets: {}}
  d.test: ftp://x
  D.test: http://x
  e.test:
    aliases: [a.test]
    tls: {certificate: a.pem}
    http: redirct
    balance: random
    routes:
      /x/../y: http://a
      /two: {to: http://a, redirect: /b}
      /none: {max_body: 1g}
      /w: {to: [http://a, {url: https://b, weight: two, wieght: 3}], pots: 1}
      /r: {redirect: /x, retries: 3}
      /n:
        to: http://a
        nginx: |
          add_header a b;
          add_header c d
      /dup: http://a
      /dup: http://b
"""


def test_all_problems_at_once_in_the_order_of_the_file() -> None:
    expected = [
        ("1:1", 'unknown key "listn"', 'did you mean "listen"?'),
        ("2:16", "listen.http: port 99999", ""),
        ("3:19", "zerossl", "add `eab: {kid: ..., hmac_key: ...}`"),
        ("3:35", 'acme.email: "foo" is not an e-mail address', ""),
        ("4:9", "docker: expected auto, off or a URL", "expected auto, off or a URL"),
        ("6:15", 'has the port "99999"', ""),
        ("6:41", 'path "bad" must start with "/"', 'write "/bad"'),
        ("7:3", 'host "b..test" is not a host name', ""),
        ("8:12", 'unknown key "rouets"', 'did you mean "routes"?'),
        ("9:11", 'unknown scheme "ftp"', "expected http, https"),
        ("10:3", 'host "d.test" already belongs to site "d.test" (daemun.yaml:9:3)', ""),
        ("12:15", 'host "a.test" already belongs to site "a.test" (daemun.yaml:6:3)', ""),
        ("13:5", '"key" is missing', ""),
        ("14:11", "expected redirect, serve or off", 'found the text "redirct"; did you mean "redirect"?'),
        ("15:5", 'unknown key "balance"', "is an option of a route; write it in the map of a path under `routes:`"),
        ("17:7", 'route "/x/../y"', "would never match"),
        ("18:7", "expected one of `to`, `redirect`, `files`, `respond`, `deny` or `php`", "found `to` and `redirect`"),
        ("19:7", "expected one of `to`, `redirect`, `files`, `respond`, `deny` or `php`", "found none of them"),
        ("20:52", 'site "e.test", route "/w", to.weight: expected a whole number, found the text "two"', ""),
        ("20:57", 'unknown key "wieght"', 'did you mean "weight"?'),
        ("20:70", 'unknown key "pots"', "expected one of access"),
        ("21:22", 'site "e.test", route "/r", redirect: leads every path under it there', "`keep: uri`"),
        ("21:35", 'site "e.test", route "/r", retries: has a meaning only beside `to`', ""),
        ("26:11", 'cannot use the hand-written nginx: expected ";" after "add_header"', ""),
        ("28:7", 'duplicate key "/dup": it is already given on line 27', ""),
    ]
    found = said(ALL_AT_ONCE)
    assert [line.split(": ")[0] for line in found] == [f"daemun.yaml:{place}" for place, _, _ in expected]
    for line, (_, cause, advice) in zip(found, expected, strict=True):
        assert cause in line
        assert advice in line


BAD_FILES = [
    (b"", "1:1: the file is empty; expected a map with `sites`"),
    (b"# nothing\n", "the file is empty"),
    (b"\x00\x01\xff\xfe\x80", "is not text"),
    (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "is not text"),
    (b"- a\n- b\n", "found a list"),
    (b"nonsense", 'found the text "nonsense"'),
    (b"sites: {a: [\n", "this bracket is never closed"),
    (b"sites:\n", "1:1: sites: expected a map of host names, found nothing; none at all is `sites: {}`"),
    (b"sites: [a]\n", "found a list"),
    (b"listen: {http: 81}\n", "`sites` is missing"),
    (b"listen: 80\nsites: {}\n", "1:9: listen: expected a map such as {http: 80, https: 443}, found the number 80"),
    (b"listen: {http: true}\nsites: {}\n", "1:16"),
    (b"listen: {http: []}\nsites: {}\n", "listen.http: is empty"),
    (b"sites: {}\nworkers: many\n", 'expected a whole number, found the text "many"'),
    (b"sites: {}\ndefault: {site: a.test, redirect: /x}\n", "expected either `site` or `redirect`"),
    (b"sites: {}\ndefault: nothing\n", "expected refuse, {site: HOST}"),
    (b"sites: {}\ndefault: {site: a.test}\n", '2:17: default.site: "a.test" is not a site'),
    (b"sites: {}\ncompat: traefik\n", "not in this version yet"),
    (b"sites: {}\na.test: http://x\n", "it is a host; write it below `sites:`"),
    (b"sites: {a.test: }\n", "found nothing"),
    (b"sites: {a.test: {}}\n", '"routes" is missing'),
    (b"sites: {a.test: {routes: {}}}\n", "routes: is empty"),
    (b"sites: {a.test: {routes: []}}\n", "found a list"),
    (b"sites: {a.test: 80}\n", "found the number 80"),
    (b"sites: {a.test: 127.0.0.1:80}\n", 'has no scheme; write "http://127.0.0.1:80"'),
    (b"sites: {a.test: {/: [http://a]}}\n", "found a list"),
    (b"sites: {a.test: {/: {to: []}}}\n", "to: is empty"),
    (b"sites: {a.test: {/: {to: [5]}}}\n", "expected a target"),
    (b"sites: {a.test: {/: {to: {url: 5}}}}\n", "expected text, found the number 5"),
    (b"sites: {a.test: {/: {to: http://a, timeout: soon}}}\n", 'expected a duration such as "30s"'),
    (b"sites: {a.test: {/: {to: http://a, max_body: lots}}}\n", "expected a size"),
    (b"sites: {a.test: {/: {to: http://a, balance: hash}}}\n", "needs a variable"),
    (b"sites: {a.test: {/: {to: http://a, balance: least_con}}}\n", 'did you mean "least_conn"?'),
    (b"sites: {a.test: {/: {to: http://a, verify: 1}}}\n", "expected true, false or the path"),
    (b"sites: {a.test: {/: {to: http://a, buffering: yes}}}\n", 'expected true or false, found the text "yes"'),
    (b"sites: {a.test: {/: {to: http://a, request_headers: {X: [1]}}}}\n", "expected text, found a list"),
    (b"sites: {a.test: {/: {to: http://a, request_headers: {X: true}}}}\n", "expected text, found true"),
    (
        b"sites: {a.test: {/: {to: http://a, aliases: [b.test]}}}\n",
        "is an option of a site; write it below the host that it is for, beside `routes:`",
    ),
    (
        b"sites: {a.test: {/: {to: http://a, workers: 1}}}\n",
        "belongs to the top of the file; write it beside `sites:`, without indentation",
    ),
    (b"sites: {a.test: {tls: of, routes: {/: http://a}}}\n", "expected auto, acme, local, off or {certificate"),
    (b"sites: {a.test: {tls: {challange: dns-01}, routes: {/: http://a}}}\n", 'did you mean "challenge"?'),
    (b"sites: {a.test: {tls: {certifcate: x, key: y}, routes: {/: http://a}}}\n", 'did you mean "certificate"?'),
    (b"sites: {a.test: {tls: off, http: redirect, routes: {/: http://a}}}\n", "write `http: serve`"),
    (b"sites: {a.test: {hsts: sure, routes: {/: http://a}}}\n", "expected true, false or a map"),
    (b"sites: {a.test: {tls: acme, routes: {/: http://a}}}\n", "write `tls: local`"),
    (b"sites: {a.test: {nginx: '} server {', routes: {/: http://a}}}\n", "it would close the block"),
    ("sites: {한국..test: http://a}\n".encode(), "is not a host name"),
]


@pytest.mark.parametrize(("content", "words"), BAD_FILES)
def test_one_readable_error_each(content: bytes, words: str) -> None:
    (line,) = said(content)
    assert words in line
    assert line.startswith("daemun.yaml:")


@pytest.mark.parametrize("content", [content for content, _ in BAD_FILES])
def test_each_problem_names_its_field(content: bytes) -> None:
    """Schema, rules and nginx speak one dialect: site, route and key; an unknown key is named behind its map."""
    for problem in parse(content).problems:
        is_of_a_key = "unknown key" in problem.message or "is missing" in problem.message
        named = problem.field[:-1] if is_of_a_key else problem.field
        assert problem.message.startswith(problem_report.label(named, host=problem.host) if named else "")


def test_a_bad_route_does_not_hide_that_the_host_is_there() -> None:
    (line,) = said("sites: {a.test: ftp://x}\ndefault: {site: a.test}\n")
    assert "ftp" in line


def test_good_sites_of_a_bad_file_are_known() -> None:
    snapshot = parse("sites: {a.test: ftp://x, b.test: http://x}\n")
    assert [site.host for site in snapshot.sites] == ["b.test"]
    assert [problem.host for problem in snapshot.problems] == ["a.test"]


# --- whatever comes --------------------------------------------------------------------------------------------

KEYS = {*yaml_top.FILE.model_fields, *yaml_site.SITE.model_fields, *yaml_route.ROUTE.model_fields}
VALUES = ("a.test", "/x", "http://web", "80", "off", "hash", "url", "weight", "read", "<<")
WORDS = strategies.sampled_from(sorted({*KEYS, *VALUES}))
LEAVES = (
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats() | strategies.text() | WORDS
)
TREES = strategies.recursive(
    LEAVES,
    lambda inner: (
        strategies.lists(inner, max_size=4) | strategies.dictionaries(WORDS | strategies.text(), inner, max_size=5)
    ),
    max_leaves=20,
)


@hypothesis.given(strategies.binary(max_size=200))
def test_any_bytes_are_problems_at_worst(content: bytes) -> None:
    parse(content)


@hypothesis.given(strategies.text(max_size=200) | strategies.text(alphabet="ab:/{}[],&*!|>'\"%@` \n-?#<", max_size=60))
def test_any_text_is_problems_at_worst(content: str) -> None:
    parse(content)


@hypothesis.given(TREES)
@hypothesis.example("/\x1b")
@hypothesis.example("/\ud800")
def test_any_tree_is_problems_at_worst(tree: object) -> None:
    """JSON is YAML."""
    for content in (tree, {"sites": tree}, {"sites": {"a.test": tree}}, {"sites": {"a.test": {"routes": {"/": tree}}}}):
        for problem in parse(json.dumps(content)).problems:
            assert str(problem).isprintable()


@pytest.mark.parametrize(
    "route",
    [
        {"request_headers": {"\x1f": False}},
        {"response_headers": {"a\x00b": {}}},
        {"request_headers": {"\ud800": False}},
        {"request_headers": {"\u202e": False}},
        {"timeout": {"\x1b[31m": 1}},
        {"to": [{"url\x7f": 1}]},
        {"\x07": 1},
    ],
)
def test_names_with_control_characters_are_escaped_in_messages(route: object) -> None:
    """K1."""
    found = parse(json.dumps({"sites": {"a.test": {"routes": {"/": route}}}})).problems
    assert found
    assert all(str(problem).isprintable() for problem in found)


# --- reading ---------------------------------------------------------------------------------------------------


def test_missing_files_are_named_with_their_line(tmp_path: pathlib.Path) -> None:
    (tmp_path / "k.pem").write_text("")
    file = tmp_path / "daemun.yaml"
    file.write_text(
        "acme: {ca_file: root.pem}\nsites:\n  a.test:\n    tls: {certificate: c.pem, key: k.pem}\n    routes:\n"
        "      /: {to: https://web, verify: ca.pem}\n      /f/: {files: public}\n"
        "  off.test: {enabled: false, tls: {certificate: c.pem, key: k.pem}, routes: {/: http://web}}\n"
    )
    with pytest.raises(yaml_file.InvalidFileError) as caught:
        yaml_file.read_snapshot(file)
    cause = "no such file or directory; correct the path, or the rights of the file"
    assert str(caught.value).splitlines() == [
        f"daemun.yaml:1:17: acme.ca_file: cannot read {tmp_path}/root.pem: {cause}",
        f'error: daemun.yaml:4:24: site "a.test", tls.certificate: cannot read {tmp_path}/c.pem: {cause}',
        f'error: daemun.yaml:6:36: site "a.test", route "/", verify: cannot read {tmp_path}/ca.pem: {cause}',
        f'warning: daemun.yaml:7:20: site "a.test", route "/f/", files: there is no folder {tmp_path}/public; '
        "its visitors get 404 until it is there",
    ]
    assert len(caught.value.problems) == 4


def test_a_tilde_is_no_home(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "daemun.yaml"
    file.write_text("sites:\n  a.test: {/: {files: ~/public}}\n")
    (problem,) = yaml_file.read_snapshot(file).problems
    assert '"~" means nothing here, so write the whole path' in problem.message


def test_a_plain_target_beside_an_encrypted_one_has_no_certificate(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "daemun.yaml"
    file.write_text('sites:\n  a.test: {/: {to: ["http://10.0.0.1:1", "https://10.0.0.2:2"]}}\n')
    with pytest.raises(yaml_file.InvalidFileError) as caught:
        yaml_file.read_snapshot(file)
    assert 'the certificate of "http:' not in str(caught.value)
    assert "has another scheme" in str(caught.value)


FRONT_PAGES = {
    "pictures alone": ("files: pub", ["a.jpg"], "403; put one there, or write `listing: true`"),
    "another page": ("files: pub", ["a.jpg", "home.html"], "403; put one there, or write `index: home.html`"),
    "none of several": ("files: pub, index: [a.html, b.html]", ["x"], 'has no "a.html" or "b.html", so the front page'),
    "an application without its page": ("files: pub, spa: true", ["app.js"], "so the front page is 404; put one there"),
    "the page": ("files: pub", ["a.jpg", "index.html"], None),
    "one of several": ("files: pub, index: [a.html, b.html]", ["b.html"], None),
    "a listing": ("files: pub, listing: true", ["a.jpg"], None),
    "nothing yet": ("files: pub", [], None),
    "nothing but hidden files": ("files: pub", [".git"], None),
    "hand-written nginx": ("files: pub, nginx: index start.html;", ["start.html"], None),
}


@pytest.mark.parametrize("kind", FRONT_PAGES)
def test_a_folder_without_a_front_page(tmp_path: pathlib.Path, kind: str) -> None:
    written, names, words = FRONT_PAGES[kind]
    (tmp_path / "pub").mkdir()
    for name in names:
        (tmp_path / "pub" / name).write_text("x")
    file = tmp_path / "daemun.yaml"
    file.write_text(f"sites: {{a.test: {{/: {{{written}}}}}}}\n")
    problems = yaml_file.read_snapshot(file).problems
    assert all(problem.severity is model.Severity.WARNING for problem in problems)
    assert len(problems) == (words is not None)
    assert all(words is not None and words in problem.message for problem in problems)
    file.write_text(f"sites: {{a.test: {{/: http://127.0.0.1:1, /part/: {{{written}}}}}}}\n")
    assert yaml_file.read_snapshot(file).problems == (), "only the front page of a site is looked for"


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("state", "is the state directory"),
        (".", "holds the state directory"),
        ("/", "holds the state directory"),
        ("state/live", "lies in the state directory"),
        ("state/live/a.test/", "lies in the state directory"),
        ("link", "lies in the state directory"),
        ("own", "holds the private key"),
        ("own/deep/..", "holds the private key"),
        ("STATE/../state", "is the state directory"),
    ],
)
def test_n2_a_folder_with_private_keys_is_not_published(tmp_path: pathlib.Path, folder: str, words: str) -> None:
    (tmp_path / "state/live/a.test").mkdir(parents=True)
    (tmp_path / "own/deep").mkdir(parents=True)
    (tmp_path / "STATE").mkdir()
    for name in ("c.pem", "k.pem"):
        (tmp_path / "own" / name).write_text("")
    (tmp_path / "link").symlink_to("state/live")
    file = tmp_path / "daemun.yaml"
    file.write_text(
        f"sites:\n  a.test: {{/: {{files: {folder}}}}}\n"
        "  b.test: {tls: {certificate: own/c.pem, key: own/k.pem}, routes: {/: http://web}}\n"
    )
    with pytest.raises(yaml_file.InvalidFileError, match=words) as caught:
        yaml_file.YamlFile(file, state=str(tmp_path / "state")).read_now()
    assert str(caught.value).startswith('daemun.yaml:2:23: site "a.test", route "/", files: ')
    file.write_text("sites:\n  a.test: {/: {files: STATE}}\n")
    assert not yaml_file.YamlFile(file, state=str(tmp_path / "state")).read_now().problems


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("sites:\n  a.test: http://unix:STATE/run/api.sock\n", 'site "a.test", route "/", to'),
        ("sites:\n  a.test: http://unix:STATE/run/../run/judge.sock:/login\n", 'site "a.test", route "/", to'),
        ("sites:\n  a.test: {/: {to: [http://web, http://unix:LINK/api.sock]}}\n", 'site "a.test", route "/", to'),
        ("sites:\n  a.test: {php: {socket: unix:STATE/x.sock, root: public}}\n", 'site "a.test", route "/", php'),
        ("sites: {}\nstreams:\n  s: {listen: 1883, to: tcp://unix:STATE/run/control.sock}\n", "streams.s.to"),
    ],
)
def test_no_socket_of_daemun_is_a_server(tmp_path: pathlib.Path, written: str, label: str) -> None:
    (tmp_path / "state/run").mkdir(parents=True)
    (tmp_path / "public").mkdir()
    (tmp_path / "link").symlink_to("state/run")
    file = tmp_path / "daemun.yaml"
    file.write_text(written.replace("STATE", f"{tmp_path}/state").replace("LINK", f"{tmp_path}/link"))
    with pytest.raises(yaml_file.InvalidFileError) as caught:
        yaml_file.YamlFile(file, state=str(tmp_path / "state")).read_now()
    (problem,) = caught.value.problems
    assert f"{label}: " in str(caught.value)
    assert f"lies in the state directory {tmp_path}/state, where the sockets are daemun's own" in problem.message
    file.write_text(written.replace("STATE", f"{tmp_path}/other").replace("LINK", f"{tmp_path}/public"))
    assert not yaml_file.YamlFile(file, state=str(tmp_path / "state")).read_now().problems


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        (".", "holds .*daemun.yaml, the configuration that is in use"),
        ("./", "holds .*daemun.yaml"),
        ("up/..", "holds .*daemun.yaml"),
        ("..", "holds .*daemun.yaml"),
        ("itself", "holds .*daemun.yaml"),
        ("secret", "holds .*htpasswd, which has passwords"),
    ],
)
def test_a_folder_with_the_configuration_or_passwords_is_not_published(
    tmp_path: pathlib.Path, folder: str, words: str
) -> None:
    for name in ("up", "secret", "public"):
        (tmp_path / name).mkdir()
    (tmp_path / "itself").symlink_to(".")
    (tmp_path / "secret/htpasswd").write_text("a:b\n")
    file = tmp_path / "daemun.yaml"
    routes = "{/: {to: http://web, nginx: auth_basic_user_file secret/htpasswd;}, /f/: {files: %s}}"
    file.write_text(f"sites:\n  a.test: {routes % folder}\n")
    with pytest.raises(
        yaml_file.InvalidFileError, match=f'site "a.test", route "/f/", files: .*{words}.*name a folder apart from it'
    ):
        yaml_file.read_snapshot(file)
    file.write_text(f"sites:\n  a.test: {routes % 'public'}\n")
    assert not yaml_file.read_snapshot(file).problems


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("acme: {dns: {provider: cloudflare, auth_token: {file: own/x}}}", "the secret"),
        ("acme: {dns: {provider: transip, auth_api_key: PATH/own/x}}", "the secret"),
        ("acme: {dns: {provider: googleclouddns, auth_service_account_info: 'file::PATH/own/x'}}", "the secret"),
        ("acme: {directory: {directory: zerossl, eab: {kid: k, hmac_key: {file: own/x}}}}", "the secret"),
        ("alerts: {webhook: {file: own/x}}", "the secret"),
        ("alerts: {ntfy: {url: 'https://ntfy.sh/me', token: {file: own/x}}}", "the secret"),
        (
            "docker: {endpoint: 'tcp://10.0.0.1:2376', tls: {ca: own/y, cert: own/y, key: own/x}}",
            "the private key",
        ),
        ("tracing: {endpoint: 'http://127.0.0.1:4318', sample: 1%, headers: {X-Key: 'file:own/x'}}", "the secret"),
        ("nginx: ssl_password_file own/x;", "takes a key from"),
        ("nginx: proxy_ssl_certificate_key own/x;", "takes a key from"),
        ("nginx: 'map a $b { default 0; } ssl_session_ticket_key own/x;'", "takes a key from"),
    ],
)
def test_n2_a_folder_with_any_secret_of_the_file_is_not_published(
    tmp_path: pathlib.Path, written: str, words: str
) -> None:
    for name in ("own", "public"):
        (tmp_path / name).mkdir()
    for name in ("x", "y"):
        (tmp_path / "own" / name).write_text("secret")
    file = tmp_path / "daemun.yaml"
    sites = "sites:\n  a.test: {{/: {{files: {}}}}}\n"
    top = written.replace("PATH", str(tmp_path))
    file.write_text(f"{top}\n{sites.format('own')}")
    with pytest.raises(yaml_file.InvalidFileError, match=f"files: {tmp_path}/own holds .*{words}.*name a folder apart"):
        yaml_file.read_snapshot(file)
    file.write_text(f"{top}\n{sites.format('public')}")
    assert not [one for one in yaml_file.read_snapshot(file).problems if one.severity is model.Severity.ERROR]


def test_n2_a_secret_of_one_site_is_one_everywhere(tmp_path: pathlib.Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/x").write_text("secret")
    file = tmp_path / "daemun.yaml"
    dns = "{mode: acme, dns: {provider: cloudflare, auth_token: {file: own/x}}}"
    file.write_text(
        f"sites:\n  a.test: {{/: {{files: own}}}}\n  b.example.com: {{tls: {dns}, routes: {{/: http://web}}}}\n"
    )
    with pytest.raises(yaml_file.InvalidFileError, match=r"files: .*own holds the secret .*own/x"):
        yaml_file.read_snapshot(file)


def test_reading_a_good_file_gives_its_warnings_too(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "daemun.yaml"
    file.write_text("sites:\n  a.test: {/: {files: public}}\n")
    snapshot = yaml_file.read_snapshot(file)
    assert snapshot.source == yaml_file.YamlFile(file).name == "file"
    assert [problem.severity for problem in snapshot.problems] == [model.Severity.WARNING]
    assert [site.host for site in snapshot.sites] == ["a.test"]


@pytest.mark.parametrize("kind", ["missing", "a folder"])
def test_what_cannot_be_read(tmp_path: pathlib.Path, kind: str) -> None:
    file = tmp_path / "daemun.yaml"
    if kind == "a folder":
        file.mkdir()
    with pytest.raises(ConfigError, match=r"cannot read .*daemun\.yaml"):
        yaml_file.read_snapshot(file)


def test_how_certificates_are_ordered() -> None:
    snapshot = parse(
        b"acme:\n"
        b"  email: me@example.com\n"
        b"  directory: [letsencrypt, {directory: zerossl, eab: {kid: k, hmac_key: {file: hmac}}}]\n"
        b"  dns: {provider: cloudflare, auth_token: {env: TOKEN}, wait: 5m}\n"
        b"  hook: /bin/hook\n"
        b"  resolvers: 192.0.2.1\n"
        b"sites:\n"
        b'  "*.a.com": {tls: {mode: acme, profile: shortlived}, routes: {/: http://web}}\n'
        b"  b.com: {on_demand: {ask: 'http://127.0.0.1:9/x', per_minute: 5}, routes: {/: http://web}}\n"
    )
    assert snapshot.problems == ()
    assert snapshot.globals is not None
    acme = snapshot.globals.acme
    first, second = acme.authorities
    assert (first.email, first.staging) == ("me@example.com", model.LETS_ENCRYPT_STAGING)
    assert second.eab == model.Eab(key_id="k", hmac_key=model.Secret(file=f"{BASE}/hmac"))
    assert acme.dns == model.Dns(
        provider="cloudflare", options=(("auth_token", model.Secret(variable="TOKEN")),), wait_s=300.0
    )
    assert (acme.hook, acme.resolvers) == (("/bin/hook",), ("192.0.2.1",))
    wildcard, on_demand = snapshot.sites
    assert wildcard.tls.ordering.profile == "shortlived"
    assert on_demand_option.OPTION.of(on_demand) == on_demand_option.OnDemand(ask="http://127.0.0.1:9/x", per_minute=5)


def test_c9_the_type_of_a_key_and_the_preferred_chain() -> None:
    text = """
acme: {key_type: rsa-2048, preferred_chain: ISRG Root X1}
sites:
  a.test: http://web
  b.test: {tls: {key_type: ecdsa-p384, preferred_chain: Other}, routes: {/: http://web}}
"""
    snapshot = parse(text)
    assert snapshot.problems == ()
    assert snapshot.globals is not None
    acme = snapshot.globals.acme
    assert (acme.key_type, acme.preferred_chain) == (model.KeyType.RSA_2048, "ISRG Root X1")
    found = [validate_acme.fill(site.tls.ordering, acme) for site in snapshot.sites]
    assert [(one.key_type, one.preferred_chain) for one in found] == [
        (model.KeyType.RSA_2048, "ISRG Root X1"),
        (model.KeyType.ECDSA_P384, "Other"),
    ]


@pytest.mark.parametrize("written", ["[rsa-2048, ecdsa-p384]", "[rsa-2048, ecdsa-p384,]"])
def test_c9_two_types_of_keys(written: str) -> None:
    text = f"""
acme: {{key_type: {written}}}
sites:
  a.test: http://web
  b.test: {{tls: {{key_type: ecdsa-p256}}, routes: {{/: http://web}}}}
  c.test: {{tls: {{key_type: [ecdsa-p256, rsa-4096]}}, routes: {{/: http://web}}}}
"""
    snapshot = parse(text)
    assert snapshot.problems == ()
    assert snapshot.globals is not None
    found = [validate_acme.fill(site.tls.ordering, snapshot.globals.acme) for site in snapshot.sites]
    assert [(one.key_type, one.further_key_type) for one in found] == [
        (model.KeyType.RSA_2048, model.KeyType.ECDSA_P384),
        (model.KeyType.ECDSA_P256, None),
        (model.KeyType.ECDSA_P256, model.KeyType.RSA_4096),
    ]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("rsa2048", 'did you mean "rsa-2048"?'),
        ("ed25519", "expected ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072"),
        ("2048", "expected ecdsa-p256"),
        ("[ecdsa-p256, rsa2048]", 'did you mean "rsa-2048"?'),
        ("[ecdsa-p256, ecdsa-p384]", "expected one type of ECDSA and one of RSA at most, as [ecdsa-p256, rsa-2048]"),
        ("[rsa-2048, ecdsa-p256, rsa-4096]", "found rsa-2048, ecdsa-p256 and rsa-4096"),
        ("[]", "is empty; leave it out for ecdsa-p256"),
    ],
)
@pytest.mark.parametrize(
    "place", ["acme: {key_type: %s}\nsites: {}", "sites: {a.test: {tls: {key_type: %s}, routes: {/: http://web}}}"]
)
def test_c9_other_types_of_keys_are_refused(place: str, written: str, words: str) -> None:
    (problem,) = parse(place % written + "\n").problems
    assert "key_type: " in problem.message
    assert words in problem.message


def test_a_secret_is_in_no_message() -> None:
    text = b"acme: {eab: {kid: k, hmac_key: [s3cr3t]}, dns: {provider: x, token: [s3cr3t]}}\nsites: {}\n"
    snapshot = parse(text)
    assert len(snapshot.problems) == 2
    assert "s3cr3t" not in str(snapshot)
    good = parse(b"acme: {dns: {provider: x, token: s3cr3t}}\nsites: {}\n")
    assert not good.problems
    assert "s3cr3t" not in repr(good)


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ("to: http://a, status: 301", "status: has a meaning only beside `redirect`"),
        ("redirect: https://b.test/x, hold: 30s", "hold: has a meaning only beside `to`"),
        ("files: /srv, verify: true", "verify: has a meaning only beside `to`"),
        ("to: http://a, spa: false", "spa: has a meaning only beside `files`"),
        ("redirect: https://b.test/x, index: a", "index: has a meaning only beside `to` or `files`"),
        (f"to: http://a, timeout: {'9' * 400}", "expected a duration"),
        (f"to: http://a, timeout: {'9' * 400}s", "expected a duration"),
        ("to: http://a, health: {status: '200-³³³'}", "expected a status such as 200"),
        ("to: http://a, index: app.php", "index: has no effect: no target is fastcgi"),
        ("to: http://a, root: /srv", "root: has no effect: no target is fastcgi, uwsgi or scgi"),
    ],
)
def test_what_an_option_cannot_mean(options: str, cause: str) -> None:
    """An option beside the wrong action is told even where it says what is the default."""
    (line,) = said(f"sites: {{a.test: {{/: {{{options}}}}}}}")
    assert 'site "a.test", route "/", ' in line
    assert cause in line


_MAY_BE_EMPTY = {name for name, one in catalogue.BY_NAME.items() if one.default is None and not one.is_never_empty}


@pytest.mark.parametrize("name", sorted(_MAY_BE_EMPTY))
def test_nothing_behind_a_key_is_as_if_it_was_not_there(name: str) -> None:
    levels = catalogue.BY_NAME[name].levels
    of_route = f"{name}: , " if option.Level.ROUTE in levels else ""
    of_site = f"{name}: , " if option.Level.SITE in levels else ""
    of_gate = f"{name}:\n" if option.Level.GATE in levels else ""
    text = f"{of_gate}sites: {{a.test: {{{of_site}routes: {{/: {{{of_route}to: http://a}}}}}}}}\n"
    (site,) = good(text)
    assert (site.options, site.routes[0].options, site.routes[0].action.options) == ((), (), ())


@pytest.mark.parametrize(
    ("top", "cause"),
    [
        ("logs: {format: xml}", 'logs.format: expected text or json, found the text "xml"'),
        ("logs: {access: x}", 'logs.access: expected true, false or stdout, found the text "x"'),
        ("docker: {share: {a.test: x, A.test: y}}", 'docker.share: "A.test" is the same host as "a.test"'),
        (
            "alerts: {smtp: [{server: m.test, from: a@b.test, to: c@d.test}, {server: m.test, from: a@b.test, to: x}]}",
            "1:102: ",
        ),
    ],
)
def test_mistakes_at_the_top(top: str, cause: str) -> None:
    (line,) = said(f"{top}\nsites: {{}}\n")
    assert cause in line


@pytest.mark.parametrize(
    ("key", "value", "cause"),
    [
        ("docker", "off", "is a key of the top of the file"),
        ("logs", "{access: true}", "is a key of the top of the file"),
        ("listen", "{http: 8080}", "is a key of the top of the file"),
        ("tls", "off", "is an option of a site"),
        ("hsts", "true", "is an option of a site"),
    ],
)
def test_a_key_among_the_hosts_is_sent_home(key: str, value: str, cause: str) -> None:
    (line,) = said(f"sites:\n  {key}: {value}\n  a.test: http://a\n")
    assert line.startswith(f'daemun.yaml:2:3: site "{key}": {cause}, not a host; write it b')


@pytest.mark.parametrize("key", ["logs", "docker", "tls", "user"])
def test_a_host_may_be_called_like_a_key(key: str) -> None:
    (site,) = good(f"sites: {{{key}: http://a}}")
    assert site.host == key


def test_a_folder_that_nginx_cannot_enter_is_told(tmp_path: pathlib.Path) -> None:
    """A: visitors would get 403, and only nginx's error log would say why."""
    (tmp_path / "closed" / "public").mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    (tmp_path / "a.txt").write_text("x")
    file = tmp_path / "daemun.yaml"
    file.write_text("sites: {a.test: {/: {files: closed/public}, /f/: {files: a.txt}}}")
    worker = model.WorkerAccount(user="nobody", group="nogroup", uid=65534, gid=65534)
    found = yaml_file.YamlFile(file, find_worker=lambda _: worker).read_now().problems
    closed, no_folder = (problem.message for problem in found)
    assert closed.startswith(
        'site "a.test", route "/", files: "nobody", the account of nginx\'s workers, has no right to'
    )
    assert closed.endswith("; until then its visitors get 403")
    assert f"{tmp_path}/a.txt is a file, and a folder is expected" in no_folder


def test_a_path_beside_routes_hides_no_other() -> None:
    text = "sites:\n  a.test:\n    routes:\n      /: http://web\n    /api/: http://api\n"
    (problem,) = yaml_file.parse(text, file_name="f", base_dir="/").problems
    assert 'path "/api/" stands beside option "routes"' in problem.message


def test_a_prefix_of_nginx_that_goes_before_expressions_is_told_how() -> None:
    text = "sites: {a.test: {^~ /a/: http://web}}\n"
    (problem,) = yaml_file.parse(text, file_name="f", base_dir="/").problems
    assert problem.message.endswith('write "/a/", or `~ ^/...` above the expressions that it is to go before')
