"""What containers say in nginx-proxy's words: one test of each variable and label, as plain values."""

import dataclasses
import typing

import pytest

from daemun.core import model
from daemun.core.options import (
    balance_option,
    hold_option,
    hsts_option,
    keepalive_option,
    redirect_status_option,
    root_option,
    timeout_option,
    upstream_tls_options,
)
from daemun.core.rounds import merge
from daemun.sources.docker import nginx_proxy, nginx_proxy_gate, route_requests
from daemun.sources.docker import nginx_proxy_sites as sites
from tests.support import docker_values as values

ON = sites.Compat(is_on=True, gate=nginx_proxy_gate.read_gate({}))
OFF = sites.Compat()
LABEL = "com.github.nginx-proxy.nginx-proxy."


def read(
    environment: dict[str, str], labels: dict[str, str] | None = None, *, compat: sites.Compat = ON
) -> route_requests.ContainerRequests:
    return nginx_proxy.read_requests(values.container(labels=labels, environment=environment), compat)


def good(
    environment: dict[str, str], labels: dict[str, str] | None = None, *, compat: sites.Compat = ON
) -> list[route_requests.RouteRequest]:
    result = read({"VIRTUAL_HOST": "a.test", **environment}, labels, compat=compat)
    assert result.faults == ()
    return list(result.requests)


def request(environment: dict[str, str], labels: dict[str, str] | None = None) -> route_requests.RouteRequest:
    (found,) = good(environment, labels)
    return found


def proxy(environment: dict[str, str], labels: dict[str, str] | None = None) -> model.Proxy:
    action = request(environment, labels).route.action
    assert isinstance(action, model.Proxy)
    return action


def target(environment: dict[str, str]) -> model.Target:
    (found,) = proxy(environment).targets
    return found


def fault(environment: dict[str, str], labels: dict[str, str] | None = None) -> str:
    result = read({"VIRTUAL_HOST": "a.test", **environment}, labels)
    assert result.requests == ()
    return "; ".join(result.faults)


def notes(environment: dict[str, str], labels: dict[str, str] | None = None, *, compat: sites.Compat = ON) -> str:
    result = read({"VIRTUAL_HOST": "a.test", **environment}, labels, compat=compat)
    assert result.requests
    return "\n".join(result.notes)


def settle(
    environment: dict[str, str],
    labels: dict[str, str] | None = None,
    *,
    host: str = "a.test",
    compat: sites.Compat = ON,
) -> route_requests.MergedSite:
    found = next(one for one in good(environment, labels, compat=compat) if one.host == host)
    return sites.merge_host(host, dict(found.host_variables or ()), compat)


def options(
    environment: dict[str, str], labels: dict[str, str] | None = None, **named: typing.Any
) -> route_requests.SiteOptions:
    return settle(environment, labels, **named).options


# --- hosts -----------------------------------------------------------------------------------------------------


def test_a_container_without_their_words_asks_for_nothing() -> None:
    assert read({"PATH": "/bin", "VIRTUAL_PORT": "80"}) == route_requests.ContainerRequests()


def test_an_empty_host_is_none() -> None:
    assert read({"VIRTUAL_HOST": " "}) == route_requests.ContainerRequests()


def test_several_hosts() -> None:
    found = good({"VIRTUAL_HOST": "A.test, b.test,,*.c.test,d.*,10.0.0.1,[::1],b.test"})

    assert [one.host for one in found] == ["a.test", "b.test", "*.c.test", "d.*", "10.0.0.1", "[::1]"]


def test_a_regular_expression_keeps_its_commas() -> None:
    found = good({"VIRTUAL_HOST": r"~^(foo|bar)\.[a-z]{1,3}\.test$,b.test"})

    assert [one.host for one in found] == [r"~^(foo|bar)\.[a-z]{1,3}\.test$", "b.test"]


@pytest.mark.parametrize(
    ("host", "cause"),
    [
        ("a b", "is not a host name"),
        ("a.test:8080", "holds a port"),
        ("http://a.test", "holds a scheme"),
        ("a;b.test", "is not a host name"),
        ("a.*.test", "in the wrong place"),
        ("a{.test", "is not a host name"),
        ("~^(a", "never closed"),
        ("~(a+)+b", "repeats a repetition"),
        (r"~^a\Qb", "not in the part"),
        ("~a b", "white space"),
    ],
)
def test_a_bad_host_refuses_its_container(host: str, cause: str) -> None:
    assert cause in fault({"VIRTUAL_HOST": f"good.test,{host}"})


