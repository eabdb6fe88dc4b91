"""A gate in nginx-proxy's place: from what containers say to the real nginx, without an engine.

Containers are values on loopback; everything from there on is daemun's own, down to the certificates and nginx.
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import pathlib
import ssl

import httpx

from daemun.certs import certificate_manager
from daemun.core import layout as layout_
from daemun.core import model
from daemun.core.options import catalogue, hold_option
from daemun.core.rounds import merge, outcome
from daemun.nginx import worker_account
from daemun.sources.docker import (
    containers,
    nginx_proxy,
    nginx_proxy_folders,
    nginx_proxy_gate,
    nginx_proxy_reader,
)
from daemun.sources.docker import nginx_proxy_sites as sites
from daemun.store import memory_store
from daemun.wiring import clock
from tests.support import clients, echo, rendered
from tests.support import docker_values as values

WEBSOCKET = {"Upgrade": "websocket", "Connection": "upgrade"}


@dataclasses.dataclass(frozen=True)
class CompatGate:
    """nginx before the servers that stand for containers."""

    nginx: rendered.Running
    desired: model.Desired

    def ask(
        self,
        url: str,
        *,
        method: str = "GET",
        port: int | None = None,
        headers: collections.abc.Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """port: of loopback, instead of the gate's own."""
        gate = self.nginx.clients
        if port is not None:
            gate = dataclasses.replace(gate, http=port, https=port)
        with clients.client(gate) as once:
            return once.request(method, url, headers=headers, content=content)

    def said(
        self, url: str, *, port: int | None = None, headers: collections.abc.Mapping[str, str] | None = None
    ) -> echo.Said:
        answer = self.ask(url, port=port, headers=headers)
        assert answer.status_code == 200, answer
        return echo.Said.parse(answer.content)

    def handshake(self, name: str | None) -> clients.Handshake:
        return clients.handshake(self.nginx.clients, name)

    def ask_over(self, host: str, context: ssl.SSLContext) -> httpx.Response:
        """GET / with TLS as the context has it. Raises: httpx.TransportError where it fails."""
        with httpx.Client(transport=httpx.HTTPTransport(verify=context), trust_env=False, timeout=20) as client:
            request = client.build_request(
                "GET", f"https://{host}:{self.nginx.https}/", extensions={"sni_hostname": host}
            )
            request.url = request.url.copy_with(host=clients.LOOPBACK)
            return client.send(request)

    def refusals(self) -> str:
        """What `daemun status` would tell of what nginx refused."""
        return "\n".join(str(one) for one in outcome.refusal_problems(self.desired, self.nginx.refused))

    def warnings(self) -> str:
        """What `daemun status` would tell."""
        return "\n".join(str(one) for one in self.desired.problems if one.severity is model.Severity.WARNING)


@contextlib.contextmanager
def gate(
    *found: containers.EngineContainer,
    environ: collections.abc.Mapping[str, str] | None = None,
    folders: nginx_proxy_folders.Folders | None = None,
    is_on: bool = True,
    may_fail: bool = False,
    last_good: collections.abc.Mapping[str, bytes] | None = None,
    at: rendered.At | None = None,
) -> collections.abc.Iterator[CompatGate]:
    """Containers on loopback, in compat mode with nginx-proxy's own environment. may_fail: some may be refused.

    last_good: what nginx ran before; then it may refuse hand-written nginx.
    """
    own = nginx_proxy_gate.read_gate(environ or {})
    folders = folders or nginx_proxy_folders.Folders()
    compat = sites.Compat(is_on=is_on, gate=own, folders=folders)
    snapshot = values.snapshot(*found, dialect=nginx_proxy.make_dialect(compat), prefers_ipv6=own.prefers_ipv6)
    settings = own.apply(model.Globals(), folders) if is_on else model.Globals()
    desired = merge.merge_snapshots([model.Snapshot(source="file", globals=settings), snapshot])
    errors = [str(one) for one in desired.problems if one.severity is model.Severity.ERROR]
    assert may_fail or errors == []
    literal = tuple(_with_addresses(site, desired.pools) for site in desired.sites)
    with rendered.running(*literal, settings=desired.globals, certify=_certify, last_good=last_good, at=at) as nginx:
        yield CompatGate(nginx=nginx, desired=desired)


def _certify(layout: layout_.Layout, desired: model.Desired) -> bytes:
    """As daemun itself does before nginx starts. Clients trust its CA, and the owner's certificates."""
    workers = worker_account.choose(None)
    certificates = certificate_manager.Manager(
        memory_store.MemoryStore(), layout, clock.SystemClock(), worker_gid=workers.gid if workers else None
    )
    specs = merge.certificate_specs(desired)
    problems = asyncio.run(certificates.prepare(specs))
    errors = [str(one) for one in problems if one.severity is model.Severity.ERROR]
    # A default certificate is for few of the hosts that get it, as there.
    assert [one for one in errors if "every visitor is warned" not in one] == []
    own = {spec.certificate for spec in specs if spec.certificate is not None}
    return b"".join(pathlib.Path(path).read_bytes() for path in (layout.root_certificate, *sorted(own)))


def _with_addresses(site: model.Site, pools: tuple[model.Pool, ...]) -> model.Site:
    """The endpoints of pools as literal addresses: there is no DNS responder here."""
    return dataclasses.replace(site, routes=tuple(_with_address(route, pools) for route in site.routes))


def _with_address(route: model.Route, pools: tuple[model.Pool, ...]) -> model.Route:
    assert isinstance(route.action, model.Proxy)
    (target,) = route.action.targets
    (pool,) = (pool for pool in pools if pool.name == target.pool)
    targets = tuple(
        dataclasses.replace(target, pool=None, host=one.address, port=one.port) for one in pool.endpoints
    ) or (dataclasses.replace(target, pool=None, host="127.0.0.1", port=1),)
    return dataclasses.replace(
        route,
        action=model.Proxy(
            targets=targets, options=catalogue.with_value(route.action.options, hold_option.OPTION, 0.0)
        ),
    )


def container(
    server: echo.EchoServer | int, name: str = "web", labels: dict[str, str] | None = None, /, **environment: str
) -> containers.EngineContainer:
    """server: it, or its port on 127.0.0.1."""
    port = server if isinstance(server, int) else server.port
    given = {"VIRTUAL_PORT": str(port), **environment}
    return values.container(name, labels=labels, environment=given, ip="127.0.0.1")


def aged(made: containers.EngineContainer, age_s: float) -> containers.EngineContainer:
    """The older, the sooner it was made."""
    return dataclasses.replace(made, created_at=values.NOON - datetime.timedelta(seconds=age_s))


@dataclasses.dataclass(frozen=True)
class Mounted:
    """The folders of nginx-proxy; what is elsewhere in its container is below the same root."""

    root: pathlib.Path

    def write(self, path: str, content: str | bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        target.chmod(0o644)
        target.parent.chmod(0o755)

    def certify(self, name: str, *hosts: str) -> None:
        """certs/NAME.crt and its key, for these hosts."""
        certificate, key = rendered.self_signed(*hosts)
        self.write(f"certs/{name}.crt", certificate)
        self.write(f"certs/{name}.key", key)

    def read(self) -> nginx_proxy_folders.Folders:
        return nginx_proxy_reader.NginxProxyReader(str(self.root), machine=str(self.root)).read()
