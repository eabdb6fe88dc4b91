"""Bans in their files and in the store, at the number of addresses that blocklists have."""

import asyncio
import collections.abc
import datetime
import ipaddress
import pathlib

import pytest

from daemun.banning import ban_registry, crowdsec_stream, stored_bans
from daemun.core import layout, model
from daemun.core.access import banned_networks
from daemun.core.options import bans_option, catalogue, crowdsec_option, trusted_proxies_option
from daemun.errors import ConfigError
from daemun.store import memory_store
from tests.support import clock

MANY = 50_000
CROWDSEC = crowdsec_option.CrowdSec(url="http://127.0.0.1:1", key=model.Secret(text="x"))


class Guesses:
    def __init__(self) -> None:
        self.waits: dict[str, tuple[int, float]] = {}
        self.forgotten: list[str] = []

    async def fetch_waits(self) -> collections.abc.Mapping[str, tuple[int, float]]:
        return self.waits

    async def forget(self, network: str) -> None:
        self.forgotten.append(network)


class House:
    def __init__(self, folder: pathlib.Path) -> None:
        self.store = memory_store.MemoryStore()
        self.layout = layout.Layout(str(folder))
        pathlib.Path(self.layout.bans).mkdir(parents=True, exist_ok=True)
        self.clock = clock.FakeClock()
        self.guesses = Guesses()
        self.woken = 0
        self.start()

    def start(self) -> None:
        self.registry = ban_registry.BanRegistry(
            self.store, self.layout, self.clock, (self.guesses,), version="1", wake=self._wake
        )
        self.configure()

    def _wake(self) -> None:
        self.woken += 1

    def configure(self, *proxies: str, guesses: bool = True) -> None:
        values = (
            trusted_proxies_option.OPTION.set(proxies),
            bans_option.OPTION.set(guesses),
            crowdsec_option.OPTION.set(CROWDSEC),
        )
        self.registry.configure(model.Globals(options=catalogue.values(*values)))

    async def round(self) -> None:
        """What the loop does, once."""
        task = asyncio.ensure_future(self.registry.run())
        await asyncio.sleep(0)
        for _ in range(1000):
            is_stored = not self.registry._unstored and self.registry._are_decisions_stored
            is_written = not self.registry._is_stale and not self.registry._lock.locked()
            if is_written and self.registry._folder.is_as_left() and is_stored:
                break
            await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])

    @property
    def files(self) -> dict[str, bool]:
        return {one.name: bool(one.stat().st_mode & 0o100) for one in pathlib.Path(self.layout.bans).iterdir()}


def decided(now: datetime.datetime, *networks: str, hours: int = 4) -> tuple[banned_networks.Ban, ...]:
    until = now + datetime.timedelta(hours=hours)
    return tuple(
        banned_networks.Ban(network=one, reason=banned_networks.Reason.CROWDSEC, since=now, until=until)
        for one in networks
    )


async def test_fifty_thousand(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path)
    addresses = [str(ipaddress.IPv4Address(0x0B000000 + 977 * number)) for number in range(MANY)]
    found = decided(house.clock.now(), *addresses)
    await house.registry._take_decisions(crowdsec_stream.Changes(new=found, deleted=(), is_all=True))
    await house.round()
    assert house.files == dict.fromkeys(addresses, False)
    assert (house.registry.steps, house.woken) == (1, 1)
    gone, further = addresses[:10], decided(house.clock.now(), "2001:db8::/64", "203.0.113.0/24")
    await house.registry._take_decisions(crowdsec_stream.Changes(new=further, deleted=tuple(gone), is_all=False))
    await house.round()
    wanted = {*addresses[10:], "2001:db8:0:0", "203.0.113"}
    assert house.files.keys() == wanted
    assert (house.registry.steps, house.woken) == (2, 2)
    # The next daemon knows all of it before CrowdSec answers, also when files are gone.
    for address in addresses[100:200]:
        pathlib.Path(house.layout.bans, address).unlink()
    house.start()
    assert house.registry.steps == 2
    await house.round()
    assert house.files.keys() == wanted
    house.clock.advance(datetime.timedelta(hours=4, seconds=1))
    await house.round()
    assert house.files == {}


async def test_proxies_are_spared_as_they_change(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path)
    await house.registry.ban("10.1.2.0/30", None)
    assert house.files.keys() == {"10.1.2.0", "10.1.2.1", "10.1.2.2", "10.1.2.3"}
    house.configure("10.1.2.2")
    await house.round()
    assert house.files.keys() == {"10.1.2.0", "10.1.2.1", "10.1.2.3"}
    with pytest.raises(ConfigError, match="trusted proxy"):
        await house.registry.ban("10.1.2.2", None)