@pytest.mark.parametrize(
    ("hosts", "cure"),
    [
        ("a.test b.test", "a.test, b.test"),
        ("a.test;www.b.test", "a.test, www.b.test"),
        ("a.test|b.test", "a.test, b.test"),
        (".a.test", "a.test, *.a.test"),
    ],
)
def test_hosts_as_other_tools_write_them(hosts: str, cure: str) -> None:
    """Of several hosts only one was advised, and `aliases`, which containers do not have."""
    assert fault({"VIRTUAL_HOST": hosts}).endswith(f'write "{cure}"')
    assert [one.host for one in good({"VIRTUAL_HOST": cure})] == cure.split(", ")


def test_a_port_beside_a_host_belongs_elsewhere() -> None:
    cure = 'write "a.test", and name the container\'s port with VIRTUAL_PORT'
    assert fault({"VIRTUAL_HOST": "a.test:8080"}).endswith(cure)


def test_daemuns_own_labels_win() -> None:
    (found,) = good({}, {"daemun.host": "b.test"})

    assert (found.host, found.host_variables) == ("b.test", None)


# --- port, path, destination, protocol -------------------------------------------------------------------------


def test_the_port() -> None:
    assert request({}).port is None
    assert request({"VIRTUAL_PORT": " 8080 "}).port == 8080


@pytest.mark.parametrize("port", ["80,81", "http", "0", "65536", "-1", "8080; return 200"])
def test_a_bad_port(port: str) -> None:
    assert fault({"VIRTUAL_PORT": port}).startswith("VIRTUAL_PORT: expected a number from 1 to 65535")


def test_the_path_and_the_destination() -> None:
    assert (request({}).route.path, target({}).path) == ("/", None)
    assert request({"VIRTUAL_PATH": "/app/"}).route.path == "/app/"
    assert target({"VIRTUAL_PATH": "/app/", "VIRTUAL_DEST": "/"}).path == "/"
    assert target({"VIRTUAL_PATH": "/app/", "VIRTUAL_DEST": ""}).path is None


def test_a_path_may_be_a_regular_expression_without_a_destination() -> None:
    assert request({"VIRTUAL_PATH": "~^/(app1|alternative1)/"}).route.path == "~^/(app1|alternative1)/"
    assert request({"VIRTUAL_PATH": "~* ^/A"}).route.path == "~*^/A"
    assert "no prefix" in fault({"VIRTUAL_PATH": "~^/a", "VIRTUAL_DEST": "/"})


@pytest.mark.parametrize("path", ["app", "/../etc", "=x", "/a?b", "~^/(a+)+$"])
def test_a_bad_path(path: str) -> None:
    assert "route" in fault({"VIRTUAL_PATH": path})


def test_a_destination_adds_no_directive() -> None:
    assert "which a URL cannot" in fault({"VIRTUAL_DEST": "/; add_header X yes"})
    assert "must start with" in fault({"VIRTUAL_DEST": "new/"})


@pytest.mark.parametrize(
    ("word", "scheme"),
    [
        ("http", model.Scheme.HTTP),
        ("https", model.Scheme.HTTPS),
        ("uwsgi", model.Scheme.UWSGI),
        ("fastcgi", model.Scheme.FASTCGI),
        ("grpc", model.Scheme.GRPC),
        ("grpcs", model.Scheme.GRPCS),
    ],
)
def test_the_protocol(word: str, scheme: model.Scheme) -> None:
    assert target({"VIRTUAL_PROTO": word}).scheme is scheme


def test_the_certificate_of_a_container_is_not_checked() -> None:
    assert upstream_tls_options.find_tls(proxy({"VIRTUAL_PROTO": "https"})).verify is False


def test_an_unknown_protocol() -> None:
    assert fault({"VIRTUAL_PROTO": "ftp"}).startswith("VIRTUAL_PROTO: expected http, https")


def test_the_root_of_fastcgi() -> None:
    assert root_option.OPTION.of(proxy({"VIRTUAL_PROTO": "fastcgi"})) == "/var/www/public"
    assert root_option.OPTION.of(proxy({"VIRTUAL_PROTO": "fastcgi", "VIRTUAL_ROOT": "/srv"})) == "/srv"
    assert "absolute" in fault({"VIRTUAL_PROTO": "fastcgi", "VIRTUAL_ROOT": "srv"})


