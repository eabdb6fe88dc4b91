"""Servers that people run behind a gate, as they are: Apache's WebDAV, and gRPC by its own library."""

import collections.abc
import concurrent.futures
import contextlib
import os
import pathlib
import queue
import socket
import time
import urllib.parse

import grpc
import httpx
import pytest

from daemun.core import render_environment
from tests.support import binaries, ports, programs, rendered
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

_UP_WITHIN_S = 60.0

# --- WebDAV ------------------------------------------------------------------------------------------------------

_APACHE = """\
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog {folder}/error.log
ServerName localhost
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule dav_module {modules}/mod_dav.so
LoadModule dav_fs_module {modules}/mod_dav_fs.so
LoadModule headers_module {modules}/mod_headers.so
StartServers 1
ServerLimit 1
ThreadsPerChild 8
MaxRequestWorkers 8
DavLockDB {folder}/locks/db
DocumentRoot {folder}/files
Header set X-Seen-Host "expr=%{{HTTP_HOST}}"
<Directory {folder}/files>
    Dav On
    Require all granted
</Directory>
"""


@pytest.fixture(scope="module")
def webdav(tmp_path_factory: pytest.TempPathFactory) -> collections.abc.Iterator[tuple[rendered.Running, pathlib.Path]]:
    """A gate before Apache, as a whole site, and with its folder /shared/ as /cloud/ of another; and Apache's files."""
    program = binaries.program("apache2", "apache2-bin")
    folder = tmp_path_factory.mktemp("apache")
    # Apache gives up root, and the folders of pytest are closed to others.
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(parent.stat().st_mode | 0o011)
    for name in ("files/shared", "locks"):
        (folder / name).mkdir(parents=True)
    for name in ("files", "files/shared", "locks"):
        (folder / name).chmod(0o777)
    port = ports.free_port()
    (folder / "conf").write_text(_APACHE.format(folder=folder, port=port, modules=_find_modules()))
    server = f"http://127.0.0.1:{port}"
    with (
        programs.running([program, "-X", "-f", str(folder / "conf")], folder / "said"),
        rendered.running(site("dav.test", server), site("home.test", route("/cloud/", f"{server}/shared/"))) as gate,
    ):
        _wait_for_port(port, folder / "error.log")
        yield gate, folder / "files"


def _find_modules() -> str:
    folder = pathlib.Path("/usr/lib/apache2/modules")
    if not (folder / "mod_dav.so").exists():
        pytest.skip("mod_dav of Apache is not where Debian has it")
    return str(folder)


def _wait_for_port(port: int, log: pathlib.Path) -> None:
    end = time.monotonic() + _UP_WITHIN_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)


@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize(("base", "under"), [("https://dav.test/", ""), ("https://home.test/cloud/", "shared")])
def test_a_folder_of_webdav(webdav: tuple[rendered.Running, pathlib.Path], base: str, under: str, http2: bool) -> None:
    """The methods of RFC 4918, as a file manager uses them; the server speaks HTTP, its visitors HTTPS."""
    gate, files = webdav
    name = f"{'two' if http2 else 'one'} 집"
    home = f"{base}{urllib.parse.quote(name)}/"

    def send(method: str, name: str = "", body: bytes = b"", **headers: str) -> httpx.Response:
        given = {"User-Agent": "davfs2/1.6.1", "Accept-Encoding": "gzip"}
        given |= {key.replace("_", "-"): value for key, value in headers.items()}
        return gate.ask(method, f"{home}{name}", body=body, headers=given, http2=http2)

    def ask(method: str, name: str = "", body: bytes = b"", **headers: str) -> tuple[int, str]:
        answer = send(method, name, body, **headers)
        return answer.status_code, answer.text

    assert ask("MKCOL")[0] == 201
    assert ask("PUT", "a.txt", b"first")[0] == 201
    assert ask("PUT", "large", b"x" * 3_000_000)[0] == 201
    assert ask("COPY", "a.txt", Destination=f"{home}b.txt")[0] == 201
    assert ask("MOVE", "b.txt", Destination=f"{home}c%2B.txt", Overwrite="F")[0] == 201
    assert ask("GET", "c%2B.txt") == (200, "first")
    assert ask("GET", "b.txt")[0] == 404
    assert ask("MOVE", "a.txt", Destination=f"{home}c%2B.txt", Overwrite="F")[0] == 412
    status, listed = ask("PROPFIND", Depth="1")
    assert (status, "a.txt</D:href>" in listed, "c+.txt</D:href>" in listed) == (207, True, True)

    lock = b'<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype>'
    status, locked = ask("LOCK", "a.txt", lock + b"<D:write/></D:locktype></D:lockinfo>", Timeout="Second-60")
    assert status == 200, locked
    token = locked.split("opaquelocktoken:")[1].split("<")[0]
    assert ask("PUT", "a.txt", b"second")[0] == 423
    assert ask("PUT", "a.txt", b"second", If=f"(<opaquelocktoken:{token}>)")[0] == 204
    assert ask("UNLOCK", "a.txt", Lock_Token=f"<opaquelocktoken:{token}>")[0] == 204
    assert ask("GET", "a.txt") == (200, "second")

    # A strong ETag stays one, so that editors may write what nobody changed. Apache's are weak for a second.
    assert ask("PUT", "a.txt", b"long enough to compress " * 100)[0] == 204
    os.utime(files / under / name / "a.txt", (1_700_000_000, 1_700_000_000))
    tag = send("GET", "a.txt").headers["ETag"]
    assert ask("PUT", "a.txt", b"third", If_Match=tag)[0] == 204
    assert ask("PUT", "a.txt", b"fourth", If_Match=tag)[0] == 412
    assert ask("MOVE", "a.txt", Destination="https://else.test/a.txt")[0] == 502
    assert ask("DELETE")[0] == 204
    assert ask("PROPFIND", Depth="0")[0] == 404


