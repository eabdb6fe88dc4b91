"""What a try of a server of https finds that refuses the handshake, or wants a certificate (A4)."""

import collections.abc
import contextlib
import pathlib
import socket
import ssl
import subprocess

import pytest

from daemun.core import model
from daemun.core.model import Trouble
from daemun.core.served import probe_targets, server_answers
from daemun.probing import server_tries
from tests.support import bad_servers, binaries, own_certificates, ports, responders, until
from tests.support.sites import upstream_tls

PAIR = own_certificates.make("shop.internal")
UNVERIFIED = model.UpstreamTls(verify=False, name="shop.internal")


async def found_of(port: int, tls: model.UpstreamTls, *, scheme: str = "https") -> server_answers.ServerFinding:
    target = model.Target(scheme=model.Scheme(scheme), host="127.0.0.1", port=port)
    route = model.Route(path="/", action=model.Proxy(targets=(target,), options=upstream_tls(tls)))
    (aim,) = probe_targets.find_aims(model.Site(host="shop.test", routes=(route,)))
    return await server_tries.ServerProbe(aim=aim, endpoint=aim.endpoint, contexts=server_tries.Contexts(None)).run()


def _is_open(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def _nginx(folder: pathlib.Path, lines: str) -> collections.abc.Iterator[int]:
    """A server of https behind the gate."""
    (folder / "chain.pem").write_bytes(PAIR.chain)
    (folder / "key.pem").write_bytes(PAIR.key)
    port = ports.free_port()
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{name}_temp_path {folder}/{name}; " for name in names)
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; {temporary}\n"
        f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/chain.pem;\n"
        f"ssl_certificate_key {folder}/key.pem; {lines} return 200 well; }} }}\n"
    )
    command = [str(binaries.nginx_path()), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            until.true(lambda: _is_open(port))
            yield port
        finally:
            process.terminate()


@pytest.mark.nginx
@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("ssl_reject_handshake on;", "unrecognized name"),
        ("ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;", "protocol"),
        ("ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;", "handshake failure"),
    ],
)
async def test_a4_a_server_of_https_that_refuses_the_handshake(tmp_path: pathlib.Path, lines: str, words: str) -> None:
    """It answers plain http, too, with "400 The plain HTTP request was sent to HTTPS port"."""
    with _nginx(tmp_path, lines) as port:
        found = await found_of(port, UNVERIFIED)
        plain = await found_of(port, UNVERIFIED, scheme="http")
    assert found.trouble is Trouble.CERTIFICATE
    assert words in str(found.cause).lower().replace("_", " ")
    assert "http://" not in str(found.cure)
    assert plain.trouble is Trouble.SPEAKS_TLS


@pytest.mark.nginx
async def test_a4_a_server_that_wants_a_certificate_of_its_clients(tmp_path: pathlib.Path) -> None:
    (tmp_path / "clients.pem").write_bytes(PAIR.root)
    with _nginx(tmp_path, f"ssl_verify_client on; ssl_client_certificate {tmp_path}/clients.pem;") as port:
        found = await found_of(port, UNVERIFIED)
    assert found.trouble is Trouble.CERTIFICATE
    assert "wants a certificate of its clients" in str(found.cause)
    assert "proxy_ssl_certificate" in str(found.cure)


async def test_a4_the_same_where_tls_itself_refuses(tmp_path: pathlib.Path) -> None:
    """TLS 1.3: the handshake is over for the client when the server looks at its certificate."""
    context = bad_servers.server_context(tmp_path, PAIR)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=PAIR.root.decode())
    with bad_servers.running(tls=context) as server:
        found = await found_of(server.port, UNVERIFIED)
    assert found.trouble is Trouble.CERTIFICATE
    assert "wants a certificate of its clients" in str(found.cause)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n<center>The plain HTTP request was sent to HTTPS port</center>",
        b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\nYou're speaking plain HTTP to an SSL-enabled server port.<br />",
        b"HTTP/1.1 400 \r\n\r\nThis combination of host and port requires TLS.\r\n",
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: https://shop.internal:8006/\r\n\r\n",
    ],
    ids=["nginx", "Go", "Apache", "Tomcat", "one that redirects"],
)
async def test_a4_a_refusal_of_plain_http_is_no_http(answer: bytes) -> None:
    """Where a handshake is cut off, only a request without TLS shows what the server is."""
    with bad_servers.cutting_handshakes(answer) as port:
        found = await found_of(port, UNVERIFIED)
    assert found.trouble is Trouble.CERTIFICATE
    assert "http://" not in str(found.cure)