def test_access_from_internal_networks_only() -> None:
    assert request({"NETWORK_ACCESS": "internal"}).route.is_internal
    assert not request({"NETWORK_ACCESS": "external"}).route.is_internal
    assert "expected external or internal" in fault({"NETWORK_ACCESS": "intern"})


# --- ACME_HOST and the hosts ------------------------------------------------------------------------------------


def test_a_wildcard_of_acme_host_is_for_the_hosts_below_it() -> None:
    """As nginx-proxy takes the wildcard's certificate for them: they were served in clear text."""
    said = {"VIRTUAL_HOST": "www.a.test", "LETSENCRYPT_HOST": "*.a.test"}
    merged = settle(said, host="www.a.test")

    assert merged.options.tls.mode is model.TlsMode.AUTO
    assert merged.options.tls.group == ()
    assert merged.notes == ('ACME_HOST names it by "*.a.test"; a certificate of its own is ordered',)


@pytest.mark.parametrize("host", ["a.test", "b.www.a.test", "*.www.a.test", "~^x.a.test$"])
def test_a_wildcard_is_for_no_other_host(host: str) -> None:
    said = {"VIRTUAL_HOST": host, "LETSENCRYPT_HOST": "*.a.test"}

    assert settle(said, host=host).options.tls.mode is model.TlsMode.OFF
    assert "so no certificate is ordered" in notes(said)


def test_acme_host_that_names_none_of_the_hosts_is_told() -> None:
    said = {"VIRTUAL_HOST": "a.test", "LETSENCRYPT_HOST": "b.test"}

    assert 'ACME_HOST names "b.test" and not "a.test"' in notes(said)
    assert notes(said | {"VIRTUAL_HOST": "a.test,b.test"}) == ""


@pytest.mark.parametrize("hosts", ["a.test b.test", "a.test;b.test", "https://a.test", "a.test:443", "~^a.test$"])
def test_acme_host_takes_names_alone(hosts: str) -> None:
    assert fault({"LETSENCRYPT_HOST": hosts}).startswith("ACME_HOST: ")


# --- names that are not read -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("NETWORK_ACESS", "NETWORK_ACCESS"),
        ("VIRTUAL_PROTOCOL", "VIRTUAL_PROTO"),
        ("VIRTUAL_PORTS", "VIRTUAL_PORT"),
        ("VIRTUAL_DESTINATION", "VIRTUAL_DEST"),
        ("LETSENCRYPT_HOSTS", "LETSENCRYPT_HOST"),
        ("LETSENCRYPT_MAIL", "LETSENCRYPT_EMAIL"),
        ("HTTPS_METHODS", "HTTPS_METHOD"),
        ("CERTNAME", "CERT_NAME"),
    ],
)
def test_a_variable_that_is_meant_to_be_another_is_told(name: str, meant: str) -> None:
    assert notes({name: "internal"}) == f'the variable "{name}" is not read; did you mean "{meant}"?'
    assert read({name: "internal"}).notes == ()


@pytest.mark.parametrize("name", ["VIRTUAL_HOSTS", "VIRTUALHOST", "VITRUAL_HOST", "virtual_host", "VIRTUAL_HSOT"])
def test_a_host_that_is_not_read_is_told(name: str) -> None:
    result = read({name: "a.test"})

    assert result.requests == ()
    assert result.notes == (f'the variable "{name}" is not read; did you mean "VIRTUAL_HOST"?',)


