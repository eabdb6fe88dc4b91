"""Where the engines are whose containers are served."""

import collections.abc
import dataclasses
import os
import pathlib
import shlex

from daemun.core.options import docker_option
from daemun.core.texts import engine_urls, words
from daemun.sources.docker import containers

SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock")
NGINX_PROXYS_SOCKET = "/tmp/docker.sock"  # noqa: S108 - never trusted without a look at its owner
"""Where people mount the engine's socket for nginx-proxy."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineEndpoint:
    """Where the engine is queried.

    url: "unix:///path", "tcp://host:port" or "ssh://user@host". tls: None: without TLS.
    is_found: it was not configured; its socket was there.
    name: among several engines; "": it is the only one. machine: the address or the name of another machine, where its
    containers publish their ports; None: their own addresses are reached from here.
    networks: of its networks, those whose addresses are reached all the same.
    swarm: whether services of Docker Swarm are wanted; None: where it is one of a swarm's managers.
    """

    url: str
    tls: docker_option.DockerTls | None = None
    is_found: bool = False
    name: str = ""
    machine: str | None = None
    networks: tuple[str, ...] = ()
    swarm: bool | None = None

    def __str__(self) -> str:
        """What an error may name."""
        try:
            if self.url.startswith("ssh://"):
                return str(engine_urls.parse_ssh(self.url))
            return words.without_credentials(self.url)
        except ValueError:
            return "ssh://..."

    @property
    def shown(self) -> str:
        """For messages: "the engine nas at ssh://nas"."""
        return f"the engine {self.name} at {self}" if self.name else f"the engine at {self}"

    @property
    def place(self) -> str:
        """As `Origin.place`."""
        return f"engine {self.name} ({self})" if self.name else str(self)

    @property
    def mark(self) -> containers.EngineMark:
        """What its containers bear."""
        is_plain = not self.name and not self.url.startswith("ssh://")
        return containers.EngineMark(name=self.name, command="docker" if is_plain else self.command)

    @property
    def command(self) -> str:
        """How a person runs `docker` with it."""
        if self.url.startswith("ssh://"):
            try:
                ssh = engine_urls.parse_ssh(self.url)
            except ValueError:  # whoever connects to it reports that
                return "docker"
            socket = f" --host unix://{ssh.socket}" if ssh.socket is not None else ""
            return f"ssh {engine_urls.name_machine(ssh)} docker{socket}"
        if self.url.removeprefix("unix://") in SOCKETS[:2]:
            return "docker"
        words = ["docker", "--host", str(self)]
        if self.tls is not None:
            words += ["--tlsverify", "--tlscacert", self.tls.ca, "--tlscert", self.tls.certificate]
            words += ["--tlskey", self.tls.key]
        return shlex.join(words)


def find_endpoints(
    docker: docker_option.Docker, environ: collections.abc.Mapping[str, str], *, like_nginx_proxy: bool
) -> tuple[EngineEndpoint, ...]:
    """The engines to query; none when there is none, or none is to be queried. Queries nothing itself."""
    if not docker.is_on:
        return ()
    if docker.engines:
        engines = [docker.engines[at] for at in engine_urls.find_once(one.endpoint for one in docker.engines)]
        return tuple(
            EngineEndpoint(
                url=one.endpoint,
                tls=one.tls,
                name="" if len(engines) == 1 else one.name,
                machine=one.address or _find_machine(one.endpoint),
                networks=one.networks,
                swarm=docker.swarm,
            )
            for one in engines
        )
    found = find_endpoint(environ, like_nginx_proxy=like_nginx_proxy) if docker.endpoint is None else None
    if docker.endpoint is not None:
        found = EngineEndpoint(url=docker.endpoint, tls=docker.tls)
    return () if found is None else (complete(found, docker),)


def complete(endpoint: EngineEndpoint, docker: docker_option.Docker) -> EngineEndpoint:
    """The only engine, with how its containers are reached. One of tcp:// may be this machine's, behind a proxy of its
    socket, where no address is set."""
    machine = docker.address or (_find_machine(endpoint.url) if endpoint.url.startswith("ssh://") else None)
    return dataclasses.replace(endpoint, machine=machine, networks=docker.networks, swarm=docker.swarm)


def _find_machine(url: str) -> str | None:
    """None: it is this one. Also for a URL that is refused when it is connected to."""
    try:
        host = engine_urls.find_host(url)
    except ValueError:
        return None
    return None if host is None or engine_urls.is_of_this_machine(host) else host


def find_endpoint(
    environ: collections.abc.Mapping[str, str], *, like_nginx_proxy: bool = False
) -> EngineEndpoint | None:
    """The engine that DOCKER_HOST names, else the first socket there is; None when there is none.

    like_nginx_proxy: it may also be where nginx-proxy has it.
    Source: docs.docker.com/reference/cli/docker/#environment-variables (any text in DOCKER_TLS_VERIFY switches it on).
    """
    url = environ.get("DOCKER_HOST")
    if url:
        folder = pathlib.Path(environ.get("DOCKER_CERT_PATH") or "~/.docker").expanduser()
        return EngineEndpoint(url=url, tls=_tls_files(folder) if environ.get("DOCKER_TLS_VERIFY") else None)
    found = next((path for path in SOCKETS if pathlib.Path(path).is_socket()), None)
    if found is None and like_nginx_proxy and _is_trusted_socket(pathlib.Path(NGINX_PROXYS_SOCKET)):
        found = NGINX_PROXYS_SOCKET
    return EngineEndpoint(url=f"unix://{found}", is_found=True) if found else None


def find_again(urls: collections.abc.Iterable[str], *, like_nginx_proxy: bool = False) -> EngineEndpoint | None:
    """Of engines that were seen earlier: the first that `find_endpoint` would find if its socket were there. What was
    named, in the file or in DOCKER_HOST, and is not any more is not among them."""
    places = {f"unix://{path}" for path in SOCKETS}
    path = pathlib.Path(NGINX_PROXYS_SOCKET)
    if like_nginx_proxy and (not os.path.lexists(path) or _is_trusted_socket(path)):
        places.add(f"unix://{path}")
    found = next((url for url in urls if url in places), None)
    return None if found is None else EngineEndpoint(url=found, is_found=True)


def _is_trusted_socket(path: pathlib.Path) -> bool:
    """In a folder that every account can write to, only a socket of root, or of daemun's own account, is the
    engine's."""
    try:
        return path.is_socket() and path.lstat().st_uid in {0, os.geteuid()}
    except OSError:
        return False


def _tls_files(folder: pathlib.Path) -> docker_option.DockerTls:
    return docker_option.DockerTls(
        ca=str(folder / "ca.pem"), certificate=str(folder / "cert.pem"), key=str(folder / "key.pem")
    )
