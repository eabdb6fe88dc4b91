"""What a try of a server finds, with servers of every wrong kind (A4)."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import pathlib

import pytest

from daemun.core import model
from daemun.core.model import Trouble
from daemun.core.options import alias_options, catalogue
from daemun.core.served import probe_targets, server_answers
from daemun.probing import server_tries
from tests.support import bad_servers, own_certificates, ports
from tests.support.sites import upstream_tls

DAY = own_certificates.DAY
CONTEXTS = server_tries.Contexts(None)


def aim_of(
    port: int,
    scheme: str = "http",
    *,
    host: str = "shop.test",
    target_path: str | None = None,
    path: str = "/",
    tls: model.UpstreamTls | None = None,
) -> model.Aim:
    target = model.Target(scheme=model.Scheme(scheme), host="127.0.0.1", port=port, path=target_path)
    proxy = model.Proxy(targets=(target,), options=upstream_tls(tls or model.UpstreamTls()))
    site = model.Site(host=host, routes=(model.Route(path=path, action=proxy),))
    (found,) = probe_targets.find_aims(site)
    return found


async def found_of(aim: model.Aim, contexts: server_tries.Contexts = CONTEXTS) -> server_answers.ServerFinding:
    return await server_tries.ServerProbe(aim=aim, endpoint=aim.endpoint, contexts=contexts).run()


async def trouble_of(aim: model.Aim) -> Trouble | None:
    found = await found_of(aim)
    assert (found.trouble is None) == (found.cause is None) == (found.cure is None)
    return found.trouble


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "302 Found", "401 No", "404 No", "405 No", "500 Bad"])
async def test_a4_whatever_it_answers_it_is_there(status: str) -> None:
    with bad_servers.running(lambda *_: f"HTTP/1.1 {status}\r\nLocation: /login\r\n\r\n".encode()) as server:
        assert await trouble_of(aim_of(server.port)) is None
        assert server.seen == (["HEAD /", "GET /"] if status.startswith("405") else ["HEAD /"])


async def test_a4_refused() -> None:
    found = await found_of(aim_of(ports.free_port()))
    assert (found.trouble, "nothing listens there" in str(found.cause)) == (Trouble.REFUSED, True)


@pytest.mark.parametrize(
    ("aim", "cure"),
    [
        ({"is_pool": True}, "listen on 0.0.0.0 in its container"),
        ({"named": "app"}, "listen on an address that others reach"),
        ({}, "`ss -ltn`"),
        ({"endpoint": None, "service": "x.daemun"}, "`ss -ltn`"),  # with a health check: daemun's own name leads there
        ({"endpoint": None, "socket": "/run/x.sock"}, "makes this socket"),
    ],
)
def test_a4_what_to_do_about_a_refusal(aim: dict[str, object], cure: str) -> None:
    """A container whose application listens on its own loopback is refused from everywhere else."""
    one = dataclasses.replace(aim_of(9), **aim)  # type: ignore[arg-type]
    assert cure in str(server_answers.refused(one, "x", in_container=False).cure)
    if not aim:
        assert "another container than daemun" in str(server_answers.refused(one, "x", in_container=True).cure)


async def test_a4_a_unix_socket_that_is_not_there(tmp_path: pathlib.Path) -> None:
    target = model.Target(scheme=model.Scheme.FASTCGI, socket=str(tmp_path / "php.sock"))
    route = model.Route(path="/", action=model.Proxy(targets=(target,)))
    (aim,) = probe_targets.find_aims(model.Site(host="a.test", routes=(route,)))
    assert await trouble_of(aim) is Trouble.REFUSED


@pytest.mark.parametrize("scheme", ["http", "grpc", "h2c"])
async def test_a4_http_spoken_to_an_https_server(tmp_path: pathlib.Path, scheme: str) -> None:
    context = bad_servers.server_context(tmp_path, own_certificates.make("shop.test"))
    with bad_servers.running(tls=context) as server:
        found = await found_of(aim_of(server.port, scheme))
    assert found.trouble is Trouble.SPEAKS_TLS
    assert f"write {'grpcs' if scheme == 'grpc' else 'https'}://127.0.0.1:{server.port}" == found.cure


@pytest.mark.parametrize(("alpn", "scheme"), [((), "https"), (("http/1.1",), "https"), (("http/1.1", "h2"), "h2")])
async def test_a4_h2c_spoken_to_a_server_with_tls(tmp_path: pathlib.Path, alpn: tuple[str, ...], scheme: str) -> None:
    """What is to be written is what the server would choose."""
    context = bad_servers.server_context(tmp_path, own_certificates.make("shop.test"))
    if alpn:
        context.set_alpn_protocols(alpn[::-1])
    with bad_servers.running(tls=context) as server:
        found = await found_of(aim_of(server.port, "h2c"))
    assert (found.trouble, found.cure) == (Trouble.SPEAKS_TLS, f"write {scheme}://127.0.0.1:{server.port}")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port",
        b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
    ],
    ids=["nginx", "Go"],
)
async def test_a4_400_alone_is_an_answer(answer: bytes) -> None:
    """It speaks https only if a handshake comes about."""
    with bad_servers.running(lambda *_: answer) as server:
        assert await trouble_of(aim_of(server.port)) is None


@pytest.mark.parametrize("scheme", ["https", "h2", "grpcs"])
async def test_a4_https_spoken_to_an_http_server(scheme: str) -> None:
    unverified = model.UpstreamTls(verify=False)
    with bad_servers.running() as server:
        found = await found_of(aim_of(server.port, scheme, tls=unverified))
    assert (found.trouble, found.cure) == (Trouble.SPEAKS_HTTP, f"write http://127.0.0.1:{server.port}")


async def test_a4_https_spoken_to_an_http_server_that_sends_everybody_to_https() -> None:
    head = b"HTTP/1.1 301 Moved\r\nLocation: https://shop.test/\r\nContent-Length: 0\r\n\r\n"
    with bad_servers.running(lambda *_: head) as server:
        found = await found_of(aim_of(server.port, "https", tls=model.UpstreamTls(verify=False)))
    assert found.trouble is Trouble.SPEAKS_HTTP


@pytest.mark.parametrize("scheme", ["grpc", "h2c"])
async def test_a4_http2_spoken_to_a_server_of_http1(scheme: str) -> None:
    with bad_servers.running() as server:
        assert await trouble_of(aim_of(server.port, scheme)) is Trouble.SPEAKS_HTTP


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("says", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.9\r\n", 'an SSH server ("SSH-2.0-OpenSSH_9.9")'),
        (b"-ERR wrong number of arguments for 'get' command\r\n", "a Redis server"),
        (b"220 mail.example.com ESMTP\r\n", "a mail or FTP server"),
        (b"\x4a\0\0\0\n8.0.36\0" + bytes(60), "a MySQL or MariaDB server"),
        (b"* OK [CAPABILITY IMAP4rev1] ready\r\n", "an IMAP server"),
        (b"<html>old</html>", "a page without a head (HTTP/0.9)"),
        (b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x80", "HTTP/2 without TLS"),
        (b"what is this\r\n", "answers with something else than "),
    ],
)
async def test_a4_another_protocol_is_named(says: bytes, words: str, scheme: str) -> None:
    """nginx passes such an answer on as it is (HTTP/0.9), so visitors get it, too."""
    with bad_servers.speaking(says, closes=False) as port:
        found = await found_of(aim_of(port, scheme, tls=model.UpstreamTls(verify=False)))
    assert found.trouble is Trouble.OTHER_PROTOCOL
    assert words in str(found.cause)
    if "HTTP/2" in words:
        assert f"write h2c://127.0.0.1:{port}" in str(found.cure)


async def test_a4_none() -> None:
    with bad_servers.speaking(b"") as port:
        assert await trouble_of(aim_of(port)) is Trouble.CLOSED


async def test_a4_a_server_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_answers, "ANSWER_S", 0.3)
    monkeypatch.setattr(server_answers, "CONNECT_S", 0.3)
    with bad_servers.speaking(None) as port:
        assert await trouble_of(aim_of(port)) is Trouble.SILENT


# --- certificates of servers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pair", "name", "words", "cure"),
    [
        (
            own_certificates.make("shop.internal"),
            "shop.internal",
            'does not hold: the chain that it sends ends with a certificate of "Owner Root"',
            'add the certificate of "Owner Root"',
        ),
        (
            own_certificates.make("shop.internal", ends=-DAY, starts=-9 * DAY),
            "shop.internal",
            "has expired",
            "renew it",
        ),
        (own_certificates.make("shop.internal", starts=DAY), "shop.internal", "not valid yet", "clocks"),
        (own_certificates.make("shop.internal"), "other.internal", 'not for "other.internal"', "server_name"),
    ],
    ids=["unknown CA", "expired", "not yet valid", "another name"],
)
async def test_a4_a_certificate_that_is_refused(
    tmp_path: pathlib.Path, pair: own_certificates.Pair, name: str, words: str, cure: str
) -> None:
    is_unknown = "does not hold" in words
    roots = tmp_path / "roots.pem"
    roots.write_bytes(own_certificates.make("x.test").root if is_unknown else pair.root)
    with bad_servers.running(tls=bad_servers.server_context(tmp_path, pair)) as server:
        tls = model.UpstreamTls(ca_file=str(roots), name=name)
        found = await found_of(aim_of(server.port, "https", tls=tls))
        as_cured = await found_of(aim_of(server.port, "https", tls=model.UpstreamTls(verify=False)))
    assert found.trouble is Trouble.CERTIFICATE
    assert words in str(found.cause)
    assert cure in str(found.cure)
    assert as_cured.trouble is None


async def test_a4_a_server_that_signed_its_own(tmp_path: pathlib.Path) -> None:
    pair = own_certificates.make_self_signed("shop.internal")
    roots = tmp_path / "roots.pem"
    roots.write_bytes(own_certificates.make("x.test").root)
    with bad_servers.running(tls=bad_servers.server_context(tmp_path, pair)) as server:
        found = await found_of(
            aim_of(server.port, "https", tls=model.UpstreamTls(ca_file=str(roots), name="shop.internal"))
        )
        trusted = tmp_path / "its-own.pem"
        trusted.write_bytes(pair.leaf)
        as_cured = await found_of(
            aim_of(server.port, "https", tls=model.UpstreamTls(ca_file=str(trusted), name="shop.internal"))
        )
    assert (found.trouble, "signed by itself" in str(found.cause)) == (Trouble.CERTIFICATE, True)
    assert "`verify: false`" in str(found.cure)
    assert as_cured.trouble is None


# --- redirects -------------------------------------------------------------------------------------------------

Location = collections.abc.Callable[[int], str]


@pytest.mark.parametrize(
    ("location", "is_loop"),
    [
        (lambda _: "https://shop.test/", True),
        (lambda _: "https://shop.test", True),
        (lambda _: "https://shop.test:443/", True),
        (lambda _: "/", True),
        (lambda _: "//shop.test/", True),
        (lambda port: f"http://127.0.0.1:{port}/", True),
        (lambda _: "https://shop.test/login", False),
        (lambda _: "https://shop.test/?lang=en", False),
        (lambda _: "https://www.shop.test/", False),
        (lambda _: "http://shop.test/", True),  # which the gate redirects to https
        (lambda _: "http://other.test/", False),
        (lambda _: "login", False),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a4_a_server_that_redirects_to_itself(location: Location, is_loop: bool, status: int) -> None:
    def answer(*_: object) -> bytes:
        return f"HTTP/1.1 {status} Moved\r\nLocation: {location(server.port)}\r\nContent-Length: 0\r\n\r\n".encode()

    with bad_servers.running(answer) as server:
        found = await found_of(aim_of(server.port))
    assert (found.trouble is Trouble.LOOP) == is_loop
    if is_loop:
        assert "X-Forwarded-Proto" in str(found.cure)


@pytest.mark.parametrize(("gate_port", "is_loop"), [(8443, True), (9443, False)])
async def test_a4_a_server_that_redirects_to_the_port_of_the_gate(gate_port: int, is_loop: bool) -> None:
    """It knows by which port visitors come; behind another one another program answers."""
    head = b"HTTP/1.1 302 Found\r\nLocation: https://shop.test:8443/\r\nContent-Length: 0\r\n\r\n"
    with bad_servers.running(lambda *_: head) as server:
        aim, gate = aim_of(server.port), (model.Address(port=gate_port),)
        found = await server_tries.ServerProbe(aim=aim, endpoint=aim.endpoint, contexts=CONTEXTS, gate=gate).run()
    assert (found.trouble is Trouble.LOOP) == is_loop


@pytest.mark.parametrize("host", [None, "127.0.0.1", "0.0.0.0", "127.0.0.2"])
async def test_a4_a_target_that_is_the_gate_itself(host: str | None) -> None:
    with bad_servers.running() as server:
        gate = (model.Address(host=host, port=server.port),)
        aim = aim_of(server.port)
        found = await server_tries.ServerProbe(aim=aim, endpoint=aim.endpoint, contexts=CONTEXTS, gate=gate).run()
        other = dataclasses.replace(aim, sees="other.test")  # by `host_header`: another site of the gate
        as_cured = await server_tries.ServerProbe(aim=other, endpoint=aim.endpoint, contexts=CONTEXTS, gate=gate).run()
    if host == "127.0.0.2":
        assert found.trouble is None, "another program may listen beside the gate"
    else:
        assert found.trouble is Trouble.LOOP
        assert "is daemun's own port" in str(found.cause)
    assert as_cured.trouble is None


async def test_a4_a_server_that_knows_no_head() -> None:
    def answer(*_: object) -> bytes:
        if server.seen[-1].startswith("HEAD"):
            return b"HTTP/1.0 501 Unsupported method ('HEAD')\r\n\r\n"
        return b"HTTP/1.0 301 Moved\r\nLocation: https://shop.test/\r\n\r\n" + b"x" * 100_000

    with bad_servers.running(answer) as server:
        assert await trouble_of(aim_of(server.port)) is Trouble.LOOP
        assert server.seen == ["HEAD /", "GET /"]


async def test_a4_a_loop_between_the_application_and_the_gate() -> None:
    """It sends visitors to the name with www, which the gate sends back."""
    head = b"HTTP/1.1 301 Moved\r\nLocation: https://www.shop.test/\r\n\r\n"
    with bad_servers.running(lambda *_: head) as server:
        target = model.Target(scheme=model.Scheme.HTTP, host="127.0.0.1", port=server.port)
        route = model.Route(path="/", action=model.Proxy(targets=(target,)))
        site = model.Site(host="shop.test", aliases=("www.shop.test",), routes=(route,))
        for redirects, trouble in ((False, None), (True, Trouble.LOOP)):
            (aim,) = probe_targets.find_aims(
                dataclasses.replace(site, options=catalogue.values(alias_options.REDIRECT.set(redirects)))
            )
            assert await trouble_of(aim) is trouble


async def test_a4_a_cookie_test_is_no_loop() -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /\r\nSet-Cookie: tried=1\r\n\r\n"
    with bad_servers.running(lambda *_: head) as server:
        assert await trouble_of(aim_of(server.port)) is None


async def test_a4_the_path_of_the_target_is_what_is_asked_for() -> None:
    with bad_servers.running() as server:
        assert await trouble_of(aim_of(server.port, path="/api/", target_path="/v1 ü/")) is None
        assert server.seen == ["HEAD /v1%20%C3%BC/"]


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"<!DOCTYPE html>\n<title>Bad request</title>"]
)
async def test_a4_http_where_fastcgi_is_meant(answer: bytes) -> None:
    """Nothing but a visitor's 502 told of it."""
    async with one_answer(answer) as port:
        found = await found_of(aim_of(port, "fastcgi"))
    assert found.trouble is Trouble.SPEAKS_HTTP
    assert f"http://127.0.0.1:{port}" in str(found.cure)