@pytest.mark.parametrize(
    "name",
    ["VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "HTTPS_PROXY", "HTTPS_PORT", "SSL_CERT_FILE", "CERT_PATH", "VIRTUAL_X"],
)
def test_a_variable_of_the_application_is_not_told(name: str) -> None:
    assert notes({name: "x"}) == ""


def test_a_misspelt_label_of_daemun_hides_no_variables() -> None:
    assert notes({}, {"daemon.host": "b.test"}) == 'the label "daemon.host" is not read; did you mean "daemun.host"?'


# --- VIRTUAL_HOST_MULTIPORTS -----------------------------------------------------------------------------------

MULTIPORTS = """
www.example.org:
service.example.org:
  external_https_port: 8448
  "/":
    port: 8000
  "/secure":
    port: 9443
    proto: https
    dest: "/"
"""


def test_several_ports_override_the_other_variables() -> None:
    found = good(
        {"VIRTUAL_HOST_MULTIPORTS": MULTIPORTS, "VIRTUAL_PORT": "1", "VIRTUAL_PATH": "/x", "VIRTUAL_DEST": "/y"}
    )

    shown = [
        (one.host, one.route.path, one.port, one.scheme, one.route.action.targets[0].path)
        for one in found
        if isinstance(one.route.action, model.Proxy)
    ]
    assert shown == [
        ("www.example.org", "/", None, model.Scheme.HTTP, None),
        ("service.example.org", "/", 8000, model.Scheme.HTTP, None),
        ("service.example.org", "/secure", 9443, model.Scheme.HTTPS, "/"),
    ]
    assert dict(found[1].host_variables or ())["EXTERNAL_HTTPS_PORT"] == 8448
    assert "EXTERNAL_HTTPS_PORT" not in dict(found[0].host_variables or ())


def test_several_ports_as_json() -> None:
    found = good({"VIRTUAL_HOST_MULTIPORTS": '{"b.test": {"/": {"port": "8000", "dest": ""}}, "c.test": {}}'})

    assert [(one.host, one.port) for one in found] == [("b.test", 8000), ("c.test", None)]


def test_a_key_that_is_no_path_is_told() -> None:
    assert '"app" is not used' in notes({"VIRTUAL_HOST_MULTIPORTS": "{b.test: {app: {port: 1}}}"})


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("a.test: [", "is not YAML"),
        ("just a text", "expected a map of hosts"),
        ("a.test: [1]", "expected a map, found a list"),
        ("a.test: {/: {port: x}}", "expected a number"),
        ("a.test: {/: {port: true}}", "expected a number"),
        ("a.test: {/: {proto: ftp}}", "expected http, https"),
        ("a.test: {/: {dest: [1]}}", "expected a path"),
        ("a.test: {/: {prot: http}}", 'found "prot"'),
        ("a.test: {}\na.test: {}", "is not YAML"),
        ("? [1, 2]\n: {}", "expected the name of a host"),
        ("null: {}", "expected the name of a host, found nothing"),
        ("{yes: {}, true: {}}", "expected the name of a host, found true"),
        ("{A.test: {/: {port: 80}}, a.test: {/: {port: 81}}}", '"a.test" is the same host as "A.test"'),
        ("{a.test.: {/x: {port: 80}}, a.test: {/: {port: 81}}}", '"a.test" is the same host as "a.test."'),
        ("*.a.test: {/: {port: 80}}", 'begins with "*" belongs in quotes'),
        ("a b: {}", "is not a host name"),
        ('a.test: {"=x": {port: 80}}', "=x"),
        ('a.test: {"^~ /x/": {port: 80}}', "^~ /x/"),
        ('a.test: {"=/x": {port: 80}}', "=/x"),
        ('a.test: {"~ ^/(?R)": {port: 80}}', "regular expression"),
        ('a.test: {"~ ^/x": {port: 80}, "~^/x": {port: 81}}', "is the same path as"),
        ('a.test: {"/x/": {port: 80}, " /x/": {port: 81}}', "is the same path as"),
    ],
)
def test_bad_several_ports(text: str, cause: str) -> None:
    assert cause in fault({"VIRTUAL_HOST_MULTIPORTS": text})


def test_several_ports_may_be_many() -> None:
    """Longer than any other variable may be."""
    many = "".join(f"host-{number}.test: {{/: {{port: 80, proto: https, dest: /app/}}}}\n" for number in range(99))
    assert len(many) > nginx_proxy.MAX_VALUE_CHARACTERS

    assert len(good({"VIRTUAL_HOST_MULTIPORTS": many})) == 99


# --- labels of a path ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "method", "key"),
    [
        ("least_conn;", balance_option.Method.LEAST_CONN, None),
        ("ip_hash", balance_option.Method.IP_HASH, None),
        ("random two least_conn;", balance_option.Method.RANDOM, None),
        ("hash $remote_addr;", balance_option.Method.HASH, "$remote_addr"),
        ("hash  $request_uri consistent ;", balance_option.Method.HASH, "$request_uri"),
    ],
)
def test_balance(label: str, method: balance_option.Method, key: str | None) -> None:
    found = proxy({}, {LABEL + "loadbalance": label})

    assert balance_option.OPTION.of(found) == balance_option.Balance(method=method, key=key)


