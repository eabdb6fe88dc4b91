"""A real nginx is started, reloaded, confirmed, restored, adopted and ended."""

import asyncio
import collections.abc
import os
import pathlib
import signal
import socket

import httpx
import pytest

from daemun import errors
from daemun.core import layout as layout_
from daemun.core import model
from daemun.core.options import logs_option
from daemun.nginx import find_nginx, generation_folders, nginx_server, process, worker_account
from tests.support import binaries, nginx_state, ports

pytestmark = pytest.mark.nginx


@pytest.fixture
def layout() -> collections.abc.Iterator[layout_.Layout]:
    with nginx_state.state_directory() as found:
        yield found


@pytest.fixture
def nginx(layout: layout_.Layout) -> nginx_server.NginxServer:
    return new_nginx(layout)


def new_nginx(layout: layout_.Layout) -> nginx_server.NginxServer:
    return nginx_server.NginxServer(find_nginx.find(str(binaries.nginx_path())), layout, worker_account.choose(None))


async def go_live(nginx: nginx_server.NginxServer, files: dict[str, bytes]) -> int:
    assert await nginx.stage(files) is None
    number = await nginx.activate()
    await workers_of(nginx)
    return number


async def workers_of(nginx: nginx_server.NginxServer) -> list[int]:
    """Once there are two: at a start, the second one is ready a little after the first answers."""
    async with asyncio.timeout(60):
        while True:
            found = [worker.pid for worker in (await nginx.read_actual()).workers if not worker.draining]
            if len(found) == 2:
                return found
            await asyncio.sleep(0.01)


async def get(port: int, path: str = "/") -> str:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        return (await client.get(f"http://127.0.0.1:{port}{path}")).text


def site(port: int, text: str) -> str:
    return f'listen 127.0.0.1:{port};\nlocation / {{ return 200 "{text}"; }}'


# --- the way to a new generation -------------------------------------------------------------------------------


async def test_empty_state_directory_has_nothing(nginx: nginx_server.NginxServer) -> None:
    assert await nginx.read_actual() == model.Actual()
    await nginx.stop(grace_s=1)  # does nothing


async def test_first_generation_is_started_and_confirmed(
    nginx: nginx_server.NginxServer, layout: layout_.Layout
) -> None:
    port = ports.free_port()
    files = nginx_state.configuration(layout, site(port, "one"))
    assert await go_live(nginx, files) == 1
    assert await get(port) == "one"
    actual = await nginx.read_actual()
    assert (actual.generation, actual.current_generation, actual.files) == (1, 1, files)
    assert [worker.draining for worker in actual.workers] == [False, False]
    assert actual.pid == int(pathlib.Path(layout.nginx_pid).read_text())
    assert os.getsid(actual.pid) != os.getsid(0)
    assert nginx.reloads == 0


async def test_second_generation_is_a_reload_of_the_same_master(
    nginx: nginx_server.NginxServer, layout: layout_.Layout
) -> None:
    port = ports.free_port()
    await go_live(nginx, nginx_state.configuration(layout, site(port, "one")))
    before = await nginx.read_actual()
    assert await go_live(nginx, nginx_state.configuration(layout, site(port, "two"))) == 2
    assert await get(port) == "two"
    after = await nginx.read_actual()
    assert (after.pid, after.generation) == (before.pid, 2)
    assert nginx.reloads == 1


async def test_only_workers_that_are_named_are_told_to_go(
    nginx: nginx_server.NginxServer, layout: layout_.Layout
) -> None:
    port = ports.free_port()
    await go_live(nginx, nginx_state.configuration(layout, site(port, "one")))
    first, second = await workers_of(nginx)
    master = process.find_master(layout)
    assert master is not None
    async with asyncio.timeout(60):  # the master is in no reload, so it starts another one in its place
        while first in (now := await workers_of(nginx)):
            process.retire(master, {first, os.getpid()})
            assert await get(port) == "one"
    assert second in now


async def test_refused_stage_names_file_and_line_and_touches_nothing(
    nginx: nginx_server.NginxServer, layout: layout_.Layout
) -> None:
    port = ports.free_port()
    await go_live(nginx, nginx_state.configuration(layout, site(port, "one")))
    before = await nginx.read_actual()
    failure = await nginx.stage(nginx_state.configuration(layout, site(port, "two"), "nonsense on;"))
    assert failure is not None
    assert (failure.file, failure.line) == ("sites/1.conf", 2)
    assert failure.message.startswith('unknown directive "nonsense": this nginx (')
    assert await nginx.read_actual() == before
    assert await get(port) == "one"


async def test_refusal_without_a_place_is_told_in_nginx_words(
    nginx: nginx_server.NginxServer, layout: layout_.Layout
) -> None:
    failure = await nginx.stage(nginx_state.configuration(layout, "return 200 $foo_unknown;"))
    assert failure is not None
    assert (failure.file, failure.message) == (None, 'unknown "foo_unknown" variable')


