"""Limits of connections: what may be written, and what is refused, with words."""

import pytest

from daemun.core import model, render_environment
from daemun.core.options import catalogue, http3_option, tls_policy_form
from daemun.core.options.bandwidth_option import Bandwidth
from daemun.core.options.buffers_option import Buffers
from daemun.core.options.client_timeout_option import ClientTimeout
from daemun.core.options.compress_option import Compress
from daemun.core.options.trailing_slash_option import Slash
from daemun.core.validation import validate
from daemun.nginx import find_nginx
from daemun.sources import yaml_file


def read(site: str = "", route: str = "", top: str = "", to: str = "http://127.0.0.1:1") -> tuple[model.Snapshot, str]:
    text = f"{top}\nsites:\n  a.test:\n    {site}\n    routes: {{/: {{to: '{to}', {route}}}}}\n"
    snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")
    problems = list(snapshot.problems)
    if snapshot.globals is not None:
        problems += validate.find_global_problems(snapshot.globals, snapshot.sites)
    for one in snapshot.sites:
        problems += validate.find_site_problems(one)
    return snapshot, "\n".join(problem.message for problem in problems)


@pytest.mark.parametrize(
    ("name", "written", "meant"),
    [
        ("bandwidth", "1m", Bandwidth(rate=1 << 20)),
        ("bandwidth", "500k/s", Bandwidth(rate=500 << 10)),
        ("bandwidth", "off", Bandwidth(rate=0)),
        ("bandwidth", "{rate: 1m, after: 10m}", Bandwidth(rate=1 << 20, after=10 << 20)),
        ("trailing_slash", "add", Slash.ADD),
        ("client_timeout", "{send: 5m, keepalive: 0s}", ClientTimeout(send=300.0, keepalive=0.0)),
    ],
)
def test_forms_of_a_site(name: str, written: str, meant: object) -> None:
    snapshot, problems = read(site=f"{name}: {written}")
    assert (catalogue.BY_NAME[name].of(snapshot.sites[0]), problems) == (meant, "")


@pytest.mark.parametrize(
    ("name", "written", "meant"),
    [
        ("buffers", "{header: 64k}", Buffers(header=64 << 10)),
        ("buffers", "{ahead: 4m}", Buffers(ahead=4 << 20)),
        ("local_address", "127.0.0.2", "127.0.0.2"),
    ],
)
def test_forms_of_a_route(name: str, written: str, meant: object) -> None:
    snapshot, problems = read(route=f"{name}: {written}")
    assert (catalogue.BY_NAME[name].of(snapshot.sites[0].routes[0].action), problems) == (meant, "")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"site": "bandwidth: 10"}, "bandwidth.rate: 10 is not between 1k and"),
        ({"site": "bandwidth: {rate: off, after: 1m}"}, "bandwidth.after: has no meaning without a limit"),
        ({"route": "bandwidth: 1m, buffering: false"}, "does not hold beside `buffering: false`"),
        ({"route": "bandwidth: 1m", "to": "grpc://127.0.0.1:1"}, "does not hold for grpc servers"),
        ({"site": "client_timeout: {header: 5s}"}, "write `client_timeout` at the top"),
        ({"site": "client_timeout: {send: 2d}"}, "client_timeout.send: 2d is not between 1ms and 1d"),
        ({"site": "client_timeout: 5s"}, "expected a map"),
        ({"site": "max_header: 32k"}, "max_header"),
        ({"top": "max_header: 2m"}, "max_header: 2m is not between 1k and 1m"),
        ({"route": "buffers: {header: 1m}"}, "buffers.header: 1m is not between 4k and 256k"),
        ({"route": "buffers: {header: 64k, ahead: 128k}"}, "has to be more than twice the header, 128k"),
        ({"route": "local_address: eth0"}, '"eth0" is no IP address; write one that this machine has'),
        ({"route": "local_address: '::1'"}, "is IPv6, and the server 127.0.0.1 is IPv4"),
        ({"route": "local_address: 127.0.0.2", "to": "http://unix:/run/a.sock"}, "no meaning for a unix socket"),
        ({"site": "trailing_slash: always"}, "expected add, remove or keep"),
    ],
)
def test_what_is_refused(given: dict[str, str], words: str) -> None:
    assert words in read(**given)[1]


@pytest.mark.parametrize(
    ("written", "protocols", "ciphers"),
    [
        ("{min: 1.3}", ("TLSv1.3",), tls_policy_form.INTERMEDIATE.ciphers),
        ("{min: '1.2', mode: local}", ("TLSv1.2", "TLSv1.3"), tls_policy_form.INTERMEDIATE.ciphers),
        ("{min: TLSv1.3, certificate: a.pem, key: b.pem}", ("TLSv1.3",), tls_policy_form.INTERMEDIATE.ciphers),
        (
            "{ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256'}",
            ("TLSv1.2", "TLSv1.3"),
            "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256",
        ),
    ],
)
def test_versions_and_ciphers(written: str, protocols: tuple[str, ...], ciphers: str) -> None:
    snapshot, problems = read(site=f"tls: {written}")
    policy = snapshot.sites[0].tls.policy
    assert policy is not None
    assert (policy.protocols, policy.ciphers, problems) == (protocols, ciphers, "")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (
            "{min: 1.1}",
            "tls.min: expected 1.2 or 1.3, found the number 1.1; older ones are not safe any more (RFC 8996)",
        ),
        ("{min: true}", "tls.min: expected 1.2 or 1.3, found true"),
        ("{mode: off, min: 1.3}", "tls: has versions and ciphers, but tls is off"),
        ("{ciphers: [TLS_AES_128_GCM_SHA256]}", "tls.ciphers"),
        ("{ciphers: ['ALL:!x']}", "is no name of a cipher"),
        ("{ciphers: []}", "expected a list of OpenSSL's names of ciphers"),
    ],
)
def test_versions_and_ciphers_that_are_refused(written: str, words: str) -> None:
    assert words in read(site=f"tls: {written}")[1]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("10.0.0.0/8", ("10.0.0.0/8",)), ("[192.0.2.7, 'fd00::/8']", ("192.0.2.7", "fd00::/8")), ("false", ())],
)
def test_balancers(written: str, meant: tuple[str, ...]) -> None:
    snapshot, problems = read(top=f"listen: {{proxy_protocol: {written}}}")
    assert snapshot.globals is not None
    assert (snapshot.globals.listen.balancers, problems) == (meant, "")


