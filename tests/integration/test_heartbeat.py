"""The heartbeat of a node beside what else its event loop does."""

import asyncio
import contextlib
import threading

from daemun import errors
from daemun.control import damage_report, fleet_port, stored_values
from daemun.core.fleet import node_about
from daemun.fleet import node_keeper
from tests.support import clock


class SilentRegister:
    """In place of a database that takes a request and answers nothing."""

    def __init__(self) -> None:
        self.is_asked = threading.Event()
        self.ends = threading.Event()
        self.is_over = False

    def beat(
        self,
        node: str,
        about: str,
        seen: stored_values.Cursor,
        *,
        stamp: int,
        silent_s: float = 0,
        changed_s: float | None = None,
    ) -> fleet_port.NodeListing:
        self.is_asked.set()
        self.ends.wait(60)
        self.is_over = True
        raise errors.StoreUnreachableError("cannot reach the fleet's database")

    def list_nodes(self) -> fleet_port.NodeListing:
        raise NotImplementedError

    def forget_node(self, node: str) -> None:
        raise NotImplementedError

    def clean(self) -> None:
        raise NotImplementedError


async def test_the_end_of_the_task_waits_for_no_answer() -> None:
    register = SilentRegister()
    keeper = node_keeper.NodeKeeper(
        register,
        "a",
        version="1",
        describe=node_about.NodeAbout,
        find_seen=stored_values.Cursor,
        clock=clock.FakeClock(),
        damage=damage_report.DamageReport(),
    )
    task = asyncio.ensure_future(keeper.run())
    try:
        assert await asyncio.to_thread(register.is_asked.wait, 60)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert not register.is_over
    finally:
        register.ends.set()