@pytest.mark.parametrize("label", ["least_conn; server 1.2.3.4;", "sticky cookie x;", "hash $a$b; }", "zone z 1m;"])
def test_another_balance_is_told_and_not_used(label: str) -> None:
    found = read({"VIRTUAL_HOST": "a.test"}, {LABEL + "loadbalance": label})

    assert found.faults or "requests go round" in "".join(found.notes)
    assert all(
        isinstance(one.route.action, model.Proxy) and not balance_option.OPTION.of(one.route.action).key
        for one in found.requests
    )


def test_kept_connections() -> None:
    assert keepalive_option.OPTION.of(proxy({})) is None
    assert keepalive_option.OPTION.of(proxy({}, {LABEL + "keepalive": "auto"})) is None
    assert keepalive_option.OPTION.of(proxy({}, {LABEL + "keepalive": "disabled"})) == 0
    assert keepalive_option.OPTION.of(proxy({}, {LABEL + "keepalive": "64"})) == 64
    assert "keepalive" in fault({}, {LABEL + "keepalive": "64; x"})


# --- HTTPS -----------------------------------------------------------------------------------------------------


def test_without_a_certificate_and_a_wish_for_one_a_host_is_served_in_clear() -> None:
    found = options({})

    assert (found.tls.mode, found.http, hsts_option.OPTION.of(found)) == (model.TlsMode.OFF, model.HttpMode.SERVE, None)


def test_clear_text_is_not_served_where_https_was_asked_for() -> None:
    settled = settle({"HTTPS_METHOD": "redirect"})

    assert (settled.options.tls.mode, settled.options.http) == (model.TlsMode.LOCAL, model.HttpMode.REDIRECT)
    assert "no certificate" in settled.notes[0]
    assert options({"ENABLE_HTTP_ON_MISSING_CERT": "false"}).http is model.HttpMode.REDIRECT


def test_without_compat_mode_daemuns_own_defaults_hold() -> None:
    found = options({}, compat=OFF)

    assert found == route_requests.SiteOptions()


@pytest.mark.parametrize(
    ("method", "mode", "http"),
    [
        ("redirect", model.TlsMode.AUTO, model.HttpMode.REDIRECT),
        ("noredirect", model.TlsMode.AUTO, model.HttpMode.SERVE),
        ("nohttp", model.TlsMode.AUTO, model.HttpMode.OFF),
        ("nohttps", model.TlsMode.OFF, model.HttpMode.SERVE),
    ],
)
@pytest.mark.parametrize("compat", [ON, OFF])
def test_the_method(method: str, mode: model.TlsMode, http: model.HttpMode, compat: sites.Compat) -> None:
    found = options({"HTTPS_METHOD": method, "LETSENCRYPT_HOST": "a.test"}, compat=compat)

    assert (found.tls.mode, found.http) == (mode, http)


def test_an_unknown_method_refuses_the_container() -> None:
    assert fault({"HTTPS_METHOD": "redirct"}).startswith("HTTPS_METHOD: expected redirect")


def test_hsts() -> None:
    https = {"LETSENCRYPT_HOST": "a.test"}
    assert hsts_option.OPTION.of(options(https)) == hsts_option.Hsts(max_age_s=31536000)
    assert hsts_option.OPTION.of(options(https, compat=OFF)) is None
    assert hsts_option.OPTION.of(options({**https, "HSTS": "off"})) is None
    assert hsts_option.OPTION.of(
        options({**https, "HSTS": "max-age=60; includeSubDomains; preload"})
    ) == hsts_option.Hsts(max_age_s=60, include_subdomains=True, preload=True)
    assert hsts_option.OPTION.of(options({**https, "HTTPS_METHOD": "noredirect", "HSTS": "max-age=60"})) is None
    assert fault({"HSTS": 'max-age=1"; add_header X 1;'}).startswith("HSTS: expected")


def test_the_policy_of_tls_is_the_hosts_own() -> None:
    found = options({"LETSENCRYPT_HOST": "a.test", "SSL_POLICY": "Mozilla-Old"}).tls.policy

    assert found is not None
    assert (found.name, found.protocols[0]) == ("Mozilla-Old", "TLSv1")
    assert options({"LETSENCRYPT_HOST": "a.test"}).tls.policy is None


def test_an_unknown_policy_is_told() -> None:
    assert "SSL_POLICY: expected" in notes({"SSL_POLICY": "Mozilla-Ancient"})


def test_hosts_of_one_certificate() -> None:
    both = {"VIRTUAL_HOST": "a.example.com,b.example.com", "LETSENCRYPT_HOST": "b.example.com,a.example.com"}
    found = [options(both, host=host).tls for host in ("a.example.com", "b.example.com")]

    assert {one.group for one in found} == {("b.example.com", "a.example.com")}
    alone = options({**both, "LETSENCRYPT_SINGLE_DOMAIN_CERTS": "true"}, host="a.example.com")
    assert alone.tls.group == ()


