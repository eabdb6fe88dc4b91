"""Where the engine is whose containers are served."""

import collections.abc
import dataclasses
import os
import pathlib

from daemun.core.options import docker_option

SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock")
NGINX_PROXYS_SOCKET = "/tmp/docker.sock"  # noqa: S108 - never trusted without a look at its owner
"""Where people mount the engine's socket for nginx-proxy."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineEndpoint:
    """Where the engine is queried.

    url: "unix:///path" or "tcp://host:port". tls: None: without TLS.
    is_found: it was not configured; its socket was there.
    """

    url: str
    tls: docker_option.DockerTls | None = None
    is_found: bool = False

    def __str__(self) -> str:
        return self.url


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
