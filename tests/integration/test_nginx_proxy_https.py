"""What clients of a gate in nginx-proxy's place see of HTTPS: methods, policies, and which certificate is served."""

import collections.abc
import dataclasses
import datetime
import ssl
import urllib.parse

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from daemun.sources.docker import containers, nginx_proxy_policies
from tests.support import clients, echo, ports, rendered
from tests.support.compat_gate import CompatGate, Mounted, container, gate
from tests.support.nginx_proxy import LABEL

pytestmark = pytest.mark.nginx

TOKEN = "/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
REFUSED = "TLSV1_UNRECOGNIZED_NAME"


@pytest.fixture(scope="module")
def secure(one: echo.EchoServer) -> collections.abc.Iterator[CompatGate]:
    def named(name: str, labels: dict[str, str] | None = None, **environment: str) -> containers.EngineContainer:
        host = f"{name}.test"
        return container(one, name, labels, VIRTUAL_HOST=host, LETSENCRYPT_HOST=host, **environment)

    with gate(
        named("plain"),
        named("path", VIRTUAL_PATH="/here/"),
        named("noredirect", HTTPS_METHOD="noredirect"),
        named("nohttp", HTTPS_METHOD="nohttp"),
        named("nohttps", HTTPS_METHOD="nohttps"),
        named("off", HSTS="off"),
        named("long", HSTS="max-age=63072000; includeSubDomains; preload"),
        named("post", {f"{LABEL}non-get-redirect": "308"}),
        named("modern", SSL_POLICY="Mozilla-Modern"),
        named("one", {f"{LABEL}http2.enable": "false"}),
        named("tokens", SERVER_TOKENS="on"),
        named("own", ACME_HTTP_CHALLENGE_LOCATION="false", HTTPS_METHOD="nohttps"),
    ) as found:
        yield found


# --- plain HTTP, and HTTPS --------------------------------------------------------------------------------------


@pytest.mark.shows(container="HTTPS_METHOD ACME_HOST LETSENCRYPT_HOST")
def test_http_leads_to_https(secure: CompatGate) -> None:
    answer = secure.ask("http://plain.test/x?y=1")

    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://plain.test:{secure.nginx.https}/x?y=1")
    assert secure.ask("http://plain.test/", method="POST").status_code == 301


@pytest.mark.shows(label="non-get-redirect")
def test_what_is_no_get_may_be_sent_as_it_is(secure: CompatGate) -> None:
    assert secure.ask("http://post.test/", method="POST").status_code == 308
    assert secure.ask("http://post.test/").status_code == 301
    assert secure.ask("http://post.test/", method="HEAD").status_code == 301


@pytest.mark.shows(gate="NON_GET_REDIRECT")
def test_what_is_no_get_may_be_sent_as_it_is_to_all_hosts(one: echo.EchoServer) -> None:
    asking = container(one, VIRTUAL_HOST="a.test", ACME_HOST="a.test")
    with gate(asking, environ={"NON_GET_REDIRECT": "307"}) as found:
        assert {found.ask("http://a.test/", method=method).status_code for method in ("POST", "PUT", "DELETE")} == {307}
        assert found.ask("http://a.test/").status_code == 301


@pytest.mark.shows(container="HTTPS_METHOD")
def test_methods(secure: CompatGate) -> None:
    assert secure.said("http://noredirect.test/").server == secure.said("https://noredirect.test/").server == "one"
    assert secure.said("https://nohttp.test/").server == "one"
    assert secure.ask("http://nohttp.test/").status_code == 503
    assert secure.said("http://nohttps.test/").server == "one"
    assert secure.handshake("nohttps.test").alert == REFUSED


@pytest.mark.shows(gate="HTTPS_METHOD")
@pytest.mark.parametrize(
    ("method", "http", "is_encrypted"),
    [("redirect", 301, True), ("noredirect", 200, True), ("nohttp", 503, True), ("nohttps", 200, False)],
)
def test_the_method_of_all_hosts(one: echo.EchoServer, method: str, http: int, is_encrypted: bool) -> None:
    asking = container(one, VIRTUAL_HOST="a.test", ACME_HOST="a.test")
    with gate(asking, environ={"HTTPS_METHOD": method}) as found:
        assert found.ask("http://a.test/").status_code == http
        assert (found.handshake("a.test").alert is None) is is_encrypted