def test_account_of_a_certificate() -> None:
    asked = {
        "VIRTUAL_HOST": "a.example.com",
        "LETSENCRYPT_HOST": "a.example.com",
        "LETSENCRYPT_EMAIL": "me@example.com",
    }
    tls = options({**asked, "LETSENCRYPT_TEST": "true"}, host="a.example.com").tls

    staging = model.Authority(directory="https://acme-staging-v02.api.letsencrypt.org/directory")
    assert tls.ordering == model.Ordering(authority=staging, email="me@example.com")
    own = options({**asked, "ACME_CA_URI": "https://ca.example.com/dir"}, host="a.example.com").tls
    assert own.ordering.authority == model.Authority(directory="https://ca.example.com/dir")
    assert "is not an e-mail address" in fault({"ACME_EMAIL": "$(id)@x"})
    assert "is not an https URL" in fault({"ACME_CA_URI": "http://169.254.169.254/"})


def test_only_who_may_set_them_sets_ports_and_authorities() -> None:
    told = notes({"EXTERNAL_HTTP_PORT": "8080", "ACME_CA_URI": "https://ca.example.com/", "CERT_NAME": "x"}, compat=OFF)

    assert "EXTERNAL_HTTP_PORT has no effect" in told
    assert "ACME_CA_URI has no effect" in told


def test_ports_of_ones_own() -> None:
    found = options({"EXTERNAL_HTTP_PORT": "8080", "EXTERNAL_HTTPS_PORT": "8448", "LETSENCRYPT_HOST": "a.test"})

    assert (found.http_port, found.https_port) == (8080, 8448)


def test_small_things() -> None:
    assert options({"SERVER_TOKENS": "off"}).server_tokens == "off"
    assert options({}, {LABEL + "http2.enable": "false"}).http2 is False
    assert redirect_status_option.OPTION.of(options({}, {LABEL + "non-get-redirect": "308"})) == 308
    assert options({"ACME_HTTP_CHALLENGE_LOCATION": "false"}).challenge is False
    assert options({"ACME_HTTP_CHALLENGE_LOCATION": "legacy"}).challenge is False
    assert options({"ACME_HTTP_CHALLENGE_LOCATION": "legacy", "HTTPS_METHOD": "redirect"}).challenge is True
    assert "expected on, off or build" in fault({"SERVER_TOKENS": "on; x"})


def test_a_certificate_keeps_its_challenge() -> None:
    settled = settle({"ACME_HTTP_CHALLENGE_LOCATION": "false", "LETSENCRYPT_HOST": "a.test"})

    assert settled.options.challenge is True
    assert "needs the challenge" in settled.notes[0]


@pytest.mark.parametrize("compat", [ON, sites.Compat()])
@pytest.mark.parametrize("name", ["ACME_KEYSIZE", "LETSENCRYPT_KEYSIZE"])
@pytest.mark.parametrize(
    ("size", "kind"),
    [
        ("2048", model.KeyType.RSA_2048),
        ("3072", model.KeyType.RSA_3072),
        ("4096", model.KeyType.RSA_4096),
        ("ec-256", model.KeyType.ECDSA_P256),
        (" ec-384 ", model.KeyType.ECDSA_P384),
    ],
)
def test_the_kind_of_a_key(size: str, kind: model.KeyType, name: str, compat: sites.Compat) -> None:
    said = {"ACME_HOST": "a.test", name: size}

    assert settle(said, compat=compat).options.tls.ordering == model.Ordering(key_type=kind)
    assert notes(said, compat=compat) == ""


@pytest.mark.parametrize("size", ["8192", "ec-521", "4096 --hook x", "EC-256"])
def test_a_kind_of_key_that_is_not_there_is_told_and_the_gates_is_used(size: str) -> None:
    said = {"ACME_HOST": "a.test", "ACME_KEYSIZE": size}

    assert settle(said).options.tls.ordering == model.Ordering()
    expected = f'ACME_KEYSIZE: expected 2048, 3072, 4096, ec-256 or ec-384, found "{size}"'
    assert notes(said).startswith(expected)
    assert "the gate's own is used" in notes(said)
    assert "LETSENCRYPT_KEYSIZE" in notes({**said, "LETSENCRYPT_KEYSIZE": size})


