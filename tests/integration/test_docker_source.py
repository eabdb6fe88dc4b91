"""The Docker source against a real engine: what is seen of containers, and how soon and how well it stays true."""

import asyncio
import contextlib
import os
import pathlib
import socket

import pytest

from daemun.errors import ConfigError
from daemun.sources.docker import docker_source, engine_client, engine_place, engine_watch, own_container
from tests.support import docker_engine as engines
from tests.support import docker_proxy, docker_tls
from tests.support.clock import FakeClock
from tests.support.docker_values import endpoints, messages
from tests.support.followed import LONGEST_S, SERVE, following, get, source_of, warnings

pytestmark = pytest.mark.docker

A = {"daemun.host": "a.test"}


# --- looking ---------------------------------------------------------------------------------------------------


async def test_every_network_that_this_machine_reaches_is_used(docker_engine: engines.DockerEngine) -> None:
    docker_engine.cli("network", "create", "--internal", "inner")
    docker_engine.run("inner-1", *SERVE, labels={"daemun.host": "inner.test"}, network="inner")
    docker_engine.run("bridge-1", *SERVE, labels={"daemun.host": "bridge.test"}, network="bridge")
    docker_engine.run("beside-1", "sleep", "1000", labels={"daemun.host": "beside.test"}, network="container:bridge-1")
    docker_engine.run("none-1", *SERVE, labels={"daemun.host": "none.test"}, network="none")
    docker_engine.run("host-1", "sleep", "1000", labels={"daemun.host": "host.test"}, network="host")
    docker_engine.run("both-1", *SERVE, labels={"daemun.host": "both.test"})
    docker_engine.cli("network", "connect", "inner", "both-1")

    found = await source_of(docker_engine).read()

    for host in ("inner.test", "bridge.test", "beside.test", "both.test"):
        assert await get(found, host) == "a page\n"
    assert endpoints(found, "both.test") == [f"{docker_engine.address('both-1')}:80"]
    assert endpoints(found, "host.test") == ["127.0.0.1:80"]
    assert endpoints(found, "none.test") == []
    (told,) = messages(found)
    assert told.startswith('container "none-1" has no network')


async def test_of_two_addresses_the_ipv4_one_is_used(docker_engine: engines.DockerEngine) -> None:
    if not pathlib.Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    docker_engine.cli("network", "create", "--ipv6", "--subnet=fd00:da:e0::/64", "six")
    docker_engine.run("six-1", *SERVE, labels=A, network="six")

    found = await source_of(docker_engine).read()

    assert endpoints(found, "a.test") == [f"{docker_engine.address('six-1', 'six')}:80"]
    assert await get(found) == "a page\n"


@pytest.mark.parametrize("value", [b"a.test;", b"a{", b"a\nb", b"$host", b'"', b"'", b"x" * 10_000, b"\xff\xfe.test"])
async def test_a_hostile_label_refuses_its_container_alone(docker_engine: engines.DockerEngine, value: bytes) -> None:
    text = value.decode(errors="surrogateescape")
    docker_engine.run("bad", labels={"daemun.host": text})
    docker_engine.run("good", *SERVE, labels=A)

    found = await source_of(docker_engine).read()

    assert [site.host for site in found.sites] == ["a.test"]
    assert await get(found) == "a page\n"
    (told,) = messages(found)
    assert told.startswith('cannot serve container "bad": ')


async def test_no_engine_at_all_is_an_error_that_names_it(tmp_path: pathlib.Path) -> None:
    missing = docker_source.DockerSource(
        (engine_place.EngineEndpoint(url=f"unix://{tmp_path}/none.sock"),), FakeClock(), traces=own_container.Traces()
    )

    with pytest.raises(ConfigError, match=r"cannot make the engine at unix://.*none\.sock list its containers"):
        await missing.read()


# --- following -------------------------------------------------------------------------------------------------


async def test_a_container_that_is_told_to_stop_gets_no_requests_while_it_finishes(
    docker_engine: engines.DockerEngine,
) -> None:
    stubborn = ("sh", "-c", "trap '' TERM; while true; do sleep 1; done")
    docker_engine.run("web-1", *stubborn, labels=A)
    address = docker_engine.address("web-1")

    async with following(source_of(docker_engine)) as followed:
        await followed.until_serving(f"{address}:80")
        await asyncio.to_thread(docker_engine.cli, "kill", "--signal=HUP", "web-1")
        await asyncio.to_thread(docker_engine.run, "web-2", labels={"daemun.host": "b.test"})
        after_hangup = await followed.until(lambda found: len(found.sites) == 2)
        assert endpoints(after_hangup, "a.test") == [f"{address}:80"]
        await asyncio.to_thread(docker_engine.cli, "kill", "--signal=TERM", "web-1")
        found = await followed.until_serving()
        assert warnings(found) == ['container "web-1" is being stopped, so it gets no new requests']
        await asyncio.to_thread(docker_engine.cli, "restart", "--time=0", "web-1")
        again = await followed.until_serving(f"{docker_engine.address('web-1')}:80")

    assert again.problems == ()
    assert again.sites == found.sites