@pytest.mark.shows(gate="ENABLE_HTTP_ON_MISSING_CERT", container="ENABLE_HTTP_ON_MISSING_CERT")
def test_a_host_without_a_certificate(one: echo.EchoServer) -> None:
    strict = {"ENABLE_HTTP_ON_MISSING_CERT": "false"}
    default = container(one, "usual", VIRTUAL_HOST="usual.test")
    with gate(default, container(one, "own", VIRTUAL_HOST="own.test", **strict)) as found:
        assert found.said("http://usual.test/").server == "one"
        assert found.ask("http://own.test/").status_code == 301
        assert found.said("https://own.test/").server == "one"
    with gate(default, environ=strict) as found:
        assert found.ask("http://usual.test/").status_code == 301


@pytest.mark.shows(container="HSTS", gate="HSTS")
def test_strict_transport_security(secure: CompatGate, one: echo.EchoServer) -> None:
    assert _strict(secure, "plain.test") == "max-age=31536000"
    assert _strict(secure, "path.test", "/there", status=404) == "max-age=31536000"
    assert _strict(secure, "long.test") == "max-age=63072000; includeSubDomains; preload"
    assert _strict(secure, "off.test") is None
    assert _strict(secure, "noredirect.test") is None
    asking = container(one, VIRTUAL_HOST="a.test", ACME_HOST="a.test")
    for said, sent in {"off": None, "max-age=60": "max-age=60"}.items():
        with gate(asking, environ={"HSTS": said}) as found:
            assert _strict(found, "a.test") == sent


def _strict(found: CompatGate, host: str, path: str = "/", *, status: int = 200) -> str | None:
    answer = found.ask(f"https://{host}{path}")
    assert answer.status_code == status
    headers = dict(answer.headers)
    return headers.get("strict-transport-security")


# --- TLS -------------------------------------------------------------------------------------------------------


def _negotiates(found: CompatGate, host: str, version: ssl.TLSVersion, ciphers: str = "ALL:@SECLEVEL=0") -> bool:
    context = ssl.create_default_context(cafile=str(found.nginx.clients.ca))
    context.set_ciphers(ciphers)
    context.minimum_version = context.maximum_version = version
    try:
        found.ask_over(host, context)
    except httpx.ConnectError:
        return False
    return True


VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


@pytest.mark.shows(container="SSL_POLICY", defect="5")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_defect_5_the_policy_of_one_host_changes_no_other(one: echo.EchoServer) -> None:
    """All policies side by side: each host speaks exactly the versions of its own."""
    known = {name: f"{name.lower()}.test" for name in nginx_proxy_policies.POLICIES}
    assert len(known) == 22
    hosts = [container(one, name, VIRTUAL_HOST=host, ACME_HOST=host, SSL_POLICY=name) for name, host in known.items()]
    with gate(*hosts, container(one, "usual", VIRTUAL_HOST="usual.test", ACME_HOST="usual.test")) as found:
        spoken = {
            host: {name for name, version in VERSIONS.items() if _negotiates(found, host, version)}
            for host in (*known.values(), "usual.test")
        }

    assert spoken.pop("usual.test") == {"TLSv1.2", "TLSv1.3"}
    assert spoken == {known[name]: set(policy.protocols) for name, policy in nginx_proxy_policies.POLICIES.items()}


@pytest.mark.shows(container="SSL_POLICY")
def test_the_ciphers_of_a_policy(one: echo.EchoServer) -> None:
    names = {"forward.test": "AWS-FS-1-2-Res-2019-08", "restricted.test": "AWS-FS-1-2-Res-2020-10"}
    hosts = [container(one, host, VIRTUAL_HOST=host, ACME_HOST=host, SSL_POLICY=name) for host, name in names.items()]
    with gate(*hosts) as found:
        cbc = {host: _negotiates(found, host, VERSIONS["TLSv1.2"], "ECDHE-ECDSA-AES128-SHA256") for host in names}

    assert cbc == {"forward.test": True, "restricted.test": False}


@pytest.mark.shows(gate="SSL_POLICY")
def test_a_policy_for_all(one: echo.EchoServer) -> None:
    asking = container(one, VIRTUAL_HOST="a.test", LETSENCRYPT_HOST="a.test")
    with gate(asking, environ={"SSL_POLICY": "AWS-TLS13-1-3-2021-06"}) as found:
        assert not _negotiates(found, "a.test", VERSIONS["TLSv1.2"])
        assert _negotiates(found, "a.test", VERSIONS["TLSv1.3"])


@pytest.mark.shows(label="http2.enable", gate="ENABLE_HTTP2")
def test_http2(secure: CompatGate, one: echo.EchoServer) -> None:
    assert secure.handshake("plain.test").protocol == "h2"
    assert secure.handshake("one.test").protocol == "http/1.1"
    asking = container(one, VIRTUAL_HOST="a.test", LETSENCRYPT_HOST="a.test")
    with gate(asking, environ={"ENABLE_HTTP2": "false"}) as found:
        assert found.handshake("a.test").protocol == "http/1.1"