def test_the_chain_that_is_preferred() -> None:
    said = {"ACME_HOST": "a.test", "ACME_PREFERRED_CHAIN": "ISRG Root X1"}

    assert settle(said).options.tls.ordering == model.Ordering(preferred_chain="ISRG Root X1")
    assert notes(said) == ""
    bad = {**said, "ACME_PREFERRED_CHAIN": "x\x1bc"}
    assert settle(bad).options.tls.ordering == model.Ordering()
    assert "ACME_PREFERRED_CHAIN" in notes(bad)


# --- what is not supported -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "ACME_CHALLENGE",
        "ACMESH_DNS_API_CONFIG",
        "ACME_RENEW_AFTER",
        "ACME_PRE_HOOK",
        "LETSENCRYPT_RESTART_CONTAINER",
    ],
)
def test_a_variable_without_effect_is_told(name: str) -> None:
    assert f"{name} has no effect" in notes({name: "$(id)"})


@pytest.mark.parametrize("label", ["http3.enable", "debug-endpoint"])
def test_a_label_without_effect_is_told(label: str) -> None:
    assert label in notes({}, {LABEL + label: "true"})
    assert notes({}, {LABEL + label: "false"}) == ""


def test_an_unknown_label_is_told() -> None:
    assert 'did you mean "keepalive"' in notes({}, {LABEL + "keep-alive": "1"})


def test_a_certificate_without_a_host_is_told() -> None:
    result = read({"LETSENCRYPT_HOST": "a.test"})

    assert result.requests == ()
    assert "no VIRTUAL_HOST" in result.notes[0]


# --- several containers ----------------------------------------------------------------------------------------


def snapshot(*found: typing.Any, compat: sites.Compat = ON) -> model.Snapshot:
    return values.snapshot(*found, dialect=nginx_proxy.make_dialect(compat))


def one(name: str, age_s: float, ip: str, **environment: str) -> typing.Any:
    return values.container(name, environment={"VIRTUAL_HOST": "a.test", **environment}, age_s=age_s, ip=ip)


def test_containers_of_one_host_complete_each_other() -> None:
    found = snapshot(
        one("web", 9, "10.0.0.2"),
        one("api", 5, "10.0.0.3", VIRTUAL_PATH="/api/", VIRTUAL_DEST="/", LETSENCRYPT_HOST="a.test"),
        one("api-2", 4, "10.0.0.4", VIRTUAL_PATH="/api/"),
    )

    (site,) = found.sites
    assert (site.tls.mode, site.http) == (model.TlsMode.AUTO, model.HttpMode.REDIRECT)
    assert values.endpoints(found, "a.test", "/api/") == ["10.0.0.3:80", "10.0.0.4:80"]
    assert values.messages(found) == []


def test_where_containers_disagree_the_oldest_decides_and_the_others_are_told() -> None:
    """Defect 1 of nginx-proxy: there it is one or the other at random."""
    old = one("old", 9, "10.0.0.2", VIRTUAL_PATH="/api/", VIRTUAL_DEST="/", HTTPS_METHOD="nohttps")
    new = one("new", 5, "10.0.0.3", VIRTUAL_PATH="/api/", VIRTUAL_DEST="/v2/", HTTPS_METHOD="nohttp")

    for found in (snapshot(old, new), snapshot(new, old)):
        assert values.endpoints(found, "a.test", "/api/") == ["10.0.0.2:80"]
        assert found.sites[0].tls.mode is model.TlsMode.OFF
        assert any('the older container "old" serves it' in text for text in values.messages(found))
        assert any("VIRTUAL_DEST" in text for text in values.messages(found, model.Severity.WARNING))


def test_a_bad_container_hurts_no_other() -> None:
    """Defects 2 and 3."""
    bad = values.container("bad", environment={"VIRTUAL_HOST": "}evil{"}, age_s=9)
    worse = values.container("worse", environment={"VIRTUAL_HOST_MULTIPORTS": "a.test: [[["}, age_s=9)
    found = snapshot(bad, worse, one("web", 5, "10.0.0.2"))

    assert [site.host for site in found.sites] == ["a.test"]
    assert len(values.messages(found)) == 2


def test_a_stopped_container_keeps_its_host() -> None:
    """Defects 6 and 7: the certificate stays, and no request goes to the dead address."""
    stopped = dataclasses.replace(one("web", 5, "10.0.0.2", LETSENCRYPT_HOST="a.test"), state="exited")
    found = snapshot(stopped)

    desired = merge.merge_snapshots([found])
    assert [spec.host for spec in merge.certificate_specs(desired)] == ["a.test"]
    assert values.endpoints(found, "a.test") == []


