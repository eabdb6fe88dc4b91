"""What nginx-proxy's own environment says of the gate: one test of each variable, as plain values."""

import dataclasses

import pytest

from daemun.core import model
from daemun.core.options import catalogue, hsts_option, logs_option, redirect_status_option
from daemun.core.rounds import merge
from daemun.core.validation import validate
from daemun.sources.docker import containers, nginx_proxy, nginx_proxy_folders, nginx_proxy_gate
from daemun.sources.docker import nginx_proxy_sites as sites
from tests.support import docker_values as values

NO_FOLDERS = nginx_proxy_folders.Folders()


def gate(**environ: str) -> nginx_proxy_gate.GateEnvironment:
    return nginx_proxy_gate.read_gate(environ)


def settings(**environ: str) -> model.Globals:
    return gate(**environ).apply(model.Globals(), NO_FOLDERS)


def snapshot(container: containers.EngineContainer, **environ: str) -> model.Snapshot:
    compat = sites.Compat(is_on=True, gate=gate(**environ))
    return values.snapshot(container, dialect=nginx_proxy.make_dialect(compat))


def site(*, https: bool = True, **environ: str) -> model.Site:
    """A host that asks for nothing but a certificate, under a gate with this environment."""
    asked = {"VIRTUAL_HOST": "a.example.com", **({"ACME_HOST": "a.example.com"} if https else {})}
    (found,) = snapshot(values.container(environment=asked), **environ).sites
    return found


def test_nginx_proxys_defaults() -> None:
    found = settings()

    assert found.listen.http == (model.Address(port=80, host="0.0.0.0"),)
    assert found.listen.https == (model.Address(port=443, host="0.0.0.0"),)
    assert (found.default.kind, found.default.status) == (model.DefaultKind.REFUSE, 503)
    assert (found.believes_clients, found.proxy_protocol, found.http2) == (True, False, True)
    assert found.tls_policy is None
    assert validate.find_global_problems(found, ()) == ()


def test_what_the_file_says_stays() -> None:
    own = model.Globals(
        listen=model.Listen(http=(model.Address(port=8080),)),
        acme=model.Acme(authorities=(model.Authority(directory="https://ca.test/dir", email="file@example.com"),)),
    )
    found = gate(HTTP_PORT="1080", DEFAULT_EMAIL="env@example.com").apply(own, NO_FOLDERS)

    assert found.listen.http == (model.Address(port=8080),)
    assert found.acme.authorities[0].email == "file@example.com"


def test_the_file_may_say_one_part_and_the_environment_another() -> None:
    (default,) = model.Acme().authorities
    private = dataclasses.replace(default, ca_file="/root.pem")
    own = model.Globals(
        acme=model.Acme(authorities=(private,)),
        options=catalogue.values(logs_option.OPTION.set(logs_option.Logs(keep=3))),
    )
    asked = gate(ACME_CA_URI="https://ca.example.com/", DEFAULT_EMAIL="me@example.com", LOG_FORMAT="$host")
    found = asked.apply(own, NO_FOLDERS)

    there = model.Authority(directory="https://ca.example.com/", email="me@example.com", ca_file="/root.pem")
    assert found.acme.authorities == (there,)
    assert logs_option.OPTION.of(found) == logs_option.Logs(keep=3, format="$host")


def test_who_names_several_authorities_names_them_all() -> None:
    both = tuple(model.Authority(directory=f"https://{name}.example.com/") for name in ("one", "two"))
    asked = gate(ACME_CA_URI="https://ca.example.com/", DEFAULT_EMAIL="me@example.com")
    found = asked.apply(model.Globals(acme=model.Acme(authorities=both)), NO_FOLDERS).acme

    assert [one.directory for one in found.authorities] == [one.directory for one in both]
    assert {one.email for one in found.authorities} == {"me@example.com"}


def test_ports_and_families() -> None:
    found = settings(HTTP_PORT="1080", HTTPS_PORT="10443", ENABLE_IPV6="true")

    assert found.listen.http == (model.Address(port=1080),)
    assert found.listen.https == (model.Address(port=10443),)


