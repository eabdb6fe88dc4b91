"""What becomes of certificates when an asynchronous standby takes over that never heard of them."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import functools
import pathlib

import pytest
from cryptography.hazmat.primitives import serialization

from daemun.core import model
from daemun.store import file_store
from tests.support import certificates, fleet_machine, fleet_store, issuing, pebble, postgresql

pytestmark = [pytest.mark.pebble, pytest.mark.postgresql]

VALID = model.CertificateState.VALID
DAY, MINUTE = datetime.timedelta(days=1), datetime.timedelta(minutes=1)
HOST = "a.example.com"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class House:
    primary: postgresql.Server
    standby: postgresql.Server
    machines: list[fleet_machine.Machine]
    ca: pebble.Pebble

    def copy(self) -> None:
        """The standby hears of nothing that comes later."""
        self.standby.copy(self.primary)

    def fail_over(self) -> None:
        self.primary.crash()
        self.standby.start()
        self.standby.execute("SELECT pg_promote()")


@pytest.fixture
def house(tmp_path: pathlib.Path) -> collections.abc.Iterator[House]:
    with postgresql.folder() as folder, contextlib.ExitStack() as stack:
        primary, standby = postgresql.Server(folder, "primary"), postgresql.Server(folder, "standby")
        stack.callback(standby.stop)
        primary.make()
        primary.start()
        stack.callback(primary.stop)
        url = f"postgresql://{postgresql.SUPERUSER}@{primary.address},{standby.address}/postgres"
        machines: list[fleet_machine.Machine] = []
        for number in range(3):
            own = file_store.FileStore(tmp_path / str(number) / "store")
            store = stack.enter_context(fleet_store.another(url, own=own, quiet_s=1.0))
            if number == 0:
                store.create_tables()
            machines.append(fleet_machine.Machine(tmp_path / str(number), store, machines[0] if machines else None))
        ca = stack.enter_context(fleet_machine.answered_by(machines[0]))
        yield House(primary=primary, standby=standby, machines=machines, ca=ca)


async def _settle(house: House, watched: list[certificates.Watched]) -> None:
    """Until all that is due now was done, by whichever."""
    for _ in range(30):
        house.machines[0].clock.advance(MINUTE)
        for one in watched:
            one.manager.wake()
        await asyncio.sleep(0.2)
        for one in watched:
            await one.until(functools.partial(_is_at_rest, one))


def _is_at_rest(one: certificates.Watched) -> bool:
    return not one.manager.busy


async def test_a_renewal_that_was_lost_is_not_made_again(house: House) -> None:
    async with fleet_machine.all_running(house.machines, issuing.asking(house.ca), issuing.spec(HOST)) as watched:
        for one in watched:
            await one.until_state(HOST, VALID)
        before = house.machines[0].shows(HOST)
        await asyncio.to_thread(house.copy)
        first = house.machines[0]
        now = first.clock.now()
        window = {"start": (now - DAY).isoformat(), "end": (now - DAY / 2).isoformat()}
        chain = first.leaf(HOST).public_bytes(serialization.Encoding.PEM)
        await asyncio.to_thread(house.ca.set_renewal_info, chain, {"suggestedWindow": window})
        first.clock.advance(DAY)
        for one, machine in zip(watched, house.machines, strict=True):
            one.manager.wake()
            await one.until(functools.partial(machine.shows_another, before))
        assert house.ca.orders == 2
        renewed = house.machines[0].shows(HOST)
        await asyncio.to_thread(house.fail_over)
        await _settle(house, watched)
        first.clock.advance(DAY)  # whether it is to be renewed is asked again
        await _settle(house, watched)
        assert house.ca.orders == 2
        assert {machine.shows(HOST) for machine in house.machines} == {renewed}


async def test_a_first_order_that_was_lost_is_made_once_more_at_most(house: House) -> None:
    async with fleet_machine.all_running(house.machines, issuing.asking(house.ca), issuing.spec(HOST)) as watched:
        await asyncio.to_thread(house.copy)
        for one in watched:
            await one.until_state(HOST, VALID)
        assert house.ca.orders == 1
        await asyncio.to_thread(house.fail_over)
        await _settle(house, watched)
        for one in watched:
            await one.until_state(HOST, VALID)
        assert house.ca.orders <= 2
        assert len({machine.shows(HOST) for machine in house.machines}) == 1
