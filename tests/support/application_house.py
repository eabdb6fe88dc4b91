"""Applications that do not fit the gate before them, and the sites that lead there, for `daemun why`.

One server for most of them, which knows a scene by the first part of the path: the sites' targets have it. What the
others need of a network is made on loopback."""

import collections.abc
import contextlib
import dataclasses
import http.server
import pathlib
import socket
import socketserver
import struct
import threading
import time

from tests.support import bad_servers, own_certificates, ports

Headers = collections.abc.Mapping[str, str]
OUTSIDE = "https://spa.example"
"""A site of somebody else."""


def answer(status: str, body: bytes = b"", *lines: str, kind: str = "text/plain") -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"Content-Type: {kind}", *lines))
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{head}\r\n".encode() + body


def page(body: str, *lines: str, status: str = "200 OK") -> bytes:
    return answer(
        status, f"<html><head><title>t</title></head><body>{body}</body></html>".encode(), *lines, kind="text/html"
    )


WELL = answer("200 OK", b"well")
GUESSES: list[str] = []
"""What an application got as passwords that it refused."""


def _of_headers(scene: str, host: str, headers: Headers) -> bytes | None:
    """Applications that look at what a proxy sends."""
    is_known = host.startswith("127.")
    match scene:
        case "vhost":
            return answer("404 Not Found", b"default server") if not is_known else WELL
        case "django" if not is_known:
            words = "DisallowedHost: Invalid HTTP_HOST header. You may need to add it to ALLOWED_HOSTS."
            return page(words, status="400 Bad Request")
        case "vite" if not is_known:
            return answer("403 Forbidden", b'Blocked request. This host ("vite.test") is not allowed.')
        case "renamed" if host != "renamed.test":
            return answer("421 Misdirected Request")
        case "assistant" if "X-Forwarded-For" in headers:
            return answer("400 Bad Request", b"400: Bad Request")
        case "origin" if "Origin" in headers:
            return answer("403 Forbidden")
        case "forgets" if "sid=1" in headers.get("Cookie", ""):
            return WELL
        case "cookies" if len(headers.get("Cookie", "")) > 100:
            return answer("431 Request Header Fields Too Large")
        case "secure" if headers.get("X-Forwarded-Proto") != "https":
            return answer("403 Forbidden", b"SSL required")
        case "agent" if not headers.get("User-Agent", "").startswith("Mozilla/"):
            return answer("403 Forbidden", b"no robots")
        case "guessed":
            GUESSES.append(headers.get("Authorization", ""))
            return answer("401 Unauthorized", b"", 'WWW-Authenticate: Basic realm="app"')
        case "password":
            return answer("401 Unauthorized", b"", 'WWW-Authenticate: Basic realm="app"')
        case "keyed" if headers.get("api_key") != "k":
            return answer("401 Unauthorized", b"no key")
    return None


