"""What goes on while the configuration changes under it."""

import collections
import concurrent.futures
import itertools
import pathlib
import socket
import ssl
import struct
import threading

import pytest
from h2 import connection as h2_connection
from h2 import events as h2_events

from tests.e2e import servers
from tests.support import clients
from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx

STREAMS = 50
"""At once on one connection; nginx allows 128."""
ASKED = 2000
FRAME_HEADER, GOAWAY = 9, 7


def test_apply_while_somebody_writes_the_file(daemon: Daemon) -> None:
    """Each apply ends well with one whole version; the last one wins."""
    daemon.write("sites:\n" + signpost("a.test", "v0"))
    daemon.start()
    daemon.wait_sign("a.test", "v0")
    end = threading.Event()

    def write_on() -> str:
        for number in itertools.count(1):
            daemon.write("sites:\n" + signpost("a.test", f"v{number}"))
            if end.wait(0.03):
                return f"v{number}"
        raise AssertionError

    with concurrent.futures.ThreadPoolExecutor(1) as writer:
        writing = writer.submit(write_on)
        try:
            for _ in range(4):
                daemon.cli_good("apply")
                assert (daemon.sign("a.test") or "").startswith("v")
        finally:
            end.set()
        last = writing.result()
    daemon.cli_good("apply")
    daemon.wait_sign("a.test", last)


def test_a_file_behind_links_that_are_switched(daemon: Daemon) -> None:
    """As Kubernetes mounts a ConfigMap: daemun.yaml -> ..data/daemun.yaml, and ..data -> a folder per version."""

    def version(name: str) -> pathlib.Path:
        folder = daemon.root / f"..{name}"
        folder.mkdir()
        (folder / "daemun.yaml").write_text(daemon.listen + "sites:\n" + signpost("a.test", name))
        return folder

    data = daemon.root / "..data"
    data.symlink_to(version("one").name)
    daemon.config.symlink_to("..data/daemun.yaml")
    daemon.start()
    daemon.wait_sign("a.test", "one")
    new = daemon.root / "..new"
    new.symlink_to(version("two").name)
    new.replace(data)
    daemon.wait_sign("a.test", "two")
    assert "error" in daemon.cli("add", "b.test", "ftp://x").stderr, "the file can still be edited, not by this"
    daemon.cli_good("add", "b.test", "http://127.0.0.1:9")
    assert daemon.config.is_symlink()
    assert "b.test" in (daemon.root / "..two" / "daemun.yaml").read_text()


class Browser:
    """Asks over HTTP/2, many streams at once on one connection. What the gate says it did not begin (GOAWAY) is asked
    again on a new connection, as RFC 9113 section 6.8 has it."""

    def __init__(self, gate: clients.GateAddress, host: str) -> None:
        self._gate = gate
        self._host = host
        self.connections = 0
        self.answers: collections.Counter[str] = collections.Counter()

    def ask(self, count: int) -> None:
        """So many requests, on one connection after the other until all are answered."""
        context = clients.trust(self._gate.ca)
        context.set_alpn_protocols(["h2"])
        while count:
            self.connections += 1
            with (
                socket.create_connection((clients.LOOPBACK, self._gate.https), timeout=20) as plain,
                context.wrap_socket(plain, server_hostname=self._host) as secure,
            ):
                count -= self._ask_on(secure, count)

    def _ask_on(self, secure: ssl.SSLSocket, count: int) -> int:
        """Returns: how many requests were answered."""
        h2 = h2_connection.H2Connection()
        h2.initiate_connection()
        waiting: set[int] = set()
        sent, not_begun, is_leaving, buffer = 0, 0, False, b""
        while waiting or (sent < count and not is_leaving):
            while sent < count and len(waiting) < STREAMS and not is_leaving:
                waiting.add(stream := h2.get_next_available_stream_id())
                h2.send_headers(stream, self._headers, end_stream=True)
                sent += 1
            secure.sendall(h2.data_to_send())
            received = secure.recv(65536)
            assert received, f"{len(waiting)} requests were cut off"
            frames, buffer = _split(buffer + received)
            for kind, frame in frames:
                if kind == GOAWAY:
                    last, error = struct.unpack_from(">II", frame, FRAME_HEADER)
                    assert error == 0
                    lost = {stream for stream in waiting if stream > last}
                    waiting, not_begun, is_leaving = waiting - lost, not_begun + len(lost), True
                    continue
                for event in h2.receive_data(frame):
                    self._note(event, waiting, h2)
        return sent - not_begun

    def _note(self, event: h2_events.Event, waiting: set[int], h2: h2_connection.H2Connection) -> None:
        if isinstance(event, h2_events.ResponseReceived):
            self.answers[dict(event.headers or ())[b":status"].decode()] += 1
        elif isinstance(event, h2_events.DataReceived):
            h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
        elif isinstance(event, h2_events.StreamEnded | h2_events.StreamReset):
            waiting.discard(event.stream_id or 0)
            if isinstance(event, h2_events.StreamReset):
                self.answers[f"reset: {event.error_code}"] += 1

    @property
    def _headers(self) -> list[tuple[str, str]]:
        return [(":method", "GET"), (":scheme", "https"), (":authority", self._host), (":path", "/")]