@pytest.mark.shows(container="SERVER_TOKENS")
def test_what_nginx_tells_of_itself(secure: CompatGate) -> None:
    assert secure.ask("https://plain.test/").headers["Server"] == "nginx"
    assert secure.ask("https://tokens.test/").headers["Server"].startswith("nginx/1.")


# --- the challenge of ACME --------------------------------------------------------------------------------------


@pytest.mark.shows(container="ACME_HTTP_CHALLENGE_LOCATION", gate="ACME_HTTP_CHALLENGE_ACCEPT_UNKNOWN_HOST")
def test_the_challenge(secure: CompatGate) -> None:
    for host in ("plain", "nohttp", "unknown"):
        assert secure.ask(f"http://{host}.test{TOKEN}").text.endswith(f".{rendered.THUMBPRINT}")
    assert secure.said(f"http://own.test{TOKEN}").server == "one"


@pytest.mark.shows(gate="ACME_HTTP_CHALLENGE_LOCATION")
@pytest.mark.parametrize(("said", "answers"), [("true", {"clear", "secure"}), ("legacy", {"secure"}), ("false", set())])
def test_the_challenge_of_all_hosts(one: echo.EchoServer, mounted: Mounted, said: str, answers: set[str]) -> None:
    mounted.certify("secure.test", "secure.test")
    with gate(
        container(one, "clear", VIRTUAL_HOST="clear.test"),
        container(one, "secure", VIRTUAL_HOST="secure.test"),
        environ={"ACME_HTTP_CHALLENGE_LOCATION": said},
        folders=mounted.read(),
    ) as found:
        asked = {name: found.ask(f"http://{name}.test{TOKEN}") for name in ("clear", "secure")}

    assert {name for name, answer in asked.items() if answer.text.endswith(f".{rendered.THUMBPRINT}")} == answers


@pytest.mark.parametrize(
    "name",
    [
        "test-filename",
        "x",
        "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA",
        "a.b",
        "with space",
        "ünï",
        "100%25",
        "$host",
    ],
)
@pytest.mark.parametrize("is_known", [True, False])
def test_challenge_files_of_other_clients_win(
    one: echo.EchoServer, mounted: Mounted, name: str, *, is_known: bool
) -> None:
    """M3: of any name that has no path in it, on every host, and on unknown ones where that is asked for."""
    mounted.certify("secure.test", "secure.test")
    folder = "usr/share/nginx/html/.well-known/acme-challenge"
    mounted.write(f"{folder}/{urllib.parse.unquote(name)}", "theirs")
    for parent in (mounted.root / folder).relative_to(mounted.root).parents:
        (mounted.root / parent).chmod(0o755)
    hosts = [container(one, name, VIRTUAL_HOST=f"{name}.test") for name in ("clear", "secure")]
    environ = {"ACME_HTTP_CHALLENGE_ACCEPT_UNKNOWN_HOST": "true"} if is_known else {}
    with gate(*hosts, environ=environ, folders=mounted.read()) as found:
        url = f"/.well-known/acme-challenge/{name}"
        assert [found.ask(f"http://{host}.test{url}").text for host in ("clear", "secure")] == ["theirs", "theirs"]
        unknown = found.ask(f"http://unknown.test{url}")
        if is_known:
            assert unknown.text == "theirs"
        else:
            assert unknown.status_code == (200 if TOKEN.endswith(f"/{name}") else 503)
            assert "theirs" not in unknown.text


def test_without_a_file_the_challenge_is_answered_as_ever(one: echo.EchoServer, mounted: Mounted) -> None:
    """M3."""
    mounted.write("usr/share/nginx/html/secret", "secret")
    folder = "/.well-known/acme-challenge"
    with gate(container(one, VIRTUAL_HOST="a.test"), folders=mounted.read()) as found:
        assert found.ask(f"http://a.test{TOKEN}").text.endswith(f".{rendered.THUMBPRINT}")
        for path in ("/short", "/", "/%2e%2e/%2e%2e/secret", "/..%2f..%2fsecret", "/a/b", "/x%00y"):
            answer = found.ask(f"http://a.test{folder}{path}")
            assert answer.text != "secret"
        assert found.ask(f"http://a.test{folder}/short").status_code == 404


# --- which certificate ------------------------------------------------------------------------------------------


