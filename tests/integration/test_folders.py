"""What happens in a folder is told; also where the kernel has no watch to give."""

import asyncio
import collections.abc
import contextlib
import os
import pathlib
import resource

import pytest

from daemun import folders

LIMIT_S = 60


@contextlib.asynccontextmanager
async def ticking(
    find: folders.Find, *, look_again_s: float = 3600
) -> collections.abc.AsyncIterator[collections.abc.Callable[[], asyncio.Future[None]]]:
    """A function that gives the next tick; the first one has come when the block begins."""
    async with contextlib.aclosing(folders.watch(find, look_again_s=look_again_s)) as ticks:
        await anext(ticks)
        yield lambda: asyncio.ensure_future(anext(ticks))


async def told(tick: asyncio.Future[None]) -> None:
    async with asyncio.timeout(LIMIT_S):
        await tick


async def test_what_is_written_is_told_when_its_writer_closes_it(tmp_path: pathlib.Path) -> None:
    """Until then half of it would be read."""
    path = tmp_path / "file"
    path.touch()
    async with ticking(lambda: [tmp_path]) as following:
        with path.open("w") as file:
            tick = following()
            file.write("half")
            file.flush()
            other = asyncio.create_task(asyncio.to_thread(path.read_text))
            assert await other == "half"
            assert not tick.done()
        await told(tick)


async def test_a_folder_that_comes_later_is_watched_from_then_on(tmp_path: pathlib.Path) -> None:
    def find() -> list[pathlib.Path]:
        return [tmp_path, *(path for path in tmp_path.iterdir() if path.is_dir())]

    async with ticking(find) as following:
        tick = following()
        (tmp_path / "inner").mkdir()
        await told(tick)
        tick = following()
        (tmp_path / "inner" / "file").touch()
        await told(tick)


async def test_a_folder_that_is_not_there_is_looked_for(tmp_path: pathlib.Path) -> None:
    async with ticking(lambda: [tmp_path / "none"], look_again_s=0.01) as following:
        await told(following())


async def test_looks_again_and_again_where_the_kernel_has_no_watch_to_give(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with no_more_descriptors():
        watch = folders.watch(lambda: [tmp_path], look_again_s=0.01)
        await anext(watch)
    assert "within 0.01 s only" in "".join(capsys.readouterr())
    async with contextlib.aclosing(watch), asyncio.timeout(LIMIT_S):
        await anext(watch)
        await anext(watch)


@contextlib.contextmanager
def no_more_descriptors() -> collections.abc.Iterator[None]:
    """This process cannot open anything, as where fs.inotify.max_user_instances is reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
