"""What may answer at port 80 of a name instead of the gate. Each is served on an address of the test's own network."""

import collections.abc
import contextlib
import http.server
import socket
import socketserver
import typing

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from tests.support import serving


class Web(http.server.BaseHTTPRequestHandler):
    """Another web server. By the first label of the name: "moved" and "loop" redirect, "around" answers rightly after a
    redirect, "account" answers for another account; others get 404. thumbprint: of the right account."""

    server_version = "Apache/2.4 (\x07Unix)"
    sys_version = ""
    thumbprint = ""

    def do_GET(self) -> None:
        host = self.headers["Host"]
        token = self.path.rpartition("/")[2]
        match host.partition(".")[0]:
            case "moved":
                self._redirect("https://elsewhere.test/x?secret=1")
            case "loop":
                self._redirect(f"http://{host}{self.path}")
            case "nonsense":
                self._redirect("http://[")
            case "around" if not self.path.startswith("/there/"):
                self._redirect(f"/there/{token}")
            case "around":
                self._answer(200, f"{token}.{self.thumbprint}\n")
            case "account":
                self._answer(200, f"{token}.someone-else")
            case "parked":
                self._answer(200, "<h1>Buy this domain</h1>" * 1000)
            case _:
                self._answer(404, "nothing here")

    def do_HEAD(self) -> None:
        self.send_response(405)
        self.end_headers()

    def _redirect(self, to: str) -> None:
        self.send_response(302)
        self.send_header("Location", to)
        self.end_headers()

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


class Garbage(socketserver.StreamRequestHandler):
    """Speaks no HTTP."""

    def handle(self) -> None:
        self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")


class HalfResolver(socketserver.BaseRequestHandler):
    """A resolver before another one (`behind`) that fails for AAAA records."""

    behind: tuple[str, int] = ("127.0.0.1", 53)

    def handle(self) -> None:
        data, reply = typing.cast("tuple[bytes, socket.socket]", self.request)
        query = dns.message.from_wire(data)
        if query.question[0].rdtype == dns.rdatatype.AAAA:
            answer = dns.message.make_response(query)
            answer.set_rcode(dns.rcode.SERVFAIL)
        else:
            answer = dns.query.udp(query, self.behind[0], port=self.behind[1], timeout=30)
        reply.sendto(answer.to_wire(), self.client_address)


@contextlib.contextmanager
def web(address: str, thumbprint: str) -> collections.abc.Iterator[None]:
    """At port 80."""
    handler = type("Handler", (Web,), {"thumbprint": thumbprint})
    with serving.in_thread(http.server.ThreadingHTTPServer((address, 80), handler)):
        yield


@contextlib.contextmanager
def garbage(address: str) -> collections.abc.Iterator[None]:
    """At port 80."""
    with serving.in_thread(socketserver.ThreadingTCPServer((address, 80), Garbage)):
        yield


@contextlib.contextmanager
def half_resolver(address: str) -> collections.abc.Iterator[str]:
    """At port 53. Yields it, as `acme.resolvers` names one."""
    with serving.in_thread(socketserver.ThreadingUDPServer((address, 53), HalfResolver)):
        yield address