# --- gRPC --------------------------------------------------------------------------------------------------------


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]  # it has no types
    """Messages are bytes, which need no generated code."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return {
            "/a.B/Unary": grpc.unary_unary_rpc_method_handler(_unary),
            "/a.B/Fail": grpc.unary_unary_rpc_method_handler(_fail),
            "/a.B/Chat": grpc.stream_stream_rpc_method_handler(_chat),
        }.get(handler_call_details.method)


def _unary(message: bytes, context: grpc.ServicerContext) -> bytes:
    told = dict(context.invocation_metadata())
    context.set_trailing_metadata((("x-size", str(len(message))),))
    return message[::-1] + str(told["x-mine"]).encode()


def _fail(message: bytes, context: grpc.ServicerContext) -> None:
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "한도: too many")


def _chat(messages: collections.abc.Iterator[bytes], _: grpc.ServicerContext) -> collections.abc.Iterator[bytes]:
    for message in messages:
        yield b"re: " + message


@pytest.fixture(scope="module")
def channel() -> collections.abc.Iterator[grpc.Channel]:
    if render_environment.Feature.GRPC not in rendered.nginx().features:
        pytest.skip("this nginx lacks gRPC")
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=(_Handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with rendered.running(site("rpc.test", f"grpc://127.0.0.1:{port}")) as gate:
        trusted = grpc.ssl_channel_credentials(gate.clients.ca.read_bytes())
        options = (("grpc.ssl_target_name_override", "rpc.test"), ("grpc.enable_http_proxy", 0))
        with grpc.secure_channel(f"127.0.0.1:{gate.https}", trusted, options) as opened:
            yield opened
    server.stop(None).wait()


def test_a_call_with_metadata_and_trailers(channel: grpc.Channel) -> None:
    answer, call = channel.unary_unary("/a.B/Unary").with_call(b"abc", metadata=(("x-mine", "!"),), timeout=60)
    assert (answer, dict(call.trailing_metadata())["x-size"]) == (b"cba!", "3")
    large = b"x" * 3_000_000
    assert channel.unary_unary("/a.B/Unary")(large, metadata=(("x-mine", "!"),), timeout=60) == large + b"!"


def test_a_status_and_its_words_pass(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary("/a.B/Fail")(b"", timeout=60)
    assert (raised.value.code(), raised.value.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "한도: too many")
    with pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary("/a.B/None")(b"", timeout=60)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_both_sides_of_a_stream_take_turns(channel: grpc.Channel) -> None:
    """Each message has to arrive before the next one is sent."""
    sent: list[bytes] = [b"1", b"2", b"3"]
    waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    answers = channel.stream_stream("/a.B/Chat")(iter(waiting.get, None), timeout=60)
    for message in sent:
        waiting.put(message)
        assert next(answers) == b"re: " + message
    waiting.put(None)
    assert list(answers) == []