async def test_confirm_server_survives_a_refusing_http_level(
    nginx: nginx_server.NginxServer, layout: layout_.Layout
) -> None:
    files = nginx_state.configuration(layout, site(ports.free_port(), "x"), http="deny all; auth_basic x;")
    assert await go_live(nginx, files) == 1


# --- restore ---------------------------------------------------------------------------------------------------


async def test_taken_port_at_reload_restores_and_names_the_holder(
    nginx: nginx_server.NginxServer, layout: layout_.Layout
) -> None:
    port = ports.free_port()
    files = nginx_state.configuration(layout, site(port, "one"))
    await go_live(nginx, files)
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        taken = foreign.getsockname()[1]
        two = nginx_state.configuration(layout, site(port, "two"), site(taken, "x"))
        assert await nginx.stage(two) is None  # nginx -t passes over a taken port
        link = pathlib.Path(layout.current).readlink()
        with pytest.raises(errors.EnvironmentProblemError) as raised:
            await nginx.activate()
    assert f"127.0.0.1:{taken}" in str(raised.value)
    assert f"(pid {os.getpid()})" in str(raised.value)
    assert "the previous one is live" in str(raised.value)
    assert pathlib.Path(layout.current).readlink() == link
    assert await get(port) == "one"
    actual = await nginx.read_actual()
    assert (actual.generation, actual.current_generation, actual.files) == (1, 1, files)
    assert await go_live(nginx, nginx_state.configuration(layout, site(port, "three"))) == 3
    assert await get(port) == "three"


async def test_reload_refused_by_the_configuration_restores(
    nginx: nginx_server.NginxServer, layout: layout_.Layout
) -> None:
    port = ports.free_port()
    zone = "limit_req_zone ${} zone=z:64k rate=1r/s;"
    limited = site(port, "one") + "\nlimit_req zone=z;"
    files = nginx_state.configuration(layout, limited, http=zone.format("binary_remote_addr"))
    await go_live(nginx, files)
    # nginx keeps a shared zone across a reload and refuses another key for it; -t starts without one.
    assert await nginx.stage(nginx_state.configuration(layout, limited, http=zone.format("server_name"))) is None
    with pytest.raises(errors.ApplyError) as raised:
        await nginx.activate()
    assert (raised.value.stage, raised.value.restored) == ("reload", True)
    assert 'limit_req "z" uses the "$server_name" key' in raised.value.stderr
    actual = await nginx.read_actual()
    assert (actual.generation, actual.current_generation, actual.files) == (1, 1, files)
    assert await get(port) == "one"