def _split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole frames (RFC 9113 section 4.1) with their types, and the rest. h2 itself reads nothing after GOAWAY."""
    frames = []
    while len(data) >= FRAME_HEADER and len(data) >= (end := FRAME_HEADER + int.from_bytes(data[:3])):
        frames.append((data[3], data[:end]))
        data = data[end:]
    return frames, data


def test_many_streams_of_http2_across_reloads(daemon: Daemon) -> None:
    """What is under way ends well, and what was not begun is answered on another connection."""
    with servers.running("html") as html:
        visited = f"sites:\n  a.test: {html.url}\n"
        daemon.write(visited + signpost("other.test", "v0"))
        daemon.start()
        daemon.wait_sign("other.test", "v0")
        browser = Browser(daemon.gate, "a.test")
        end = threading.Event()
        asked = 0

        def visit() -> None:
            nonlocal asked
            while not end.is_set():
                browser.ask(ASKED)
                asked += ASKED

        with concurrent.futures.ThreadPoolExecutor(1) as visitor:
            visiting = visitor.submit(visit)
            try:
                for number in range(1, 9):
                    daemon.write(visited + signpost("other.test", f"v{number}"))
                    daemon.wait_sign("other.test", f"v{number}")
            finally:
                end.set()
            visiting.result()
        assert browser.answers == {"200": asked}
        print(f"\n{asked} requests on {browser.connections} connections, 0 failed")


def test_names_as_people_write_them(daemon: Daemon) -> None:
    """Upper case and other scripts, in the file, in commands and from visitors."""
    daemon.write("sites:\n" + signpost("Shop.EXAMPLE.test", "shop") + signpost("'*.bücher.test'", "books"))
    daemon.start()
    daemon.wait_sign("shop.example.test", "shop")
    assert daemon.get("https://shop.example.test/", Host="SHOP.example.TEST").status_code == 302
    assert clients.handshake(daemon.gate, "SHOP.Example.test").names == {"shop.example.test"}
    assert daemon.sign("neu.xn--bcher-kva.test") == "books"
    assert "*.xn--bcher-kva.test" in daemon.cli_good("sites")
    daemon.cli_good("add", "NEU.Bücher.test", "http://127.0.0.1:9")
    daemon.cli_good("disable", "shop.Example.test")
    daemon.wait_state("neu.xn--bcher-kva.test", "unreachable")
    states = {site["host"]: site["state"] for site in daemon.status()["sites"]}
    assert states == {
        "shop.example.test": "disabled",
        "*.xn--bcher-kva.test": "live",
        "neu.xn--bcher-kva.test": "unreachable",
    }
    daemon.cli_good("rm", "neu.xn--bcher-kva.test")
    assert daemon.cli("add", "bücher..test", "http://127.0.0.1:9").returncode == 1
