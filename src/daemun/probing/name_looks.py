"""What a name resolves to on this machine, and whether this gate is there."""

import asyncio
import collections.abc
import contextlib

import psutil

from daemun.core.texts import names
from daemun.core.why import url_facts
from daemun.probing import gate_visits

MOST_ADDRESSES = 8
REACH_S = 3.0

Resolve = collections.abc.Callable[[str], collections.abc.Awaitable[tuple[tuple[str, ...], str | None]]]
AnswersThere = collections.abc.Callable[[str], collections.abc.Awaitable[bool]]


def find_own() -> frozenset[str]:
    """The addresses of this machine."""
    found: set[str] = set()
    with contextlib.suppress(OSError, psutil.Error):
        for addresses in psutil.net_if_addrs().values():
            for one in addresses:
                address = names.address_of(one.address.partition("%")[0])
                if address is not None:
                    found.add(str(address))
    return frozenset(found)


def is_of_this_machine(host: str) -> bool:
    """Names that lead to loopback without a resolver (RFC 6761 section 6.3)."""
    return host == "localhost" or host.endswith(".localhost")


async def look(host: str, port: int, *, resolve: Resolve, answers_there: AnswersThere) -> url_facts.NameLook:
    """resolve: the addresses, or why there are none. answers_there: whether this very gate does, at an address that is
    not this machine's. Never raises but when cancelled."""
    address = names.address_of(host)
    addresses, failure = ((str(address),), None) if address is not None else await resolve(host)
    is_implied = failure is not None and is_of_this_machine(host)
    if is_implied:
        addresses = ("127.0.0.1",)
    elif failure is not None:
        return url_facts.NameLook(failure=failure)
    addresses = addresses[:MOST_ADDRESSES]
    own = find_own()
    mine = tuple(one for one in addresses if one in own or _is_loopback(one))
    others = tuple(one for one in addresses if one not in mine)
    async with asyncio.TaskGroup() as group:
        takes = [group.create_task(gate_visits.takes_connection(one, port, within_s=REACH_S)) for one in mine]
        reaches = [group.create_task(_reaches(answers_there, one)) for one in others]
    return url_facts.NameLook(
        addresses=addresses,
        own=mine,
        reached=tuple(one for one, found in zip(others, reaches, strict=True) if found.result())
        + tuple(one for one, found in zip(mine, takes, strict=True) if found.result()),
        refused=tuple(one for one, found in zip(mine, takes, strict=True) if found.result() is False),
        is_implied=is_implied,
    )


async def _reaches(answers_there: AnswersThere, address: str) -> bool:
    try:
        async with asyncio.timeout(REACH_S):
            return await answers_there(address)
    except TimeoutError:
        return False


def _is_loopback(text: str) -> bool:
    address = names.address_of(text)
    return address is not None and address.is_loopback
