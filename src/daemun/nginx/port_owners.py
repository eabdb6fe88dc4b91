"""Who listens on an address of this machine."""

import dataclasses

import psutil

_EVERY = frozenset({"0.0.0.0", "::"})  # noqa: S104 compared, not bound


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PortOwner:
    """A program that listens. address: as nginx would write it. pid: None when this account may not know."""

    address: str
    pid: int | None


def find(address: str) -> tuple[PortOwner, ...]:
    """Who keeps others from listening on an address ("0.0.0.0:80", "[::]:80", "0.0.0.0:53/udp"), as far as it can be
    known. Blocking."""
    plain, _, protocol = address.partition("/")
    host, port = _parts(plain)
    try:
        listening = psutil.net_connections(kind=protocol or "tcp")
    except psutil.Error:
        return ()
    return tuple(
        PortOwner(address=_written(found.laddr.ip, found.laddr.port) + address[len(plain) :], pid=found.pid)
        for found in listening
        if (protocol or found.status == psutil.CONN_LISTEN)
        and found.laddr
        and found.laddr.port == int(port)
        and _overlap(host, found.laddr.ip)
    )


def _parts(address: str) -> tuple[str, str]:
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), port


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _overlap(wanted: str, held: str) -> bool:
    """All addresses of IPv6 may mean those of IPv4, too: whether they do cannot be seen from outside."""
    same_kind = (":" in wanted) == (":" in held)
    return held in {wanted, "::"} or (same_kind and bool({wanted, held} & _EVERY))


def name(pid: int) -> str:
    """What a program is called. Blocking."""
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return "a program that just ended"