@pytest.mark.shows(container="CERT_NAME", file="certs/HOST.crt certs/HOST.key")
def test_certificates_of_the_folder(one: echo.EchoServer, mounted: Mounted) -> None:
    mounted.certify("a.test", "a.test")
    mounted.certify("wild.test", "*.wild.test")
    mounted.certify("narrow.test", "narrow.test")
    mounted.certify("shared", "named.test", "other.test")
    mounted.write("certs/keyless.test.crt", rendered.self_signed("keyless.test")[0])
    with gate(
        container(one, "a", VIRTUAL_HOST="a.test"),
        container(one, "b", VIRTUAL_HOST="b.wild.test"),
        container(one, "c", VIRTUAL_HOST="named.test", CERT_NAME="shared"),
        container(one, "d", VIRTUAL_HOST="deep.narrow.test"),
        container(one, "e", VIRTUAL_HOST="wrong.test", CERT_NAME="missing"),
        container(one, "f", VIRTUAL_HOST="keyless.test"),
        folders=mounted.read(),
    ) as found:
        assert found.handshake("a.test").names == {"a.test"}
        assert found.handshake("b.wild.test").names == {"*.wild.test"}
        assert found.handshake("named.test").names == {"named.test", "other.test"}
        assert found.said("https://b.wild.test/").server == "one"
        assert found.ask("http://a.test/").status_code == 301
        # A parent's certificate that is not for the host, and one without its key, are none.
        assert found.handshake("deep.narrow.test").alert == found.handshake("keyless.test").alert == REFUSED
        assert found.said("http://deep.narrow.test/").server == "one"
        # HTTPS was asked for, so it is not served in clear.
        assert found.ask("http://wrong.test/").status_code == 301
        assert found.said("https://wrong.test/").server == "one"
        assert 'CERT_NAME: "missing.crt"' in found.warnings()


@pytest.mark.shows(gate="TRUST_DEFAULT_CERT", label="trust-default-cert", file="certs/default.crt certs/default.key")
def test_the_default_certificate(one: echo.EchoServer, mounted: Mounted) -> None:
    mounted.certify("default", "gate.test")
    apart = {f"{LABEL}trust-default-cert": "false"}
    hosts = (
        container(one, "a", VIRTUAL_HOST="a.test"),
        container(one, "b", apart, VIRTUAL_HOST="b.test"),
    )
    with gate(*hosts, folders=mounted.read()) as found:
        assert found.handshake("a.test").names == {"gate.test"}
        assert found.ask("http://a.test/").status_code == 301
        assert found.said("http://b.test/").server == "one"
        # Names that nobody has get it, too, and 503 behind it.
        assert found.handshake("unknown.test").names == found.handshake(None).names == {"gate.test"}
        assert found.ask_over("unknown.test", _unverified()).status_code == 503
        # M6: where it is not trusted the handshake is refused, not answered with it.
        assert found.handshake("b.test").alert == "TLSV1_UNRECOGNIZED_NAME"
    with gate(*hosts, folders=mounted.read(), environ={"TRUST_DEFAULT_CERT": "false"}) as found:
        assert found.said("http://a.test/").server == "one"
        assert found.handshake("a.test").alert == found.handshake("b.test").alert == "TLSV1_UNRECOGNIZED_NAME"
        assert found.handshake("unknown.test").names == {"gate.test"}


@pytest.mark.parametrize(
    ("host", "said", "asked"),
    [
        ("a.test", {}, "a.test"),
        ("*.a.test", {}, "x.a.test"),
        ("a.*", {}, "a.test"),
        (r"~^a\d\.test$", {}, "a1.test"),
        ("a.test", {"HTTPS_METHOD": "noredirect"}, "a.test"),
        ("a.test", {"EXTERNAL_HTTP_PORT": "port"}, "a.test"),
    ],
)
def test_a_default_certificate_that_is_not_trusted(
    one: echo.EchoServer, mounted: Mounted, host: str, said: dict[str, str], asked: str
) -> None:
    """M6: on whatever kind of host."""
    mounted.certify("default", "gate.test")
    mounted.certify("own.test", "own.test")
    said = {name: str(ports.free_port()) if value == "port" else value for name, value in said.items()}
    hosts = (container(one, VIRTUAL_HOST=host, **said), container(one, "own", VIRTUAL_HOST="own.test"))
    with gate(*hosts, folders=mounted.read(), environ={"TRUST_DEFAULT_CERT": "false"}) as found:
        assert found.handshake(asked).alert == "TLSV1_UNRECOGNIZED_NAME"
        assert found.handshake("own.test").names == {"own.test"}
        assert found.said("https://own.test/").server == "one"


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_what_acme_companion_left_is_served_until_daemun_orders(one: echo.EchoServer, mounted: Mounted) -> None:
    certificate, key = rendered.self_signed("a.test")
    for name in ("a.test", "b.test"):
        mounted.write(f"certs/{name}/fullchain.pem", certificate)
        mounted.write(f"certs/{name}/key.pem", key)
        mounted.write(f"certs/{name}/.companion", "")
        for end, file in ((".crt", "fullchain.pem"), (".key", "key.pem")):
            (mounted.root / "certs" / f"{name}{end}").symlink_to(f"./{name}/{file}")
    with gate(
        container(one, "a", VIRTUAL_HOST="a.test"),
        container(one, "b", VIRTUAL_HOST="b.test", ACME_HOST="b.test"),
        folders=mounted.read(),
    ) as found:
        assert found.handshake("a.test").names == {"a.test"}
        assert found.handshake("b.test").names == {"b.test"}
        assert "one of acme-companion's, which nobody renews" in found.warnings()