def test_one_port_cannot_be_both() -> None:
    found = gate(HTTP_PORT="443")

    assert "HTTPS_PORT: 443 is the port of HTTP, too" in found.notes[0]
    assert found.apply(model.Globals(), NO_FOLDERS).listen.https[0].port == 8443


def test_the_default_host() -> None:
    found = settings(DEFAULT_HOST="A.example.com")
    assert (found.default.kind, found.default.host) == (model.DefaultKind.SITE, "a.example.com")
    desired = merge.merge_snapshots([model.Snapshot(source="file", globals=found)])

    assert "it is not there" in desired.problems[0].message
    assert (desired.globals.default.kind, desired.globals.default.status) == (model.DefaultKind.REFUSE, 503)


def test_the_default_root() -> None:
    assert site().otherwise == model.FixedAnswer(status=404)
    assert site(DEFAULT_ROOT="418").otherwise == model.FixedAnswer(status=418)
    assert site(DEFAULT_ROOT="301 https://$host/x").otherwise == model.FixedAnswer(status=301, text="https://$host/x")
    assert site(DEFAULT_ROOT="none").otherwise == model.FixedAnswer(status=404)


@pytest.mark.parametrize("root", ["x", "99", "404; } server {", "200 $upstream_secret", "301 javascript:alert(1)"])
def test_a_bad_default_root_is_told_and_not_used(root: str) -> None:
    found = gate(DEFAULT_ROOT=root)

    assert found.defaults.otherwise == model.FixedAnswer()
    assert any(note.startswith("DEFAULT_ROOT: ") for note in found.notes)


def test_the_method() -> None:
    assert site().http is model.HttpMode.REDIRECT
    assert site(HTTPS_METHOD="noredirect").http is model.HttpMode.SERVE
    assert site(HTTPS_METHOD="nohttp").http is model.HttpMode.OFF
    assert site(HTTPS_METHOD="nohttps").tls.mode is model.TlsMode.OFF


def test_clear_text_without_a_certificate() -> None:
    assert site(https=False).tls.mode is model.TlsMode.OFF
    assert site(https=False, ENABLE_HTTP_ON_MISSING_CERT="false").tls.mode is model.TlsMode.LOCAL
    assert site(https=False, HTTPS_METHOD="redirect").tls.mode is model.TlsMode.LOCAL


def test_what_hosts_take_over() -> None:
    assert hsts_option.OPTION.of(site(HSTS="max-age=60")) == hsts_option.Hsts(max_age_s=60)
    assert hsts_option.OPTION.of(site(HSTS="off")) is None
    assert redirect_status_option.OPTION.of(site(NON_GET_REDIRECT="307")) == 307
    assert gate(ACME_HTTP_CHALLENGE_LOCATION="false").defaults.challenge is nginx_proxy_gate.ChallengeLocation.NEVER
    assert gate(TRUST_DEFAULT_CERT="false").defaults.trusts_default is False


def test_switches() -> None:
    assert settings(ENABLE_PROXY_PROTOCOL="true").proxy_protocol is True
    assert settings(ENABLE_HTTP2="false").http2 is False
    assert settings(TRUST_DOWNSTREAM_PROXY="false").believes_clients is False
    assert gate(TRUST_DOWNSTREAM_PROXY="false").notes == ()
    assert "X-Forwarded-* headers of every client" in gate().notes[0]


def test_the_policy() -> None:
    found = settings(SSL_POLICY="AWS-FS-1-2-Res-2020-10").tls_policy

    assert found is not None
    assert found.protocols == ("TLSv1.2",)
    assert settings(SSL_POLICY="Mozilla-Antique").tls_policy is None


def test_logs() -> None:
    assert logs_option.OPTION.of(settings()) == logs_option.Logs()
    assert logs_option.OPTION.of(settings(DISABLE_ACCESS_LOGS="1")).access is False
    assert logs_option.OPTION.of(settings(LOG_JSON="true")).escape == "json"
    assert (logs_option.OPTION.of(settings(LOG_JSON="true")).format or "").startswith('{"time_local":')
    own = logs_option.OPTION.of(settings(LOG_FORMAT="$host $upstream_addr", LOG_FORMAT_ESCAPE="none"))
    assert (own.format, own.escape) == ("$host $upstream_addr", "none")


