"""What the machine offers that an nginx configuration depends on."""

import functools
import os
import pathlib
import resource
import socket

CA_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine without ca-certificates, macOS
)


def find_ca_bundle() -> str | None:
    """The system's trusted roots as one PEM file, for https targets; None: there are none."""
    return next((path for path in CA_BUNDLES if pathlib.Path(path).is_file()), None)


_MOST_OWN_FILES = 1 << 20
"""Programs that daemun starts may close every number up to the limit, one by one."""


@functools.cache
def has_ipv6() -> bool:
    """Whether an IPv6 socket can listen here; without it `listen [::]` would keep nginx from starting."""
    return _can_listen("::")


@functools.cache
def has_ipv6_loopback() -> bool:
    """Whether this machine reaches itself at ::1. In a container whose networks have no IPv6, Docker takes it from
    loopback, too, and sockets still listen at [::]."""
    return _can_listen("::1")


def _can_listen(address: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def is_container() -> bool:
    """Whether this process runs in a container: Docker and Podman leave these files."""
    return any(pathlib.Path(path).exists() for path in ("/.dockerenv", "/run/.containerenv"))


def count_open_files() -> int:
    """How many files a worker may open: what this process may go up to, at most 65536.

    Not more for root, either: a service or container may have a hard limit, and lack the right to go beyond it; then
    nginx would go on with the soft limit, and with more connections than that.
    """
    most = 65536
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most if hard == resource.RLIM_INFINITY else min(most, hard)


def raise_open_files() -> None:
    """Let this process open as many files as it may. The soft limit, mostly 1024, is low for the sake of programs that
    use select(2). Source: getrlimit(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_OWN_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_OWN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def count_cores() -> int:
    """The cores this process may run on, as nginx's `worker_processes auto` counts them; at least 1."""
    return len(os.sched_getaffinity(0)) or 1