# --- certificates of clients ------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Authority:
    """Of clients. revoked: a list with the number of every certificate that it names."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "clients")])
        builder = _begin(name, name, key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        return cls(certificate=builder.sign(key, hashes.SHA256()), key=key)

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, name: str) -> tuple[x509.Certificate, bytes]:
        """A client's certificate, and both it and its key as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        certificate = _begin(subject, self.certificate.subject, key.public_key()).sign(self.key, hashes.SHA256())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return certificate, certificate.public_bytes(serialization.Encoding.PEM) + pem

    def revoke(self, *certificates: x509.Certificate) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateRevocationListBuilder(
            self.certificate.subject, now - datetime.timedelta(days=1), now + datetime.timedelta(days=1)
        )
        for one in certificates:
            entry = x509.RevokedCertificateBuilder(one.serial_number, now - datetime.timedelta(hours=1)).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _begin(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return x509.CertificateBuilder(
        issuer, subject, key, x509.random_serial_number(), now - datetime.timedelta(1), now + datetime.timedelta(2)
    )


def _with_certificate(found: CompatGate, mounted: Mounted, host: str, pem: bytes) -> int:
    """The status that a client with this certificate gets."""
    mounted.write("client.pem", pem)
    context = clients.trust(found.nginx.clients.ca)
    context.load_cert_chain(mounted.root / "client.pem")
    return found.ask_over(host, context).status_code


@pytest.mark.shows(label="ssl_verify_client", file="certs/HOST.ca.crt certs/HOST.crl.pem certs/ca.crt certs/ca.crl.pem")
def test_certificates_of_clients(one: echo.EchoServer, mounted: Mounted) -> None:
    general, own = Authority.make(), Authority.make()
    _, known = general.issue("known")
    revoked_by_all, revoked = general.issue("revoked")
    _, hosts_known = own.issue("known")
    revoked_by_host, hosts_revoked = own.issue("revoked")
    mounted.write("certs/ca.crt", general.pem())
    mounted.write("certs/ca.crl.pem", general.revoke(revoked_by_all))
    mounted.write("certs/own.test.ca.crt", own.pem())
    mounted.write("certs/own.test.crl.pem", own.revoke(revoked_by_host))
    mounted.write("certs/bad.test.ca.crt", "no certificate")

    def asking(name: str, verify: str | None = None) -> containers.EngineContainer:
        labels = {} if verify is None else {f"{LABEL}ssl_verify_client": verify}
        return container(one, name, labels, VIRTUAL_HOST=f"{name}.test", LETSENCRYPT_HOST=f"{name}.test")

    with gate(
        asking("usual"),
        asking("on", "on"),
        asking("optional", "optional"),
        asking("off", "off"),
        asking("own"),
        asking("bad"),
        folders=mounted.read(),
    ) as found:
        without = {name: found.ask(f"https://{name}.test/").status_code for name in ("usual", "on", "optional", "off")}
        assert without == {"usual": 400, "on": 400, "optional": 200, "off": 200}
        assert found.ask("https://bad.test/").status_code == 503
        assert _with_certificate(found, mounted, "usual.test", known) == 200
        assert _with_certificate(found, mounted, "usual.test", revoked) == 400
        assert _with_certificate(found, mounted, "usual.test", hosts_known) == 400
        assert _with_certificate(found, mounted, "own.test", hosts_known) == 200
        assert _with_certificate(found, mounted, "own.test", hosts_revoked) == 400
        assert _with_certificate(found, mounted, "own.test", known) == 400
