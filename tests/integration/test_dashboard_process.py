"""What the daemon does for the dashboard's process, without one that works."""

import asyncio
import collections.abc
import contextlib
import pathlib
import sys

import pytest

from daemun.core import layout
from daemun.dashboard import dashboard_process
from tests.support import until


@contextlib.asynccontextmanager
async def keeping(state: pathlib.Path) -> collections.abc.AsyncIterator[layout.Layout]:
    paths = layout.Layout(str(state))
    for folder in (paths.run, paths.logs):
        pathlib.Path(folder).mkdir(parents=True)
    process = dashboard_process.DashboardProcess(paths, group=None, account=None)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(process.run())
        await asyncio.to_thread(until.true, pathlib.Path(paths.dashboard_socket).exists)
        yield paths
        task.cancel()


async def test_visitors_of_a_process_that_cannot_start_are_refused_at_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    async with keeping(tmp_path) as paths, asyncio.timeout(60):
        reader, writer = await asyncio.open_unix_connection(paths.dashboard_socket)
        assert await reader.read() == b""
        writer.close()
    assert not pathlib.Path(paths.dashboard_socket).exists()
