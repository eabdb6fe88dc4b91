"""Host names -> addresses, as the programs of this machine see them: /etc/hosts, DNS, Docker's and mDNS names.

The system's resolver (getaddrinfo) blocks and gives no time to live. So lookups run in threads of their own, each host
at most once at a time, and are repeated in turn: every host as often as a fixed number of lookups per second allows
(`refresh_interval_s`). They are daemon threads: one that waits for a dead name server must not delay the end of daemun.
"""

import asyncio
import collections.abc
import dataclasses
import ipaddress
import queue
import socket
import threading

from daemun import causes
from daemun.discovery import service_table

Resolve = collections.abc.Callable[[str], collections.abc.Iterable[str]]

_THREADS = 16
_SHORTEST_INTERVAL_S = 2.0
_LOOKUPS_PER_S = 5.0
"""A lookup costs about 0.2 ms of CPU, so this is 0.1 % of one."""


def refresh_interval_s(hosts: int) -> float:
    """How long the addresses of each of so many hosts are used before they are looked up again."""
    return max(_SHORTEST_INTERVAL_S, hosts / _LOOKUPS_PER_S)


def system_addresses(host: str) -> list[str]:
    """The addresses of a host. Blocks. Raises: OSError with the resolver's words."""
    rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(address[0]) for *_, address in rows]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a lookup found: at least one address, or the cause why there is none."""

    addresses: tuple[service_table.Address, ...] = ()
    failure: str | None = None


def read(resolve: Resolve, host: str) -> Result:
    """Look a host up and judge the answer. IPv4 comes first; both families count, as nginx passes over a server that
    cannot be reached. Link-local IPv6 addresses are left out: DNS has no interface for them."""
    try:
        found = {ipaddress.ip_address(text.partition("%")[0]) for text in resolve(host)}
    except socket.gaierror as error:
        return Result(failure=causes.describe(error))
    except (OSError, ValueError) as error:  # a name with an empty or too long label is a UnicodeError
        return Result(failure=str(error).lower())
    usable = sorted(
        (one for one in found if one.version == 4 or not one.is_link_local), key=lambda one: (one.version, one)
    )
    return Result(addresses=tuple(usable)) if usable else Result(failure="it has only link-local addresses")


class Lookups:
    """Runs lookups in threads. on_done gets every result, also late ones, in the event loop that made this."""

    def __init__(self, resolve: Resolve, on_done: collections.abc.Callable[[str, Result], None]) -> None:
        self._resolve = resolve
        self._on_done = on_done
        self._loop = asyncio.get_running_loop()
        self._hosts: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._running: set[str] = set()
        self._threads = 0

    def start(self, host: str) -> None:
        """Look the host up soon; does nothing while that is already going on."""
        if host in self._running:
            return
        self._running.add(host)
        if self._threads < min(len(self._running), _THREADS):
            self._threads += 1
            threading.Thread(target=self._work, name=f"daemun-lookup-{self._threads}", daemon=True).start()
        self._hosts.put(host)

    def stop(self) -> None:
        """Let the threads end, each after the lookup it is at."""
        for _ in range(self._threads):
            self._hosts.put(None)

    def _work(self) -> None:
        while (host := self._hosts.get()) is not None:
            result = read(self._resolve, host)
            try:
                self._loop.call_soon_threadsafe(self._finish, host, result)
            except RuntimeError:  # the loop is closed
                return

    def _finish(self, host: str, result: Result) -> None:
        self._running.discard(host)
        self._on_done(host, result)