@pytest.mark.parametrize(
    ("top", "words"),
    [
        ("listen: {proxy_protocol: true}", "write `proxy_protocol: [10.0.0.0/8]` with its own"),
        ("listen: {proxy_protocol: [0.0.0.0/0]}", "is everybody, and everybody could name any address"),
        ("listen: {proxy_protocol: [10.0.0.1/8]}", 'write "10.0.0.0/8"'),
        ("listen: {proxy_protocol: balancer}", "listen.proxy_protocol"),
        ("listen: {proxy_protocol: 10.0.0.1}\ntrusted_proxies: [10.0.0.1]", "from one of them alone"),
    ],
)
def test_balancers_that_are_refused(top: str, words: str) -> None:
    assert words in read(top=top)[1]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("{brotli: true}", Compress(brotli=True)),
        (
            "{types: [text/css], zstd: true, precompressed: true}",
            Compress(types=("text/css",), zstd=True, precompressed=True),
        ),
        ("[text/css]", Compress(types=("text/css",))),
        ("false", Compress(is_on=False)),
        ("{}", Compress()),
    ],
)
def test_compression(written: str, meant: Compress) -> None:
    snapshot, problems = read(site=f"compress: {written}")
    assert (catalogue.BY_NAME["compress"].of(snapshot.sites[0]), problems) == (meant, "")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("brotli", "write {brotli: true}"),
        ("gzip", "write true"),
        ("{br: true}", "compress"),
        ("{types: ['*/*']}", "compress"),
    ],
)
def test_compression_that_is_refused(written: str, words: str) -> None:
    assert words in read(site=f"compress: {written}")[1]


def test_what_this_nginx_was_built_without_is_a_warning() -> None:
    snapshot, _ = read(site="compress: {brotli: true, precompressed: true}")
    desired = model.Desired(globals=model.Globals(), sites=snapshot.sites)
    (brotli, files) = validate.find_unmet(desired, frozenset())
    assert brotli.severity is files.severity is model.Severity.WARNING
    assert "without compression with Brotli, so answers are compressed with gzip alone; `daemun nginx" in brotli.message
    assert "so files are compressed anew for each request" in files.message
    assert validate.find_unmet(desired, frozenset(render_environment.Feature)) == ()


def test_what_is_missing_names_the_route_of_a_list() -> None:
    entries = "[{when: {method: POST}, to: http://10.0.0.1}, {to: http://10.0.0.2, compress: {brotli: true}}]"
    snapshot = yaml_file.parse(f"sites: {{a.test: {{/: {entries}}}}}", file_name="daemun.yaml", base_dir="/etc")
    assert not snapshot.problems
    desired = model.Desired(globals=model.Globals(), sites=snapshot.sites)
    (problem,) = validate.find_unmet(desired, frozenset())
    assert problem.field == ("routes", "/", 1, "compress")


def test_what_was_built_in_or_is_loaded() -> None:
    source = frozenset({"--add-module=/src/ngx_brotli", "--add-dynamic-module=/src/zstd-nginx-module"})
    found = find_nginx.list_compression(source, ("/m/ngx_http_zstd_static_module.so",))
    kinds = render_environment.Feature
    assert found == {kinds.BROTLI, kinds.ZSTD_STATIC}


def test_http_3_is_warned_of() -> None:
    snapshot, problems = read(top="http3: true")
    assert snapshot.globals is not None
    assert "http3: makes each change that reloads nginx end connections over HTTP/3" in problems
    desired = model.Desired(globals=snapshot.globals)
    (missing,) = validate.find_unmet(desired, frozenset())
    assert "nginx was built without HTTP/3 to clients, so visitors come over HTTP/2" in missing.message
    assert "which is for TCP alone" in read(top="http3: true\nlisten: {proxy_protocol: 10.0.0.1}")[1]


def test_http_3_of_a_site() -> None:
    snapshot, problems = read(site="http3: false")
    assert problems == ""
    gate = model.Globals(options=catalogue.values(http3_option.OPTION.set(True)))
    assert not http3_option.OPTION.of(snapshot.sites[0], gate)
    assert "makes each change that reloads nginx end connections" in read(site="http3: true")[1]
    assert "is encrypted always, but tls is off" in read(site="http3: true\n    tls: off")[1]
    assert "is for the ports of the gate" in read(site="http3: true\n    listen: {https: 8443}")[1]
    assert "which is for TCP alone" in read(top="listen: {proxy_protocol: 10.0.0.1}", site="http3: true")[1]