def test_a_log_format_that_nginx_would_refuse_is_told_and_not_used() -> None:
    found = gate(LOG_FORMAT="$host $no_such_thing")

    assert logs_option.OPTION.of(found.apply(model.Globals(), NO_FOLDERS)).format is None
    assert any("LOG_FORMAT" in note and "no_such_thing" in note for note in found.notes)


def test_certificates() -> None:
    found = settings(DEFAULT_EMAIL="me@example.com", ACME_CA_URI="https://ca.example.com/dir").acme

    assert (found.authorities[0].email, found.directory) == ("me@example.com", "https://ca.example.com/dir")
    assert settings(DEFAULT_EMAIL="$(id)@x").acme.authorities[0].email is None


def test_the_kind_of_keys_and_the_chain() -> None:
    asked = gate(DEFAULT_KEY_SIZE="4096", ACME_PREFERRED_CHAIN="ISRG Root X1")
    own = model.Acme(key_type=model.KeyType.ECDSA_P384, preferred_chain="ISRG Root X2")

    for file, kind, chain in (
        (model.Acme(), model.KeyType.RSA_4096, "ISRG Root X1"),
        (own, own.key_type, "ISRG Root X2"),
    ):
        found = asked.apply(model.Globals(acme=file), NO_FOLDERS).acme
        assert (found.key_type, found.preferred_chain) == (kind, chain)
    other = gate(DEFAULT_KEY_SIZE="8192")
    assert "DEFAULT_KEY_SIZE: expected 2048, 3072, 4096, ec-256 or ec-384" in " ".join(other.notes)
    assert other.apply(model.Globals(), NO_FOLDERS).acme.key_type is None


@pytest.mark.parametrize(
    "name",
    ["RESOLVERS", "SHA1_UPSTREAM_NAME", "DHPARAM_BITS", "NGINX_CONTAINER_LABEL", "ZEROSSL_API_KEY", "ACME_POST_HOOK"],
)
def test_what_has_no_effect_is_told(name: str) -> None:
    assert any(note.startswith(f"{name} has no effect: ") for note in gate(**{name: "x"}).notes)


def test_what_is_not_supported_is_told() -> None:
    notes = "\n".join(gate(ENABLE_HTTP3="true", DEBUG_ENDPOINT="true").notes)

    assert "ENABLE_HTTP3 is not supported" in notes
    assert "DEBUG_ENDPOINT is not supported" in notes


@pytest.mark.parametrize(
    "name", ["HTTP_PORT", "HTTPS_METHOD", "HSTS", "ENABLE_IPV6", "NON_GET_REDIRECT", "DOCKER_CONTAINER_FILTERS"]
)
def test_a_mistake_is_told_and_the_gate_starts(name: str) -> None:
    found = gate(**{name: "}; evil"})

    assert any(note.startswith(f"{name}: ") for note in found.notes)
    assert found.changes == gate().changes


# --- filters ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("network=gate", True),
        ("network=other", False),
        ("network=other,network=gate", True),
        ("network=gate,health=healthy", False),
        ("health=healthy,health=none", True),
        ("label=tier", True),
        ("label=tier=front", True),
        ("label=tier=back", False),
        ("name=web", True),
        ("status=running", True),
        ("id=0", False),
    ],
)
def test_filters(text: str, wanted: bool) -> None:
    container = values.container("web-1", {"tier": "front"}, environment={"VIRTUAL_HOST": "a.test"})
    found = snapshot(dataclasses.replace(container, id="f" * 64), DOCKER_CONTAINER_FILTERS=text)

    assert bool(found.sites) is wanted


def test_ipv6_of_containers() -> None:
    both = values.attachment(ipv4="10.0.0.2", ipv6="fd00::2")
    container = values.container(environment={"VIRTUAL_HOST": "a.test"}, attachments=(both,))
    dialect = nginx_proxy.make_dialect(sites.Compat(is_on=True, gate=gate(PREFER_IPV6_NETWORK="true")))

    found = values.snapshot(container, dialect=dialect, prefers_ipv6=True)
    assert found.pools[0].endpoints[0].address == "fd00::2"
    assert gate(PREFER_IPV6_NETWORK="true").prefers_ipv6 is True