async def test_one_that_did_not_mean_to_stop_is_served_again(
    docker_engine: engines.DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_watch, "LEAVING_S", 1.0)
    docker_engine.run("web-1", "sh", "-c", "trap '' TERM; while true; do sleep 1; done", labels=A)
    address = docker_engine.address("web-1")

    async with following(source_of(docker_engine)) as followed:
        await followed.until_serving(f"{address}:80")
        await asyncio.to_thread(docker_engine.cli, "kill", "--signal=TERM", "web-1")
        await followed.until_serving()
        await followed.until_serving(f"{address}:80")


async def test_health_and_pauses_take_a_container_out_and_in(docker_engine: engines.DockerEngine) -> None:
    check = ["--health-cmd=test -f /tmp/well", "--health-interval=500ms", "--health-retries=1"]
    docker_engine.run("web-1", *SERVE, labels=A, options=check)
    here = f"{docker_engine.address('web-1')}:80"

    async with following(source_of(docker_engine)) as followed:
        sick = await followed.until_serving()
        assert "is unhealthy by its own HEALTHCHECK" in warnings(sick)[0]
        await asyncio.to_thread(docker_engine.cli, "exec", "web-1", "touch", "/tmp/well")
        await followed.until_serving(here)
        await asyncio.to_thread(docker_engine.cli, "pause", "web-1")
        await followed.until_serving()
        await asyncio.to_thread(docker_engine.cli, "unpause", "web-1")
        await followed.until_serving(here)


async def test_health_checks_that_tell_nothing_new_are_no_changes(docker_engine: engines.DockerEngine) -> None:
    docker_engine.run("web-1", *SERVE, labels=A, options=["--health-cmd=true", "--health-interval=100ms"])

    async with following(source_of(docker_engine)) as followed:
        await followed.until(lambda found: bool(found.sites) and not found.problems)
        before = followed.changes
        # Ten checks later nothing was told; the network that is made last is seen after them, and tells nothing either.
        for _ in range(10):
            await asyncio.to_thread(docker_engine.cli, "exec", "web-1", "true")
        await asyncio.to_thread(docker_engine.run, "web-2", *SERVE, labels={"daemun.host": "b.test"})
        await followed.until(lambda found: len(found.sites) == 2 and bool(endpoints(found, "b.test")))

    assert followed.changes - before <= 3  # of web-2: created, attached, started


# --- an engine that is gone ------------------------------------------------------------------------------------


async def test_an_engine_that_stops_keeps_the_last_state_and_is_told_of(docker_engine: engines.DockerEngine) -> None:
    docker_engine.run("web-1", *SERVE, labels=A, options=["--restart=always"])

    async with following(source_of(docker_engine)) as followed:
        before = await followed.until_serving(f"{docker_engine.address('web-1')}:80")
        await asyncio.to_thread(docker_engine.stop)
        gone = await followed.until(lambda found: any("cannot" in text for text in warnings(found)))
        await asyncio.to_thread(docker_engine.start)
        back = await followed.until(lambda found: not found.problems and endpoints(found, "a.test") != [])

    (outage,) = (problem for problem in gone.problems if problem.origin.place == docker_engine.url)
    assert "; since 20" in outage.message
    assert "the containers that it listed last are taken as unchanged" in outage.message
    assert before.sites == gone.sites == back.sites
    assert await get(back) == "a page\n"


async def test_an_engine_that_comes_later_is_found(docker_engine: engines.DockerEngine) -> None:
    docker_engine.stop()
    async with following(source_of(docker_engine)) as followed:
        with pytest.raises(ConfigError):
            await followed.source.read()
        await asyncio.to_thread(docker_engine.start)
        found = await followed.until(lambda found: found.problems == ())

    assert found.sites == ()


# --- behind a proxy, with TLS ----------------------------------------------------------------------------------


async def test_a_socket_proxy_that_lets_only_reading_through_is_enough(docker_engine: engines.DockerEngine) -> None:
    async with (
        docker_proxy.filtering(docker_engine.socket) as port,
        following(source_of(docker_engine, f"tcp://127.0.0.1:{port}")) as followed,
    ):
        await followed.until(lambda found: found.sites == ())
        await asyncio.to_thread(docker_engine.run, "web-1", *SERVE, labels=A)
        found = await followed.until_serving(f"{docker_engine.address('web-1')}:80")

    assert found.problems == ()


