"""The source of containers against a real Docker and a real Podman: what is the same with both."""

import asyncio
import contextlib

import pytest

from daemun.errors import RetryableError
from daemun.sources.docker import containers, engine_client, engine_place, engine_watch, own_container
from tests.support import container_engine
from tests.support.docker_values import endpoints
from tests.support.followed import SERVE, following, get, source_of, warnings

A = {"daemun.host": "a.test"}


@pytest.fixture(
    params=[
        pytest.param("docker_engine", marks=pytest.mark.docker),
        pytest.param("podman_engine", marks=pytest.mark.podman),
    ]
)
def engine(request: pytest.FixtureRequest) -> container_engine.ContainerEngine:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, container_engine.ContainerEngine)
    return found


async def test_containers_are_sites_whose_servers_answer(engine: container_engine.ContainerEngine) -> None:
    engine.run("web-1", *SERVE, labels=A, options=["--expose=53/udp"])
    engine.run("silent")
    on_8000 = ("httpd", "-f", "-p", "8000", "-h", "/www")
    engine.run("web-2", *on_8000, labels={"daemun.host": "b.test", "daemun.port": "8000"})

    found = await source_of(engine).read()

    assert [site.host for site in found.sites] == ["a.test", "b.test"]
    assert found.problems == ()
    assert endpoints(found, "b.test") == [f"{engine.address('web-2')}:8000"]
    assert await get(found, "a.test") == await get(found, "b.test") == "a page\n"


async def test_daemun_knows_which_container_it_is_in(engine: container_engine.ContainerEngine) -> None:
    own = engine.run("own", options=["--hostname=somewhere"])
    engine.run("other")

    def read(path: str) -> str:
        return engine.cli("exec", "own", "cat", path)

    traces = own_container.Traces(
        mountinfo=read("/proc/self/mountinfo"), cgroup=read("/proc/self/cgroup"), hostname="somewhere"
    )
    async with engine_client.connect(engine_place.EngineEndpoint(url=engine.url)) as client:
        listing = await client.fetch_listing()

    assert own_container.find_own_id(traces, [one.id for one in listing.containers]) == own
    assert own_container.find_own_id(own_container.read_traces(), [one.id for one in listing.containers]) is None


async def test_a_service_is_scaled_and_replaced_without_a_change_of_its_site(
    engine: container_engine.ContainerEngine,
) -> None:
    async with following(source_of(engine)) as followed:
        await followed.until(lambda found: found.sites == ())
        await asyncio.to_thread(engine.run, "web-1", *SERVE, labels=A)
        one = engine.address("web-1")
        first = await followed.until_serving(f"{one}:80")
        await asyncio.to_thread(engine.run, "web-2", *SERVE, labels=A)
        two = engine.address("web-2")
        both = await followed.until_serving(f"{one}:80", f"{two}:80")
        await asyncio.to_thread(engine.remove, "web-1", "web-2")
        none = await followed.until_serving()
        await asyncio.to_thread(engine.run, "web-3", *SERVE, labels=A)
        last = await followed.until_serving(f"{engine.address('web-3')}:80")

    assert first.sites == both.sites == none.sites == last.sites
    assert await get(last) == "a page\n"


async def test_a_look_that_fails_late_does_not_replace_what_was_followed_meanwhile(
    engine: container_engine.ContainerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the failure stayed until something changed: whoever follows only reports what differs."""
    engine.run("web-1", *SERVE, labels=A)
    source = source_of(engine)
    has_begun, may_end = asyncio.Event(), asyncio.Event()

    async def fail_late(_: engine_client.Engine) -> containers.ContainerListing:
        has_begun.set()
        await may_end.wait()
        raise RetryableError("it did not answer in time")

    monkeypatch.setattr(engine_client.Engine, "fetch_listing", fail_late)
    late = asyncio.create_task(source.read())
    await has_begun.wait()
    async with contextlib.aclosing(source.changes()) as changes:
        await anext(changes)
        may_end.set()
        found = await late

    assert found.problems == ()
    assert endpoints(found, "a.test") == [f"{engine.address('web-1')}:80"]


async def test_an_engine_that_hangs_is_told_of(
    engine: container_engine.ContainerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_watch, "LOOK_AGAIN_S", 0.2)
    engine.run("web-1", *SERVE, labels=A)
    here = f"{engine.address('web-1')}:80"

    async with following(source_of(engine)) as followed:
        await followed.until_serving(here)
        engine.freeze()
        with monkeypatch.context() as impatient:
            impatient.setattr(engine_client, "ANSWER_S", 1.0)
            hanging = await followed.until(lambda found: found.problems != ())
        engine.thaw()
        well = await followed.until(lambda found: found.problems == ())

    assert "it did not answer in time" in warnings(hanging)[0]
    assert endpoints(hanging, "a.test") == endpoints(well, "a.test") == [here]
