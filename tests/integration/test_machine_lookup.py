"""The addresses of an engine's machine: a resolver that fails, changes or hangs keeps nobody waiting."""

import asyncio
import socket
import threading

import pytest

from daemun.sources.docker import machine_lookup

LONGEST_S = 60.0


async def test_an_address_is_not_looked_up() -> None:
    def never(machine: str) -> list[str]:
        raise AssertionError(machine)

    lookup = machine_lookup.MachineLookup("10.9.0.7", resolve=never)
    await lookup.refresh()
    assert lookup.addresses == ("10.9.0.7",)
    assert machine_lookup.MachineLookup("[fd00::7]").addresses == ("fd00::7",)


async def test_a_name_is_what_the_resolver_has_and_stays_when_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_lookup, "AGAIN_S", 0.0)
    answers: list[list[str] | OSError] = [
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        ["fd00::7", "fe80::1%eth0", "10.9.0.8", "10.9.0.7", "10.9.0.7", "0.0.0.0"],
        OSError("broken"),
    ]

    def resolve(_: str) -> list[str]:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    lookup = machine_lookup.MachineLookup("nas.lan", resolve=resolve)
    await lookup.refresh()
    assert not lookup.addresses and lookup.failure
    for _ in range(2):
        await lookup.refresh()
        assert lookup.addresses == ("10.9.0.7", "10.9.0.8", "fd00::7")
    assert answers == []


async def test_what_an_earlier_daemon_knew_counts_until_there_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_lookup, "WITHIN_S", 0.01)
    may_answer = threading.Event()
    lookups = []

    def hang(machine: str) -> list[str]:
        lookups.append(machine)
        may_answer.wait(LONGEST_S)
        return ["10.9.0.9"]

    lookup = machine_lookup.MachineLookup("nas.lan", ("10.9.0.7",), resolve=hang)
    for _ in range(3):
        await lookup.refresh()
        assert lookup.addresses == ("10.9.0.7",)
    may_answer.set()
    async with asyncio.timeout(LONGEST_S):
        while lookup.addresses != ("10.9.0.9",):
            await asyncio.sleep(0.01)
    await lookup.refresh()
    assert lookups == ["nas.lan"], "one at a time, and what is fresh is used"
