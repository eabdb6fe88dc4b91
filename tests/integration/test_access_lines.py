"""The copier of the access log goes on whatever standard output is."""

import asyncio
import contextlib
import os
import pathlib
import resource

import pytest

from daemun.core import layout
from daemun.nginx import access_lines

LINE = b"x" * 99 + b"\n"


async def _copy(tmp_path: pathlib.Path, output: int, write: int, wanted: int, read: int) -> bytes:
    """What comes out at `read` of that many lines, of which at least `wanted` bytes must come."""
    log = tmp_path / "logs" / "access.log"
    log.parent.mkdir(exist_ok=True)
    log.touch()
    lines = access_lines.AccessLines(layout.Layout(str(tmp_path)), output=output)
    lines.switch(is_on=True)
    running = asyncio.create_task(lines.run())
    got = b""
    try:
        async with asyncio.timeout(60):
            while len(got) < wanted:
                with log.open("ab") as file:  # the copier may not have begun yet, and begins at the end
                    file.write(LINE * write)
                await asyncio.sleep(0.05)
                with contextlib.suppress(BlockingIOError):
                    while chunk := os.read(read, 1 << 16):
                        got += chunk
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    return got


@pytest.mark.parametrize("is_blocking", [True, False])
async def test_a_pipe_that_is_full_loses_nothing(tmp_path: pathlib.Path, is_blocking: bool) -> None:
    """A program that shares standard output may make it non-blocking."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, is_blocking)
    got = await _copy(tmp_path, write, 5000, 5_000_000, read)
    assert not got.replace(LINE, b"")[100:]
    os.close(read)


async def test_a_full_disk_is_reported_once_and_lines_come_when_there_is_room(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read, write = os.pipe()
    os.set_blocking(read, False)
    output = os.open("/dev/full", os.O_WRONLY)

    async def make_room() -> None:
        async with asyncio.timeout(60):
            told = ""
            while "cannot copy the access log" not in told:
                await asyncio.sleep(0.05)
                told += "".join(capsys.readouterr())
        await asyncio.sleep(0.5)
        assert "cannot copy" not in "".join(capsys.readouterr())
        os.dup2(write, output)

    got, _ = await asyncio.gather(_copy(tmp_path, output, 1, 100, read), make_room())
    assert not got.replace(LINE, b"")
    os.close(read)


async def test_descriptors_above_a_thousand(tmp_path: pathlib.Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    read, write = os.pipe()
    os.set_blocking(read, False)
    many = [os.dup(read) for _ in range(1100)]
    try:
        # More than one wait between lines.
        assert await _copy(tmp_path, write, 1, 2000, read)
    finally:
        for one in many:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(read)