async def test_guesses_wait_and_owners_bans_are_stronger(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path)
    house.guesses.waits = {
        "203.0.113.7": (25, 60.0),
        "2001:db8::/64": (25, 60.0),
        "-": (25, 60.0),
        "127.0.0.1": (9, 60.0),
    }
    await house.registry._take_guesses()
    await house.round()
    assert house.files == {"203.0.113.7": True, "2001:db8:0:0": True}
    assert {one.network for one in house.registry.find_attacks()} == {"203.0.113.7", "2001:db8::/64"}
    await house.registry.ban("203.0.113.7", None)
    await house.registry._take_guesses()
    await house.round()
    assert house.files["203.0.113.7"] is False
    await house.registry.unban("2001:db8::7")
    assert house.guesses.forgotten == ["2001:db8::/64"]
    house.guesses.waits = {"203.0.113.9": (25, 60.0)}
    await house.registry._take_guesses()
    house.guesses.waits = {}
    await house.round()
    assert house.files == {"203.0.113.7": False, "203.0.113.9": True}
    house.configure(guesses=False)
    await house.round()
    assert house.files == {"203.0.113.7": False}


async def test_attacks_are_shown_for_a_day_and_bounded(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of who may come in again by now."""
    house = House(tmp_path)
    house.guesses.waits = {"203.0.113.7": (25, 60.0)}
    await house.registry._take_guesses()
    await house.registry.unban("203.0.113.7")
    house.clock.advance(datetime.timedelta(hours=1))
    found = decided(house.clock.now(), "203.0.113.8", "203.0.113.9", hours=48)
    await house.registry._take_decisions(crowdsec_stream.Changes(new=found, deleted=(), is_all=True))
    assert house.registry.find_attacks()[-1].network == "203.0.113.7"
    assert len(house.registry.find_attacks()) == 3
    house.clock.advance(datetime.timedelta(hours=23, minutes=30))
    assert {one.network for one in house.registry.find_attacks()} == {"203.0.113.8", "203.0.113.9"}
    monkeypatch.setattr(ban_registry, "MOST_LATELY", 1)
    assert len(house.registry.find_attacks()) == 1


async def test_what_is_no_ban_of_the_owner(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path)
    await house.registry.ban("203.0.113.0/24", datetime.timedelta(hours=1))
    with pytest.raises(ConfigError, match=r"`daemun unban 203.0.113.0/24`"):
        await house.registry.unban("203.0.113.7")
    found = decided(house.clock.now(), "198.51.100.7")
    await house.registry._take_decisions(crowdsec_stream.Changes(new=found, deleted=(), is_all=True))
    with pytest.raises(ConfigError, match="cscli"):
        await house.registry.unban("198.51.100.7")
    with pytest.raises(ConfigError, match="for so long"):
        await house.registry.ban("203.0.113.7", datetime.timedelta.max)


async def test_a_folder_that_is_gone_is_told(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path)
    await house.registry.ban("203.0.113.7", None)
    pathlib.Path(house.layout.bans, "203.0.113.7").unlink()
    pathlib.Path(house.layout.bans).rmdir()
    await house.registry.ban("203.0.113.8", None)
    assert "no such file" in house.registry.problems()[0].message
    pathlib.Path(house.layout.bans).mkdir()
    await house.round()
    assert house.files.keys() == {"203.0.113.7", "203.0.113.8"}
    assert house.registry.problems() == ()


async def test_a_wait_that_is_over_is_not_taken_for_one_that_another_machine_ended(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path)
    house.guesses.waits = {"192.0.2.7": (5, 60.0), "192.0.2.8": (5, 600.0)}
    await house.registry._take_guesses()
    await house.registry._store_own()
    stored = stored_bans.decode(house.store.read(ban_registry.KEY))
    house.guesses.waits = {}
    house.clock.advance(datetime.timedelta(seconds=61))  # the first one is over, and was not taken out yet
    left = {network: one for network, one in stored.items() if network != "192.0.2.8"}
    house.store.write(ban_registry.KEY, stored_bans.encode(left))  # another machine let the second one in
    await house.registry._take_shared([ban_registry.KEY])
    assert house.guesses.forgotten == ["192.0.2.8"]


async def test_a_machine_with_a_clock_ahead_ends_no_ban_of_others(tmp_path: pathlib.Path) -> None:
    house, ahead = House(tmp_path / "right"), House(tmp_path / "ahead")
    ahead.store = house.store
    ahead.clock.advance(datetime.timedelta(hours=1))
    house.guesses.waits = {"192.0.2.7": (5, 60.0)}
    await house.registry._take_guesses()
    await house.registry.ban("203.0.113.7", datetime.timedelta(minutes=30))
    ahead.start()
    await ahead.registry.ban("203.0.113.8", None)
    assert {one.network for one in ahead.registry.list()} == {"203.0.113.8"}  # by its own clock
    await house.registry._take_shared([ban_registry.KEY])
    banned = {"192.0.2.7", "203.0.113.7", "203.0.113.8"}
    assert {one.network for one in house.registry.list()} == banned
    assert house.guesses.forgotten == []
    house.clock.advance(datetime.timedelta(hours=1))
    house.start()
    assert house.registry._bans.keys() == {"203.0.113.8"}
    # What has been over for more than a day is not kept.
    ahead.clock.advance(datetime.timedelta(days=1))
    await ahead.registry.ban("203.0.113.9", None)
    assert stored_bans.decode(house.store.read(ban_registry.KEY)).keys() == {"203.0.113.8", "203.0.113.9"}
