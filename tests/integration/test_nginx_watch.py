"""The end of nginx's master is noticed, however it ends."""

import asyncio
import signal

import pytest

from daemun.nginx import find_nginx, master_watch, nginx_server, process
from tests.support import binaries, nginx_state

pytestmark = pytest.mark.nginx


async def test_a_killed_master_is_noticed() -> None:
    with nginx_state.state_directory() as layout:
        nginx = nginx_server.NginxServer(find_nginx.find(str(binaries.nginx_path())), layout)
        await master_watch.wait_until_gone(layout)  # nothing runs yet
        assert await nginx.stage(nginx_state.configuration(layout)) is None
        await nginx.activate()
        gone = asyncio.ensure_future(master_watch.wait_until_gone(layout))
        await asyncio.sleep(0)
        assert not gone.done()
        master = process.find_master(layout)
        assert master is not None
        process.send(master, signal.SIGKILL)
        async with asyncio.timeout(30):
            await gone
        await nginx.stop(grace_s=0)