@pytest.mark.parametrize("forbidden", docker_proxy.ALLOWED)
async def test_what_a_socket_proxy_has_to_let_through_is_told(
    docker_engine: engines.DockerEngine, forbidden: str
) -> None:
    allowed = [name for name in docker_proxy.ALLOWED if name != forbidden]
    async with docker_proxy.filtering(docker_engine.socket, allowed=allowed) as port:
        asked = source_of(docker_engine, f"tcp://127.0.0.1:{port}")
        async with following(asked) as followed:
            if forbidden == "events":
                found = await followed.until(lambda found: found.problems != ())
                told = warnings(found)[0]
            else:
                with pytest.raises(ConfigError) as error:
                    await asked.read()
                told = str(error.value)

    assert "a socket proxy must allow GET of containers, networks, version, events" in told


async def test_without_events_the_engine_is_looked_at_again_and_again(docker_engine: engines.DockerEngine) -> None:
    async with (
        docker_proxy.filtering(docker_engine.socket, allowed=["containers", "networks", "version"]) as port,
        following(source_of(docker_engine, f"tcp://127.0.0.1:{port}")) as followed,
    ):
        await followed.until(lambda found: found.problems != ())
        before = followed.changes
        await asyncio.to_thread(docker_engine.run, "web-1", *SERVE, labels=A)
        found = await followed.until_serving(f"{docker_engine.address('web-1')}:80")

    assert len(warnings(found)) == 1
    assert followed.changes - before <= 2


@pytest.mark.parametrize("steps", range(8))
async def test_a_cancellation_while_a_connection_is_closed_is_not_lost(
    docker_engine: engines.DockerEngine, steps: int
) -> None:
    leaves = asyncio.Event()

    async def connect_and_leave() -> None:
        async with engine_client.connect(engine_place.EngineEndpoint(url=docker_engine.url)) as engine:
            async with contextlib.aclosing(engine.follow(lambda: LONGEST_S)) as happenings:
                await anext(happenings)
            leaves.set()
        await asyncio.sleep(LONGEST_S)

    task = asyncio.create_task(connect_and_leave())
    await leaves.wait()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task}, timeout=60)
    assert task.cancelled()


async def test_tls_proves_both_sides(docker_engine: engines.DockerEngine, tmp_path: pathlib.Path) -> None:
    docker_tls.write_certificates(tmp_path)
    docker_engine.run("web-1", *SERVE, labels=A)

    async with docker_proxy.filtering(docker_engine.socket, tls=docker_tls.mutual_tls(tmp_path)) as port:
        url = f"tcp://127.0.0.1:{port}"
        found = await source_of(docker_engine, url, tls=docker_tls.files(tmp_path)).read()
        with pytest.raises(ConfigError):
            await source_of(docker_engine, url).read()
    with pytest.raises(ConfigError, match=r"No such file or directory; expected .*none/ca\.pem"):
        await source_of(docker_engine, "tcp://127.0.0.1:1", tls=docker_tls.files(tmp_path / "none")).read()

    assert [site.host for site in found.sites] == ["a.test"]


# --- where the engine is ---------------------------------------------------------------------------------------


def test_the_engine_is_found_as_docker_finds_it() -> None:
    remote = {"DOCKER_HOST": "tcp://h:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"}
    files = docker_tls.files(pathlib.Path("/certs"))

    assert engine_place.find_endpoint(remote) == engine_place.EngineEndpoint(url="tcp://h:2376", tls=files)
    assert engine_place.find_endpoint({"DOCKER_HOST": "unix:///x.sock"}) == engine_place.EngineEndpoint(
        url="unix:///x.sock"
    )


def test_where_nginx_proxy_has_the_socket_it_counts_in_its_place_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "docker.sock"
    monkeypatch.setattr(engine_place, "SOCKETS", ())
    monkeypatch.setattr(engine_place, "NGINX_PROXYS_SOCKET", str(path))
    assert engine_place.find_endpoint({}, like_nginx_proxy=True) is None

    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(path))
        found = engine_place.EngineEndpoint(url=f"unix://{path}", is_found=True)
        assert engine_place.find_endpoint({}, like_nginx_proxy=True) == found
        assert engine_place.find_endpoint({}) is None
        if os.geteuid() == 0:
            os.chown(path, 65534, 65534)  # anybody can make a socket in /tmp
            assert engine_place.find_endpoint({}, like_nginx_proxy=True) is None


@pytest.mark.parametrize("url", ["docker.sock", "unix://", "npipe:////./pipe/x"])
async def test_another_kind_of_endpoint_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r'expected "unix:///var/run/docker\.sock", '):
        await docker_source.DockerSource(
            (engine_place.EngineEndpoint(url=url),), FakeClock(), traces=own_container.Traces()
        ).read()