@pytest.mark.parametrize("answer", [b"\x01\x0a\0\0\0\x12\x06\0\x0f\x01FCGI_MPXS_CONNS0\0\0\0\0\0\0", b""])
async def test_a4_fastcgi_that_answers_or_is_silent(answer: bytes) -> None:
    async with one_answer(answer) as port:
        assert await trouble_of(aim_of(port, "fastcgi")) is None


@contextlib.asynccontextmanager
async def one_answer(answer: bytes) -> collections.abc.AsyncIterator[int]:
    """A server that waits for a line, as servers of HTTP do, and answers with these bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            await reader.readuntil(b"\r\n")
            writer.write(answer)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(("name", "told"), [("", "is a folder"), ("file", "is a file")])
async def test_a4_what_lies_there_is_no_socket(tmp_path: pathlib.Path, name: str, told: str) -> None:
    """It was "nothing listens there", or a right that was missing."""
    (tmp_path / "file").write_text("x")
    target = model.Target(scheme=model.Scheme.HTTP, socket=str(tmp_path / name))
    site = model.Site(host="a.test", routes=(model.Route(path="/", action=model.Proxy(targets=(target,))),))
    (aim,) = probe_targets.find_aims(site)
    found = await server_tries.ServerProbe(aim=aim, endpoint=None, contexts=CONTEXTS).run()
    assert told in str(found.cause)
    assert "no unix socket" in str(found.cause)