def test_websockets_may_be_idle_for_a_day_and_requests_wait() -> None:
    """Defects 7 and 8: nginx-proxy ends WebSockets after 60 s, and has requests hang on an address that is gone."""
    found = proxy({})

    assert (timeout_option.OPTION.of(found).idle_s, hold_option.OPTION.of(found)) == (86400.0, 30.0)


def test_no_word_reaches_nginx_or_a_shell() -> None:
    """Defect 4."""
    evil = "/; add_header X yes"
    for name in ("VIRTUAL_HOST", "VIRTUAL_PORT", "VIRTUAL_PROTO", "VIRTUAL_DEST", "HSTS", "CERT_NAME", "ACME_EMAIL"):
        assert read({"VIRTUAL_HOST": "a.test", name: evil}).requests == (), name


def test_one_certificate_for_the_sites_of_a_list() -> None:
    hosts = "a.example.com,b.example.com"
    container = values.container("web", environment={"VIRTUAL_HOST": hosts, "LETSENCRYPT_HOST": hosts})
    (spec,) = merge.certificate_specs(merge.merge_snapshots([snapshot(container)]))

    assert spec.names == ("a.example.com", "b.example.com")
    assert spec.mode is model.TlsMode.ACME


def test_a_port_that_speaks_another_protocol_is_refused() -> None:
    container = values.container("web", environment={"VIRTUAL_HOST": "a.test", "EXTERNAL_HTTP_PORT": "443"})
    desired = merge.merge_snapshots([snapshot(container)])

    assert desired.sites == ()
    assert "it wants HTTP on port 443, which HTTPS has" in desired.problems[-1].message


def test_no_expression_takes_a_reserved_host() -> None:
    container = values.container("web", environment={"VIRTUAL_HOST": r"~^.*\.test$,~^x,admin.*"})
    found = values.snapshot(container, dialect=nginx_proxy.make_dialect(ON), reserved=("admin.test",))

    assert [site.host for site in found.sites] == ["~^x"]


def test_ipv6_when_it_is_preferred() -> None:
    gate = nginx_proxy_gate.read_gate({"PREFER_IPV6_NETWORK": "true"})

    assert gate.prefers_ipv6 is True


# --- words -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("{a.test: {", "line 1, column"),
        ("a.test:\n  /: {port: 1}\n  /: {port: 2}", 'line 3, column 3: found duplicate key "/"'),
        ("a.test: [", "line 1, column"),
        ("a: b: c", "line 1, column 5: mapping values are not allowed here"),
        ("a:\n\t- b", "line 2, column 1: found character"),
    ],
)
def test_what_is_wrong_with_yaml_is_told_with_its_place(text: str, cause: str) -> None:
    """M10: and not what the parser was doing."""
    told = fault({"VIRTUAL_HOST_MULTIPORTS": text})

    assert told.startswith(f"VIRTUAL_HOST_MULTIPORTS is not YAML: {cause}")
    assert "while" not in told


@pytest.mark.parametrize(
    ("environment", "labels", "words"),
    [
        ({"VIRTUAL_PROTO": "gopher"}, {}, "variables"),
        ({"VIRTUAL_HOST": "a b"}, {}, "variables"),
        ({"VIRTUAL_PATH": "=x"}, {}, "variables"),
        ({}, {f"{LABEL}keepalive": "many"}, "labels"),
        ({}, {"daemun.host": "a b"}, "labels"),
    ],
)
def test_the_cure_is_for_what_is_wrong(environment: dict[str, str], labels: dict[str, str], words: str) -> None:
    """M10: a container without labels has none to correct."""
    made = values.container("web", labels, environment={"VIRTUAL_HOST": "a.test", **environment})
    (told,) = values.snapshot(made, dialect=nginx_proxy.make_dialect(ON)).containers

    assert told.cure == f"correct its {words}, and make it anew with them"


def test_what_nginx_proxy_would_do_is_told_where_it_would() -> None:
    """M10."""
    clear = "(nginx-proxy would serve it in clear text)"
    assert clear in settle({"HTTPS_METHOD": "redirect"}).notes[0]
    (note,) = settle({"ENABLE_HTTP_ON_MISSING_CERT": "false"}).notes
    assert clear not in note
