"""Addresses are tried as nginx would take them: beside real sockets of others, and of an nginx of our own."""

import collections.abc
import contextlib
import os
import pathlib
import signal
import socket

import pytest

from daemun.core import layout as layout_
from daemun.core import model
from daemun.core.plan import listeners
from daemun.nginx import address_trial, find_nginx, nginx_server, process, worker_account
from tests.support import binaries, nginx_state, ports

pytestmark = pytest.mark.nginx

needs_ipv6 = pytest.mark.skipif(not pathlib.Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6")
LOOPBACK = "127.0.0.1"


@pytest.fixture
def layout() -> collections.abc.Iterator[layout_.Layout]:
    with nginx_state.state_directory() as found:
        yield found


async def denied(layout: layout_.Layout, *addresses: str) -> dict[str, listeners.Denied]:
    trial = address_trial.AddressTrial(lambda: str(binaries.nginx_path()), layout)
    return {one.address: one for one in await trial.find_denied(addresses)}


@contextlib.contextmanager
def held(address: str, family: socket.AddressFamily = socket.AF_INET, **options: bool) -> collections.abc.Iterator[int]:
    """A socket of this test's that listens; yields its port."""
    with socket.create_server((address, 0), family=family, **options) as holder:
        yield holder.getsockname()[1]


# --- beside other programs -------------------------------------------------------------------------------------


async def test_a_free_port_is_nothing_to_tell(layout: layout_.Layout) -> None:
    assert await denied(layout, f"0.0.0.0:{ports.free_port()}", "unix:/x.sock", "name.test:80", "0.0.0.0:http") == {}


@pytest.mark.parametrize("holder", [LOOPBACK, "0.0.0.0"])
@pytest.mark.parametrize("asked", [LOOPBACK, "0.0.0.0"])
async def test_a_port_that_another_program_holds_is_told_with_its_name(
    layout: layout_.Layout, holder: str, asked: str
) -> None:
    with held(holder) as port:
        found = await denied(layout, f"{asked}:{port}", f"0.0.0.0:{ports.free_port()}")
    (one,) = found.values()
    assert one.address == f"{asked}:{port}"
    assert one.cause.startswith("the port is taken by ")
    assert f"(pid {os.getpid()})" in one.cause
    assert one.ways == ("stop that program",)


async def test_another_address_of_the_port_is_free(layout: layout_.Layout) -> None:
    with held(LOOPBACK) as port:
        assert await denied(layout, f"127.0.0.2:{port}") == {}


@needs_ipv6
async def test_ipv4_and_ipv6_are_taken_apart_unless_one_socket_has_both(layout: layout_.Layout) -> None:
    with held("::1", socket.AF_INET6) as port:
        assert set(await denied(layout, f"0.0.0.0:{port}", f"[::]:{port}")) == {f"[::]:{port}"}
    with held("0.0.0.0") as port:
        assert set(await denied(layout, f"0.0.0.0:{port}", f"[::]:{port}")) == {f"0.0.0.0:{port}"}
    with held("::", socket.AF_INET6, dualstack_ipv6=True) as port:
        found = await denied(layout, f"0.0.0.0:{port}", f"[::]:{port}")
    assert set(found) == {f"0.0.0.0:{port}", f"[::]:{port}"}
    assert f"(pid {os.getpid()})" in found[f"0.0.0.0:{port}"].cause


async def test_connections_that_wait_for_their_end_hold_nothing(layout: layout_.Layout) -> None:
    port = ports.free_port()
    with socket.create_server((LOOPBACK, port)) as holder, socket.create_connection((LOOPBACK, port)) as client:
        ours, _ = holder.accept()
        ours.close()  # who closes first waits
        assert client.recv(1) == b""
    assert await denied(layout, f"{LOOPBACK}:{port}") == {}


async def test_an_address_that_is_none_of_the_machines_is_told(layout: layout_.Layout) -> None:
    found = await denied(layout, "192.0.2.7:80")  # RFC 5737: for documentation
    assert found["192.0.2.7:80"].cause == "this machine has no such address now"


async def test_trying_takes_nothing_away(layout: layout_.Layout) -> None:
    with held(LOOPBACK) as port:
        await denied(layout, f"{LOOPBACK}:{port}")
        with socket.create_connection((LOOPBACK, port)):
            pass
    free = ports.free_port()
    await denied(layout, f"{LOOPBACK}:{free}")
    with socket.create_server((LOOPBACK, free)):
        pass


# --- beside our own nginx --------------------------------------------------------------------------------------


async def live(layout: layout_.Layout, listen: str) -> model.Actual:
    nginx = nginx_server.NginxServer(find_nginx.find(str(binaries.nginx_path())), layout, worker_account.choose(None))
    assert await nginx.stage(nginx_state.configuration(layout, f"listen {listen};")) is None
    await nginx.activate()
    return await nginx.read_actual()


async def test_what_our_nginx_holds_is_ours(layout: layout_.Layout) -> None:
    port = ports.free_port()
    await live(layout, f"{LOOPBACK}:{port}")
    assert await denied(layout, f"{LOOPBACK}:{port}") == {}


async def test_but_not_under_another_address(layout: layout_.Layout) -> None:
    port = ports.free_port()
    await live(layout, f"0.0.0.0:{port}")
    found = await denied(layout, f"{LOOPBACK}:{port}")
    assert "daemun's own nginx holds the port under another address" in found[f"{LOOPBACK}:{port}"].cause


async def test_what_is_left_of_a_killed_nginx_makes_way(layout: layout_.Layout) -> None:
    port = ports.free_port()
    actual = await live(layout, f"0.0.0.0:{port}")
    assert actual.pid is not None
    os.kill(actual.pid, signal.SIGKILL)
    while process.find_master(layout) is not None:
        pass
    assert process.find_orphans(layout, None)
    assert await denied(layout, f"0.0.0.0:{port}", f"{LOOPBACK}:{port}") == {}
