"""Certificates are replaced under constant handshakes: the next one shows the new one, key and chain of one generation
are always together, and nothing but handshakes ever sees either."""

import collections
import collections.abc
import concurrent.futures
import itertools
import pathlib
import re
import shutil
import socket
import tempfile
import threading

import pytest

from daemun.certs.served import bundle, live_folder
from daemun.core import model, render_environment
from daemun.core.render import render_tree
from daemun.nginx import worker_account
from daemun.sources import nginx_snippet
from tests.support import clients, rendered
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

HOSTS = tuple(f"a{number}.test" for number in range(10))
ROUNDS = 10
VISITORS = 4


class Visitors:
    """Threads that shake hands without a pause until the block ends. alerts: what went wrong."""

    def __init__(self, gate: clients.GateAddress) -> None:
        self._gate = gate
        self._stop = threading.Event()
        self._pool = concurrent.futures.ThreadPoolExecutor(VISITORS)
        self.count = 0
        self.alerts: collections.Counter[str] = collections.Counter()

    def __enter__(self) -> "Visitors":
        self._running = [self._pool.submit(self._visit) for _ in range(VISITORS)]
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for one in self._running:
            one.result()
        self._pool.shutdown()

    def _visit(self) -> None:
        for host in itertools.cycle(HOSTS):
            if self._stop.is_set():
                return
            seen = clients.handshake(self._gate, host)
            self.count += 1
            if seen.certificate is None:
                self.alerts[str(seen.alert)] += 1


class Owner:
    """Who replaces the certificates of all hosts."""

    def __init__(self, gate: rendered.Running) -> None:
        self._folder = pathlib.Path(gate.layout.live)
        chosen = worker_account.choose(None)
        self._gid = chosen.gid if chosen else None
        for host in HOSTS:
            shutil.rmtree(self._folder / host)  # no generation, but a plain folder

    def replace(self) -> dict[str, bundle.Bundle]:
        new = {host: bundle.parse(*rendered.self_signed(host)) for host in HOSTS}
        for host, one in new.items():
            live_folder.publish(self._folder, host, one, worker_gid=self._gid)
        return new


def test_a_hundred_replacements_under_constant_handshakes() -> None:
    with rendered.running(*(site(host, "http://127.0.0.1:1") for host in HOSTS), workers=2) as gate:
        owner = Owner(gate)
        owner.replace()
        with Visitors(gate.clients) as visitors:
            for _ in range(ROUNDS):
                for host, one in owner.replace().items():
                    assert clients.handshake(gate.clients, host).certificate == one.leaf
        print(f"\n{ROUNDS * len(HOSTS)} replacements, {visitors.count} handshakes")
        assert not visitors.alerts


@pytest.fixture
def pages() -> collections.abc.Iterator[pathlib.Path]:
    """A folder that nginx's workers can read, with page.txt."""
    with tempfile.TemporaryDirectory() as folder:
        found = pathlib.Path(folder)
        found.chmod(0o755)
        (found / "page.txt").write_text("the owner's page")
        yield found


@pytest.mark.parametrize("where", ["gate", "site", "route"])
def test_hand_written_nginx_may_have_its_own_root(where: str, pages: pathlib.Path) -> None:
    root, location = f"root {pages};", "location = /page.txt"
    written = {
        "gate": {"gate": root, "site": f"{location} {{ }}"},
        "site": {"site": f"{root} {location} {{ }}"},
        "route": {"route": f"{location} {{ {root} }}"},
    }[where]
    snippets = {level: nginx_snippet.parse_snippet(written.get(level, "")) for level in ("gate", "site", "route")}
    every = route("/", "http://127.0.0.1:1", snippet=snippets["route"])
    sites = [site(host, every, snippet=snippets["site"]) for host in HOSTS]
    with rendered.running(*sites, settings=model.Globals(snippet=snippets["gate"])) as gate:
        assert clients.get(gate.clients, f"https://{HOSTS[0]}/page.txt").text == "the owner's page"
        owner = Owner(gate)
        owner.replace()
        with Visitors(gate.clients) as visitors:
            for host, one in owner.replace().items():
                while clients.handshake(gate.clients, host).certificate != one.leaf:
                    pass  # nginx looks once a second; until then it goes on with the one before
        assert not visitors.alerts


PATHS = (
    "/",
    "//",
    "/.",
    "/fullchain.pem",
    "/privkey.pem",
    "/../privkey.pem",
    "/%2e%2e/privkey.pem",
    "/a/..",
    "/index.html",
)


def test_no_request_sees_what_handshakes_are_shown() -> None:
    """Nothing that is rendered serves from the root of a server; here every location does, as if by a mistake."""

    def serve_from_the_root(one: model.Site, env: render_environment.Environment) -> bytes:
        written = render_tree.render_site(one, env)
        assert b"    root $daemun_live/" in written
        return re.sub(
            rb"    location / \{.*?\n    \}\n", b"    location / { autoindex on; }\n", written, flags=re.DOTALL
        )

    with rendered.running(site("bare.test", "http://127.0.0.1:1"), replace=serve_from_the_root) as gate:
        for path in PATHS:
            answer = ask_raw(gate.clients, "bare.test", path)
            assert answer.startswith(b"HTTP/1.1 4"), path
            assert b"-----BEGIN" not in answer, path
        shown = clients.handshake(gate.clients, "bare.test")
        assert shown.names == {"bare.test"}


def ask_raw(gate: clients.GateAddress, host: str, path: str) -> bytes:
    """The whole answer over HTTPS to a path that is sent as it is."""
    with (
        socket.create_connection(("127.0.0.1", gate.https), timeout=60) as plain,
        clients.trust(gate.ca).wrap_socket(plain, server_hostname=host) as secure,
    ):
        secure.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: secure.recv(65536), b""))