async def test_first_start_on_a_taken_port_leaves_nothing_behind(
    nginx: nginx_server.NginxServer, layout: layout_.Layout
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        port = foreign.getsockname()[1]
        assert await nginx.stage(nginx_state.configuration(layout, site(port, "one"))) is None
        with pytest.raises(errors.EnvironmentProblemError, match=rf"\(pid {os.getpid()}\)") as raised:
            await nginx.activate()
    assert "nothing is live" in str(raised.value)
    assert not pathlib.Path(layout.current).is_symlink()
    assert not await nginx.is_running()
    assert process.find_family(layout) == []


async def test_one_address_instead_of_all_names_our_own_nginx(
    nginx: nginx_server.NginxServer, layout: layout_.Layout
) -> None:
    port = ports.free_port()
    await go_live(nginx, nginx_state.configuration(layout, f"listen {port};"))
    assert await nginx.stage(nginx_state.configuration(layout, f"listen 127.0.0.2:{port};")) is None
    with pytest.raises(errors.EnvironmentProblemError, match="daemun's own nginx holds the port"):
        await nginx.activate()
    assert (await nginx.read_actual()).generation == 1


# --- what a crash leaves ---------------------------------------------------------------------------------------


async def test_running_nginx_is_adopted_with_its_reloads(
    nginx: nginx_server.NginxServer, layout: layout_.Layout
) -> None:
    port = ports.free_port()
    await go_live(nginx, nginx_state.configuration(layout, site(port, "one")))
    await go_live(nginx, nginx_state.configuration(layout, site(port, "two")))
    while len((before := await nginx.read_actual()).workers) != 2:  # until the old ones have ended
        await asyncio.sleep(0.01)
    second = new_nginx(layout)
    assert await second.read_actual() == before
    assert second.reloads == 1
    await go_live(second, nginx_state.configuration(layout, site(port, "three")))
    assert (await second.read_actual()).pid == before.pid
    assert second.reloads == 2
    pathlib.Path(layout.nginx_pid).unlink()
    assert (await second.read_actual()).pid == before.pid
    await second.stop(grace_s=10)
    assert process.find_family(layout) == []


async def test_death_between_switch_and_reload_shows_both_numbers(
    nginx: nginx_server.NginxServer, layout: layout_.Layout
) -> None:
    port = ports.free_port()
    await go_live(nginx, nginx_state.configuration(layout, site(port, "one")))
    assert await nginx.stage(nginx_state.configuration(layout, site(port, "two"))) is None
    generation_folders.Generations(layout).switch(2)  # all that a killed daemun got done
    second = new_nginx(layout)
    actual = await second.read_actual()
    assert (actual.generation, actual.current_generation) == (1, 2)
    assert await second.activate() == 2
    await workers_of(second)
    assert await get(port) == "two"


async def test_stale_pid_file_is_not_believed(nginx: nginx_server.NginxServer, layout: layout_.Layout) -> None:
    port = ports.free_port()
    files = nginx_state.configuration(layout, site(port, "one"))
    assert await nginx.stage(files) is None
    pathlib.Path(layout.nginx_pid).write_text(f"{os.getpid()}\n")  # a process that is not nginx
    assert not await nginx.is_running()
    await nginx.stop(grace_s=0)  # must not end this test
    await nginx.activate()
    assert await get(port) == "one"


async def test_killed_nginx_is_started_again_and_its_orphans_finish(
    nginx: nginx_server.NginxServer, layout: layout_.Layout
) -> None:
    asked, release = asyncio.Event(), asyncio.Event()

    async def answer_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await release.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlate")
        await writer.drain()
        writer.close()

    upstream = await asyncio.start_server(answer_late, "127.0.0.1", 0)
    async with upstream:
        port, behind = ports.free_port(), upstream.sockets[0].getsockname()[1]
        slow = site(port, "one") + f"\nlocation /slow {{ proxy_pass http://127.0.0.1:{behind}; }}"
        await go_live(nginx, nginx_state.configuration(layout, slow))
        open_request = asyncio.create_task(get(port, "/slow"))
        await asked.wait()
        killed = (await nginx.read_actual()).pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        await wait_until(lambda: process.find_master(layout) is None)
        assert process.find_orphans(layout, None)

        assert (await nginx.read_actual()).pid is None
        assert await nginx.activate() == 1
        actual = await nginx.read_actual()
        assert actual.pid not in (None, killed)
        assert actual.generation == 1
        assert await get(port) == "one"
        release.set()
        assert await open_request == "late"
    await nginx.stop(grace_s=10)
    assert process.find_family(layout) == []


async def wait_until(done: collections.abc.Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0.01)


async def test_stop_ends_nginx_when_the_grace_is_over(nginx: nginx_server.NginxServer, layout: layout_.Layout) -> None:
    port = ports.free_port()
    await go_live(nginx, nginx_state.configuration(layout, site(port, "one")))
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")  # a request that never ends
    await writer.drain()
    await nginx.stop(grace_s=0.2)
    assert process.find_family(layout) == []
    writer.close()


# --- traffic ---------------------------------------------------------------------------------------------------


async def test_keep_alive_load_across_reloads_loses_nothing(
    nginx: nginx_server.NginxServer, layout: layout_.Layout
) -> None:
    port = ports.free_port()
    await go_live(nginx, nginx_state.configuration(layout, site(port, "0")))
    over = asyncio.Event()

    async def load() -> int:
        answered = 0
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            while not over.is_set():
                answer = await client.get(f"http://127.0.0.1:{port}/")
                assert answer.status_code == 200
                answered += 1
        return answered

    clients = [asyncio.create_task(load()) for _ in range(4)]
    for number in range(1, 21):
        assert await go_live(nginx, nginx_state.configuration(layout, site(port, str(number)))) == number + 1
        assert await get(port) == str(number)
    over.set()
    assert all(answered > 0 for answered in await asyncio.gather(*clients))
    assert nginx.reloads == 20


async def test_rotation_loses_no_line(nginx: nginx_server.NginxServer, layout: layout_.Layout) -> None:
    port = ports.free_port()
    await go_live(nginx, nginx_state.configuration(layout, site(port, "x")))
    settings = logs_option.Logs(max_bytes=0, keep=9)

    async def load(name: int) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            for number in range(150):
                await client.get(f"http://127.0.0.1:{port}/{name}-{number}")

    clients = [asyncio.create_task(load(name)) for name in range(4)]
    rotations = 0
    while not all(client.done() for client in clients):
        if rotations < 8 and pathlib.Path(layout.logs, "access.log").exists():
            rotations += await nginx.rotate_logs(settings)
        await asyncio.sleep(0.01)
    await asyncio.gather(*clients)
    await nginx.stop(grace_s=10)
    lines = [line for file in pathlib.Path(layout.logs).glob("access.log*") for line in file.read_text().splitlines()]
    asked = {line.split('"')[1].split()[1] for line in lines}
    assert asked == {f"/{name}-{number}" for name in range(4) for number in range(150)}
    assert len(lines) == 600
    assert rotations > 0


async def test_logs_renamed_by_a_daemon_that_died_are_opened_anew(
    nginx: nginx_server.NginxServer, layout: layout_.Layout
) -> None:
    port = ports.free_port()
    await go_live(nginx, nginx_state.configuration(layout, site(port, "x")))
    log = pathlib.Path(layout.logs, "access.log")
    log.rename(log.with_name("access.log.1"))
    assert await nginx.rotate_logs(logs_option.Logs())
    await wait_until(log.exists)
    assert not await nginx.rotate_logs(logs_option.Logs())
