"""The Docker source against Podman's compatible socket: what differs there is no difference to daemun."""

import asyncio
import contextlib
import json
import pathlib

import pytest

from daemun.sources.docker import engine_client, engine_events, engine_place
from tests.support import podman_engine as engines
from tests.support.docker_values import endpoints, messages
from tests.support.followed import SERVE, following, get, source_of, warnings

pytestmark = pytest.mark.podman

A = {"daemun.host": "a.test"}


# --- looking ---------------------------------------------------------------------------------------------------


async def test_every_network_that_this_machine_reaches_is_used(podman_engine: engines.PodmanEngine) -> None:
    podman_engine.cli("network", "create", "--internal", "inner")
    podman_engine.run("inner-1", *SERVE, labels={"daemun.host": "inner.test"}, network="inner")
    podman_engine.run("web-1", *SERVE, labels={"daemun.host": "web.test"})
    podman_engine.run("beside-1", "sleep", "1000", labels={"daemun.host": "beside.test"}, network="container:web-1")
    podman_engine.run("none-1", *SERVE, labels={"daemun.host": "none.test"}, network="none")
    podman_engine.run("host-1", "sleep", "1000", labels={"daemun.host": "host.test"}, network="host")

    found = await source_of(podman_engine).read()

    for host in ("inner.test", "web.test", "beside.test"):
        assert await get(found, host) == "a page\n"
    assert endpoints(found, "host.test") == ["127.0.0.1:80"]
    (told,) = messages(found)
    assert told.startswith('container "none-1" has no network')


async def test_a_network_that_the_machine_itself_has_no_part_in_is_told(podman_engine: engines.PodmanEngine) -> None:
    """Podman tells the name of a container's network where Docker tells its id."""
    podman_engine.run("web-1", *SERVE, labels=A)  # brings the bridge up that the other network lies on
    below = json.loads(podman_engine.cli("network", "inspect", engines.NETWORK))[0]["network_interface"]
    options = ("--driver=macvlan", f"--opt=parent={below}", "--subnet=10.214.77.0/24")
    podman_engine.cli("network", "create", *options, "apart")
    podman_engine.run("apart-1", *SERVE, labels={"daemun.host": "apart.test"}, network="apart")

    found = await source_of(podman_engine).read()

    assert endpoints(found, "apart.test") == []
    (told,) = messages(found)
    assert 'has no address on a network that this machine reaches (it is on "apart")' in told


async def test_a_server_on_a_network_of_ipv6_alone_is_reached(podman_engine: engines.PodmanEngine) -> None:
    if not pathlib.Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    podman_engine.cli("network", "create", "--subnet=fd00:da:e1::/64", "six")
    podman_engine.run("six-1", *SERVE, labels=A, network="six")

    found = await source_of(podman_engine).read()

    (endpoint,) = endpoints(found, "a.test")
    assert endpoint.startswith("[fd00:da:e1::")
    assert await get(found) == "a page\n"


# --- following -------------------------------------------------------------------------------------------------


async def test_stopped_killed_and_started_again(podman_engine: engines.PodmanEngine) -> None:
    podman_engine.run("web-1", *SERVE, labels=A)

    async with following(source_of(podman_engine)) as followed:
        await followed.until_serving(f"{podman_engine.address('web-1')}:80")
        for way in (("stop", "--time=0"), ("kill",)):
            await asyncio.to_thread(podman_engine.cli, *way, "web-1")
            await followed.until_serving()
            # Until Podman has cleaned up behind it, it is "stopped".
            found = await followed.until(lambda found: any('"exited"' in text for text in warnings(found)))
            assert 'container "web-1" is not running: its state is "exited"; start it with' in warnings(found)[0]
            await asyncio.to_thread(podman_engine.cli, "start", "web-1")
            await followed.until_serving(f"{podman_engine.address('web-1')}:80")


async def test_health_and_pauses_take_a_container_out_and_in(podman_engine: engines.PodmanEngine) -> None:
    check = ["--health-cmd=test -f /tmp/well", "--health-interval=disable", "--health-retries=1"]
    podman_engine.run("web-1", *SERVE, labels=A, options=check)
    here = f"{podman_engine.address('web-1')}:80"

    async with following(source_of(podman_engine)) as followed:
        await followed.until_serving(here)  # its check did not end yet, and there is no other
        await asyncio.to_thread(podman_engine.check_health, "web-1")
        sick = await followed.until_serving()
        assert "is unhealthy by its own HEALTHCHECK" in warnings(sick)[0]
        await asyncio.to_thread(podman_engine.cli, "exec", "web-1", "touch", "/tmp/well")
        await asyncio.to_thread(podman_engine.check_health, "web-1")
        await followed.until_serving(here)
        await asyncio.to_thread(podman_engine.cli, "pause", "web-1")
        paused = await followed.until_serving()
        assert 'its state is "paused"' in warnings(paused)[0]
        await asyncio.to_thread(podman_engine.cli, "unpause", "web-1")
        await followed.until_serving(here)


async def test_programs_that_run_in_a_container_are_no_reason_to_look(podman_engine: engines.PodmanEngine) -> None:
    podman_engine.run("web-1", *SERVE, labels=A)
    async with engine_client.connect(engine_place.EngineEndpoint(url=podman_engine.url)) as engine:
        seen: list[engine_events.EngineEvent] = []
        async with contextlib.aclosing(engine.follow(lambda: 60.0)) as happenings:
            await anext(happenings)
            for _ in range(3):
                await asyncio.to_thread(podman_engine.cli, "exec", "web-1", "true")
            await asyncio.to_thread(podman_engine.cli, "pause", "web-1")
            while not any(event.action == "pause" for event in seen):
                seen += await anext(happenings)
        await asyncio.to_thread(podman_engine.cli, "unpause", "web-1")

    assert {event.action for event in seen} == {"pause"}


# --- a service that is gone ------------------------------------------------------------------------------------


async def test_a_service_that_stops_keeps_the_last_state_and_is_told_of(podman_engine: engines.PodmanEngine) -> None:
    podman_engine.run("web-1", *SERVE, labels=A)
    here = f"{podman_engine.address('web-1')}:80"

    async with following(source_of(podman_engine)) as followed:
        before = await followed.until_serving(here)
        await asyncio.to_thread(podman_engine.stop)
        gone = await followed.until(lambda found: any("cannot" in text for text in warnings(found)))
        assert await get(gone) == "a page\n"
        # What nobody could tell of meanwhile is seen at the first look.
        await asyncio.to_thread(podman_engine.run, "web-2", *SERVE, labels={"daemun.host": "b.test"})
        await asyncio.to_thread(podman_engine.start)
        back = await followed.until(lambda found: not found.problems)
        assert await get(back, "b.test") == "a page\n"
        await asyncio.to_thread(podman_engine.cli, "rm", "--force", "--time=0", "web-2")
        await followed.until_serving(host="b.test")  # events are told again

    assert "the containers that it listed last are taken as unchanged" in warnings(gone)[0]
    assert before.sites == gone.sites
    assert endpoints(back, "a.test") == [here]