async def test_a4_a_server_that_leaves_out_its_intermediate(tmp_path: pathlib.Path) -> None:
    """The file has the right root, so naming another one does not help."""
    roots = tmp_path / "roots.pem"
    roots.write_bytes(PAIR.root)
    context = bad_servers.server_context(tmp_path, PAIR._replace(intermediate=b""))
    with bad_servers.running(tls=context) as server:
        found = await found_of(server.port, model.UpstreamTls(ca_file=str(roots), name="shop.internal"))
        roots.write_bytes(PAIR.root + PAIR.intermediate)
        as_cured = await found_of(server.port, model.UpstreamTls(ca_file=str(roots), name="shop.internal"))
    assert found.trouble is Trouble.CERTIFICATE
    assert f'"Owner Intermediate CA", which it does not send and {roots} does not hold' in str(found.cause)
    assert "whole chain" in str(found.cure)
    assert as_cured.trouble is None


# --- HTTP/2 over TLS ---


def _context(folder: pathlib.Path, *alpn: str) -> ssl.SSLContext:
    context = bad_servers.server_context(folder, PAIR)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


@pytest.mark.parametrize(
    ("handler", "alpn"),
    [
        (responders.Http2Alone, ("h2",)),
        (responders.Http2, ("http/1.1", "h2")),
        (responders.Http2Alone, ()),
    ],
    ids=["alone", "both", "unchosen"],
)
async def test_a4_an_h2_server_is_well(
    tmp_path: pathlib.Path, handler: type[responders.Http2], alpn: tuple[str, ...]
) -> None:
    with responders.responder(handler, context=_context(tmp_path, *alpn)) as place:
        found = await found_of(int(place.rpartition(":")[2]), UNVERIFIED, scheme="h2")
    assert found.trouble is None


@pytest.mark.nginx
async def test_a4_an_nginx_that_speaks_both_is_well(tmp_path: pathlib.Path) -> None:
    with _nginx(tmp_path, "http2 on;") as port:
        assert (await found_of(port, UNVERIFIED, scheme="h2")).trouble is None
        assert (await found_of(port, UNVERIFIED, scheme="https")).trouble is None


@pytest.mark.nginx
async def test_a4_h2_spoken_to_an_nginx_that_speaks_http1_alone(tmp_path: pathlib.Path) -> None:
    with _nginx(tmp_path, "") as port:
        found = await found_of(port, UNVERIFIED, scheme="h2")
    assert (found.trouble, found.cure) == (Trouble.SPEAKS_HTTP, f"write https://127.0.0.1:{port}")
    assert "speaks HTTP/1.1, and the target says h2" in str(found.cause)


async def test_a4_https_spoken_to_a_server_of_http2_alone(tmp_path: pathlib.Path) -> None:
    with responders.responder(responders.Http2First, context=_context(tmp_path, "h2")) as place:
        port = int(place.rpartition(":")[2])
        found = await found_of(port, UNVERIFIED, scheme="https")
        assert (await found_of(port, UNVERIFIED, scheme="h2")).trouble is None
    assert (found.trouble, found.cure) == (
        Trouble.OTHER_PROTOCOL,
        f"write h2://127.0.0.1:{port}, or grpcs:// for gRPC",
    )


async def test_a4_certificates_of_h2_servers_are_verified(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "root.pem"
    root.write_bytes(PAIR.root)
    with responders.responder(responders.Http2Alone, context=_context(tmp_path, "h2")) as place:
        port = int(place.rpartition(":")[2])
        right = await found_of(port, model.UpstreamTls(ca_file=str(root), name="shop.internal"), scheme="h2")
        wrong = await found_of(port, model.UpstreamTls(ca_file=str(root), name="other.internal"), scheme="h2")
    assert (right.trouble, wrong.trouble) == (None, Trouble.CERTIFICATE)