def _of_paths(scene: str, rest: str) -> bytes | None:
    """Applications that lead elsewhere."""
    match scene, rest:
        case "tologin", "":
            return answer("302 Found", b"", "Location: /login")
        case "tologin", "login":
            return answer("500 Internal Server Error", b"no database")
        case "oldname", _:
            return answer("301 Moved Permanently", b"", "Location: https://old-name.invalid/")
        case "otherport", _:
            return answer("302 Found", b"", "Location: https://otherport.test:3999/login")
        case "latecookie", "":
            return answer("302 Found", b"", "Location: /login")
        case "latecookie", "login":
            return page("in", "Set-Cookie: sid=1; Domain=other.test; Path=/")
        case "latemixed", "":
            return answer("302 Found", b"", "Location: /login")
        case "latemixed", "login":
            return page('<img src="http://latemixed.test/a.png">')
        case "fallback", _:
            return page('<script src="/assets/app.js"></script>')
        case "badpart", "":
            return page('<link rel="stylesheet" href="/style.css"><script src="/app.js"></script>')
        case "badpart", "app.js":
            return answer("500 Internal Server Error")
        case "badpart", "style.css":
            return answer("200 OK", b"", kind="text/css")
        case "licence", _:
            return page("<style>p{}</style><p>Your licence has expired</p>", status="403 Forbidden")
        case "forgets", "":
            return answer("302 Found", b"", "Location: /", "Set-Cookie: sid=1; Secure; Path=/")
        case "slashes", "x":
            return answer("301 Moved Permanently", b"", "Location: /x/")
        case "nosocket", _:
            return answer("426 Upgrade Required")
        case "judge", https:
            return answer("302 Found", b"", f"Location: https://signin.test:{https}/")
        case "badjudge", _:
            return answer("500 Internal Server Error")
        case "tosecure", _:
            return answer("301 Moved Permanently", b"", "Location: https://tosecure.test/")
    return None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What is sent, and how the connection ends."""

    data: bytes
    pause_s: float = 0.0
    then: bytes = b""
    is_reset: bool = False


def _of_ends(scene: str) -> _Said | None:
    """Answers that are late, or that do not end."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n4\r\npart\r\n"
    match scene:
        case "resets":
            return _Said(data=b"", is_reset=True)
        case "halfway":
            return _Said(data=chunked, is_reset=True)
        case "stalls":
            return _Said(data=chunked, pause_s=1.6, then=b"0\r\n\r\n")
        case "late":
            return _Said(data=b"", pause_s=1.6, then=WELL)
        case "twolengths":
            return _Said(data=b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")
        case "ancient":
            return _Said(data=b"<html>an answer of HTTP/0.9</html>")
        case "newlines":
            return _Said(data=b"HTTP/1.1 404 Not Found\nContent-Length: 7\n\nnothing")
    return None


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.close_connection = True
        headers = dict(self.headers)
        scene, _, rest = self.path.partition("?")[0].strip("/").partition("/")
        host = headers.get("Host", "").rpartition(":")[0] or headers.get("Host", "")
        said = _of_ends(scene)
        if said is None:
            found = self._find(scene, rest, host, headers)
            if found is None:
                return  # a WebSocket, which is over
            said = _Said(data=found)
        self.wfile.write(said.data)
        self.wfile.flush()
        time.sleep(said.pause_s)
        self.wfile.write(said.then)
        if said.is_reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _find(self, scene: str, rest: str, host: str, headers: Headers) -> bytes | None:
        if scene == "chat" and headers.get("Upgrade"):
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            with contextlib.suppress(OSError):
                self.connection.recv(1)
            return None
        if scene == "uploads" and self.command == "POST":
            return answer("413 Content Too Large", b"at most 1 MB")
        if scene == "chunks" and self.command == "POST" and "Content-Length" not in headers:
            return answer("411 Length Required")
        if scene == "api" and self.command == "OPTIONS":
            return answer("405 Method Not Allowed")
        if scene == "base":  # it believes that it is at the root of its host
            found = _BELOW.get(rest)
            return found if found is not None else answer("404 Not Found")
        return _of_headers(scene, host, headers) or _of_paths(scene, rest) or WELL

    do_GET = do_HEAD = do_POST = do_OPTIONS = _answer  # noqa: N815 - names of the standard library

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden name
        """Nobody reads it."""


_BELOW = {
    "": page('<script src="/base.js"></script>'),
    "base.js": answer("200 OK", kind="text/javascript"),
    "start": answer("302 Found", b"", "Location: /home"),
}


class ApplicationServer(http.server.ThreadingHTTPServer):
    """All applications, at one port."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that break are what the tests are about."""


class _Ipv6Server(ApplicationServer):
    address_family = socket.AF_INET6


@contextlib.contextmanager
def serving(server: socketserver.TCPServer) -> collections.abc.Iterator[int]:
    """Yields: its port."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield int(server.socket.getsockname()[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def taking_none() -> collections.abc.Iterator[int]:
    """A port at which connections are neither taken nor refused, as behind a firewall that drops them: its queue is
    full. Yields: the port."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        yield listener.getsockname()[1]


@contextlib.contextmanager
def built(root: pathlib.Path, https: int) -> collections.abc.Iterator[str]:
    """root: where files may be put. https: the gate's port. Yields: daemun.yaml below `listen`."""
    with contextlib.ExitStack() as stack:
        web = stack.enter_context(serving(ApplicationServer(("127.0.0.1", 0), _Handler)))
        ipv6 = stack.enter_context(serving(_Ipv6Server(("::1", 0), _Handler)))
        pair = own_certificates.make("*.test")
        tls = stack.enter_context(bad_servers.running(_refuse_name, tls=bad_servers.server_context(root, pair))).port
        settings = b"\0\0\0\4\0\0\0\0\0"
        http2 = stack.enter_context(bad_servers.speaking(settings))
        hangs = stack.enter_context(bad_servers.speaking(None))
        drops = stack.enter_context(taking_none())
        broken = stack.enter_context(bad_servers.running(_fail)).port
        (root / "old").mkdir()
        expired = own_certificates.make("old.test", starts=-10 * own_certificates.DAY, ends=-own_certificates.DAY)
        (root / "old" / "root.pem").write_bytes(expired.root)
        shown = bad_servers.server_context(root / "old", expired)
        at = _Ports(
            web=web,
            ipv6=ipv6,
            tls=tls,
            old=stack.enter_context(bad_servers.running(tls=shown)).port,
            http2=http2,
            hangs=hangs,
            drops=drops,
            broken=broken,
            https=https,
        )
        configuration = _configuration(at, root)
        yield f"{configuration}streams: {{mail: {{listen: {ports.free_port()}, to: 'tcp://127.0.0.1:{ports.free_port()}'}}}}\n"


def _refuse_name(_: str, headers: Headers) -> bytes:
    """A server of several names, over TLS."""
    return answer("421 Misdirected Request") if not headers.get("Host", "").startswith("127.") else WELL


def _fail(_: str, __: Headers) -> bytes:
    return answer("500 Internal Server Error", b"no database")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Ports:
    """web: of most applications. ipv6: of the same at ::1 alone. old: with an expired certificate, which is in `root`.
    https: the gate's."""

    web: int
    ipv6: int
    tls: int
    old: int
    http2: int
    hangs: int
    drops: int
    broken: int
    https: int


def _configuration(at: _Ports, root: pathlib.Path) -> str:
    web, port, https = f"http://127.0.0.1:{at.web}", at.web, at.https
    plain = "\n".join(f"  {scene}.test: {{/: '{web}/{scene}/'}}" for scene in _PLAIN)
    return f"""
sites:
{plain}
  well.test: '{web}'
  renamed.test: {{routes: {{/: {{to: '{web}/renamed/', host_header: inner.example}}}}}}
  secure.test: {{tls: off, routes: {{/: '{web}/secure/'}}}}
  vhosttls.test: {{routes: {{/: {{to: 'https://127.0.0.1:{at.tls}', verify: false}}}}}}
  below.test: {{/base/: '{web}'}}
  stripped.test: {{/app/: '{web}/base/'}}
  late.test: {{routes: {{/: {{to: '{web}/late/', timeout: {{read: 1s}}, retries: 0}}}}}}
  stalls.test: {{routes: {{/: {{to: '{web}/stalls/', timeout: {{read: 1s}}}}}}}}
  chat.test: {{routes: {{/: {{to: '{web}/chat/', timeout: {{idle: 1s}}}}}}}}
  unwell.test: {{routes: {{/: {{to: '{web}/well/', health: {{path: /vhost/healthz, host: x.test, interval: 1s}}}}}}}}
  ipv6.test: http://127.0.0.1:{at.ipv6}
  loopback.test: http://127.0.0.2:{port}
  localhost.test: http://localhost:{port}/well/
  nowhere.test: 'http://[2001:db8::1]:8000'
  http2.test: http://127.0.0.1:{at.http2}
  hangs.test: http://127.0.0.1:{at.hangs}
  drops.test: http://127.0.0.1:{at.drops}
  "*.wild.test": '{web}'
  uneven.test: {{routes: {{/: {{to: ['{web}', 'http://127.0.0.1:{at.broken}'], health: tcp}}}}}}
  slashes.test: {{trailing_slash: remove, routes: {{/: '{web}/slashes/'}}}}
  guessed.test: '{web}/guessed/'
  password.test: {{access: {{basic_auth: {{users: {{alice: "{KNOWN}"}}}}}}, routes: {{/: '{web}/password/'}}}}
  vhostcured.test: {{routes: {{/: {{to: '{web}/vhost/', host_header: '127.0.0.1:{port}'}}}}}}
  keyedcured.test: {{underscores_in_headers: true, routes: {{/: '{web}/keyed/'}}}}
  apicured.test: {{cors: {{origins: ["{OUTSIDE}"]}}, routes: {{/: '{web}/api/'}}}}
  ipv6cured.test: 'http://[::1]:{at.ipv6}'
  grpc.test: grpc://127.0.0.1:{port}
  oldcertificate.test:
    routes: {{/: {{to: 'https://127.0.0.1:{at.old}', verify: '{root}/old/root.pem', server_name: old.test}}}}
  forgets.test: {{tls: off, routes: {{/: '{web}/forgets/'}}}}
  own.test: {{listen: {{https: {ports.free_port()}}}, routes: {{/: '{web}'}}}}
  here.test: {{routes: {{/: {{redirect: 'https://there.test:{https}/'}}}}}}
  there.test: {{routes: {{/: {{redirect: 'https://here.test:{https}/'}}}}}}
  guarded.test: {{access: {{basic_auth: {{users: {{alice: "{HASH}"}}}}}}, routes: {{/: '{web}'}}}}
  judged.test: {{access: {{forward_auth: {{url: '{web}/judge/{https}', kind: traefik}}}}, routes: {{/: '{web}'}}}}
  signin.test: {{access: {{forward_auth: {{url: '{web}/judge/{https}', kind: traefik}}}}, routes: {{/: '{web}'}}}}
  badjudge.test: {{access: {{forward_auth: {{url: '{web}/badjudge/', kind: nginx}}}}, routes: {{/: '{web}'}}}}
"""


HASH = "$2b$04$abcdefghijklmnopqrstuu5s6vdNZS3aV9cH1OzFGLXeTZ2yJpXhC"
"""Of no password that is known."""

KNOWN = "$2b$04$abcdefghijklmnopqrstuuges0.lCvw6dVHoVkOV0ih0Cvqc9/S82"
"""Of "known"."""

_PLAIN = (
    *("vhost", "django", "vite", "assistant", "origin", "cookies", "keyed", "tologin", "oldname", "otherport"),
    *("latecookie", "latemixed", "fallback", "badpart", "licence", "nosocket", "resets", "halfway", "twolengths"),
    *("ancient", "newlines", "uploads", "chunks", "api", "tosecure", "agent"),
)
