"""The task that reads nginx's lines of traced requests: over rotation, damage and ends at any moment."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import json
import pathlib
import threading

import pytest

from daemun.control import damage_report
from daemun.core import layout as layout_
from daemun.core.options import tracing_option
from daemun.core.tracing import traced_request
from daemun.traffic import span_exporter, span_feeder, traffic_files
from tests.support import collector, ports, receivers


def line(path: str) -> str:
    """As nginx writes it of a request for that path."""
    values = dict.fromkeys(traced_request.VARIABLES, "")
    values |= {"id": "0123456789abcdef" * 2, "end": "1700000000.500", "took": "0.400", "status": "200", "uri": path}
    return json.dumps(values) + "\n"


@dataclasses.dataclass
class Feeding:
    """A feeder whose task runs. reopened: how often it had nginx open its logs anew."""

    feeder: span_feeder.SpanFeeder
    damage: damage_report.DamageReport
    log: pathlib.Path
    reopened: int = 0

    def append(self, text: str) -> None:
        with self.log.open("a") as file:
            file.write(text)


@pytest.fixture
def receiver() -> collections.abc.Iterator[receivers.Receiver]:
    with receivers.receiving() as found:
        yield found


@contextlib.asynccontextmanager
async def feeding(folder: pathlib.Path, url: str) -> collections.abc.AsyncIterator[Feeding]:
    """While its task runs, which is cancelled at the end as by the daemon's."""

    async def reopen() -> None:
        found.reopened += 1
        log.touch()

    paths = layout_.Layout(str(folder))
    log = pathlib.Path(paths.logs, layout_.SPANS_LOG)
    log.parent.mkdir(exist_ok=True)
    damage = damage_report.DamageReport()
    found = Feeding(span_feeder.SpanFeeder(paths, damage, reopen=reopen), damage, log)
    found.feeder.configure(tracing_option.Tracing(endpoint=url))
    task = asyncio.create_task(found.feeder.run())
    try:
        yield found
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(is_reached: collections.abc.Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_reached():
            await asyncio.sleep(0.05)


def paths_of(receiver: receivers.Receiver) -> list[str]:
    return [str(one.attributes["url.path"]) for one in collector.spans_of(tuple(receiver.posts))]


async def see(found: Feeding, receiver: receivers.Receiver, path: str) -> None:
    """Write until a line of this path arrives: what is there at the beginning is left out."""

    def is_there() -> bool:
        found.append(line(path))
        return path in paths_of(receiver)

    await until(is_there)


async def test_what_a_killed_daemon_left_is_left_out(tmp_path: pathlib.Path, receiver: receivers.Receiver) -> None:
    """It was killed between renaming the file and nginx's opening of a new one."""
    log = tmp_path / "logs" / layout_.SPANS_LOG
    log.parent.mkdir()
    log.with_name(f"{log.name}.1").write_text(line("/before"))
    async with feeding(tmp_path, receiver.url) as found:
        await until(lambda: found.reopened > 0)
        await see(found, receiver, "/after")
    assert "/before" not in paths_of(receiver)


async def test_lines_of_both_files_around_a_rename(
    tmp_path: pathlib.Path, receiver: receivers.Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic_files, "MOST_BYTES", 1 << 20)
    async with feeding(tmp_path, receiver.url) as found:
        await see(found, receiver, "/first")
        found.append(f"{'x' * 999}\n" * 1100)
        await until(lambda: found.reopened == 1)
        old = found.log.with_name(f"{found.log.name}.1")
        with old.open("a") as file:
            file.write(line("/late"))
        found.append(line("/new"))
        await until(lambda: {"/late", "/new"} <= set(paths_of(receiver)))
        assert [paths_of(receiver).count(path) for path in ("/late", "/new")] == [1, 1]


async def test_lines_that_a_full_disk_cut(tmp_path: pathlib.Path, receiver: receivers.Receiver) -> None:
    async with feeding(tmp_path, receiver.url) as found:
        await see(found, receiver, "/first")
        found.append(line("/cut")[:-40] + line("/joined") + line("/whole"))
        await until(lambda: "/whole" in paths_of(receiver))
        found.log.write_text("")  # by somebody who makes room
        await see(found, receiver, "/emptied")
    assert not {"/cut", "/joined"} & set(paths_of(receiver))


async def test_a_collector_that_was_replaced_is_reported_no_more(
    tmp_path: pathlib.Path, receiver: receivers.Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the new one takes no span."""
    async with feeding(tmp_path, f"http://127.0.0.1:{ports.free_port()}") as found:

        def is_reported() -> bool:
            found.append(line("/lost"))
            return bool(found.damage.problems())

        await until(is_reported)
        monkeypatch.setattr(span_exporter, "TIMEOUT_S", 60.0)
        receiver.answers.clear()
        found.feeder.configure(tracing_option.Tracing(endpoint=receiver.url))
        await until(lambda: not found.damage.problems())
        receiver.answers.set()
        await see(found, receiver, "/after")
        found.feeder.configure(None)
        await until(lambda: not found.log.exists())


async def test_nothing_is_open_after_the_end(tmp_path: pathlib.Path, receiver: receivers.Receiver) -> None:
    """The task is cancelled while a step runs in its thread, and a further step begins late."""
    began, goes_on = threading.Event(), threading.Event()

    class Slow(traffic_files.TrafficFiles):
        closed = False

        def read(self, most_bytes: int) -> collections.abc.Iterator[bytes]:
            began.set()
            assert goes_on.wait(60)
            assert not Slow.closed
            return super().read(most_bytes)

        def close(self) -> None:
            Slow.closed = True
            super().close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traffic_files, "TrafficFiles", Slow)
        async with feeding(tmp_path, receiver.url) as found:
            found.append(line("/x"))
            await until(began.is_set)
            threading.Timer(0.2, goes_on.set).start()
        assert Slow.closed
        assert not found.feeder._step(tracing_option.Tracing(endpoint=receiver.url))
        assert found.feeder._files is None
