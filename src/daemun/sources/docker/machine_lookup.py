"""The addresses of another machine whose engine is followed, as this machine's resolver has them."""

import asyncio
import collections.abc
import contextlib
import ipaddress
import math
import socket
import threading

from daemun import causes
from daemun.core.texts import names

WITHIN_S = 2.0
"""How long a look at the engine waits for the resolver. What it finds later counts at the next one."""
AGAIN_S = 10.0
"""So long what was found is used before it is looked up again."""
_MOST = 4

Resolve = collections.abc.Callable[[str], collections.abc.Iterable[str]]


def resolve(machine: str) -> list[str]:
    """Blocking. Raises: OSError."""
    rows = socket.getaddrinfo(machine, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(address[0]) for *_, address in rows]


class MachineLookup:
    """machine: an address or a name. known: the addresses that an earlier daemon found."""

    def __init__(self, machine: str, known: tuple[str, ...] = (), *, resolve: Resolve = resolve) -> None:
        found = names.address_of(machine)
        self._machine = machine
        self._is_name = found is None
        self._resolve = resolve
        self._running: asyncio.Future[None] | None = None
        self._fresh_until_s = -math.inf
        self.addresses: tuple[str, ...] = known if found is None else (str(found),)
        self.failure = "it was not looked up yet"

    async def refresh(self) -> None:
        """Look it up, at most once at a time. What was known stays when there is no answer."""
        if not self._is_name or asyncio.get_running_loop().time() < self._fresh_until_s:
            return
        if self._running is None or self._running.done():
            self._running = asyncio.get_running_loop().create_future()
            # A daemon thread: one that waits for a dead name server must not delay the end of daemun.
            arguments = (asyncio.get_running_loop(), self._running)
            threading.Thread(target=self._look_up, args=arguments, daemon=True, name="lookup of an engine").start()
        await asyncio.wait({self._running}, timeout=WITHIN_S)

    def _look_up(self, loop: asyncio.AbstractEventLoop, done: asyncio.Future[None]) -> None:
        """In a thread of its own."""
        addresses: tuple[str, ...] = ()
        failure = "it has no address that can be used"
        try:
            addresses = _choose(self._resolve(self._machine))
        except socket.gaierror as error:
            failure = causes.describe(error)
        except (OSError, ValueError) as error:  # a name with an empty or too long label is a UnicodeError
            failure = str(error).lower()
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(self._take, addresses, failure, done)

    def _take(self, addresses: tuple[str, ...], failure: str, done: asyncio.Future[None]) -> None:
        self.addresses, self.failure = addresses or self.addresses, failure
        if addresses:
            self._fresh_until_s = done.get_loop().time() + AGAIN_S
        if not done.done():
            done.set_result(None)


def _choose(found: collections.abc.Iterable[str]) -> tuple[str, ...]:
    """IPv4 first. Link-local addresses need an interface, which nothing here knows. Raises: ValueError."""
    usable = {
        one
        for one in (ipaddress.ip_address(text.partition("%")[0]) for text in found)
        if not (one.is_link_local or one.is_unspecified or one.is_multicast)
    }
    return tuple(str(one) for one in sorted(usable, key=lambda one: (one.version, one))[:_MOST])
