"""When the keys of TLS session tickets of a fleet are turned, whatever the clocks of its machines say."""

import datetime
import pathlib

from daemun.core import layout
from daemun.fleet import ticket_keeper
from daemun.store import memory_store
from tests.support import clock

NOW = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)


class Database:
    now = NOW

    def read_clock(self) -> datetime.datetime:
        return self.now


async def test_machines_whose_clocks_differ_by_years_turn_no_keys(tmp_path: pathlib.Path) -> None:
    store, database = memory_store.MemoryStore(), Database()
    clocks = {
        "a": NOW,
        "b": datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC),
        "c": NOW + datetime.timedelta(days=400),
    }
    keepers = [
        ticket_keeper.TicketKeeper(
            store,
            layout.Layout(str(tmp_path / name)),
            clock.FakeClock(now),
            node=name,
            find_living=lambda: (),
            read_shared_clock=database.read_clock,
            wake=lambda: None,
        )
        for name, now in clocks.items()
    ]

    async def look() -> bytes:
        for one in keepers:
            await one._look()
        return store.read(ticket_keeper.KEY)

    first = await look()
    for _ in range(3):
        assert await look() == first
    database.now += datetime.timedelta(days=2)
    for one, name in zip(keepers, clocks, strict=True):
        one._clock = clock.FakeClock(clocks[name] + datetime.timedelta(days=2))
    second = await look()
    assert second != first
