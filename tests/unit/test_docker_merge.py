"""What several engines listed becomes one listing, and what is kept of each for a start without it."""

import dataclasses
import json
import pathlib

import pytest

from daemun.core import model
from daemun.core.options import docker_option
from daemun.errors import ConfigError
from daemun.sources.docker import (
    chosen_engine,
    containers,
    docker_source,
    engine_place,
    listing_store,
    own_container,
)
from daemun.store import memory_store
from tests.support.clock import FakeClock
from tests.support.docker_values import GATE, container, endpoints, identity, messages

A = {"daemun.host": "a.test"}
LOCAL = engine_place.EngineEndpoint(url="unix:///d.sock", name="local")
NAS = engine_place.EngineEndpoint(url="ssh://me@nas", name="nas", machine="10.9.0.7")
SECRET = "com.example.password"


def listing(*found: containers.EngineContainer) -> docker_source.KnownEngine:
    return docker_source.KnownEngine(listing=containers.ContainerListing(containers=found, networks=(GATE,)))


def far(name: str, **labels: str) -> containers.EngineContainer:
    at = containers.PublishedPort(port=80, host_port=8080, address="0.0.0.0")
    return dataclasses.replace(container(name, A | labels, age_s=-1), published=(at,))


def source(*engines: engine_place.EngineEndpoint, **known: docker_source.KnownEngine) -> docker_source.DockerSource:
    """known: by the name of an engine."""
    by_url = {one.url: known[one.name] for one in engines if one.name in known}
    return docker_source.DockerSource(engines, FakeClock(), traces=own_container.Traces(), known=by_url)


def test_each_engine_counts_as_it_was_last() -> None:
    found = source(LOCAL, NAS, local=listing(container("web-1", A)), nas=listing(far("web-2"))).latest()

    assert endpoints(found, "a.test") == ["10.0.0.2:80", "10.9.0.7:8080"]
    assert [(one.name, one.place, one.answers) for one in found.engines] == [
        ("local", "unix:///d.sock", False),
        ("nas", "ssh://nas", False),
    ]
    assert all(
        "those that were known last are taken as unchanged" in one for one in messages(found, model.Severity.WARNING)
    )


def test_one_that_was_never_seen_is_an_error_and_the_other_is_served() -> None:
    found = source(LOCAL, NAS, local=listing(container("web-1", A))).latest()

    assert endpoints(found, "a.test") == ["10.0.0.2:80"]
    (told,) = messages(found)
    assert told.startswith("engine nas (ssh://nas): cannot see the containers of the engine nas at ssh://nas yet")
    assert "take it out of `docker` in daemun.yaml" in told
    neither = source(LOCAL, NAS).latest()
    assert len(messages(neither)) == 2 and neither.sites == ()


def test_the_only_engine_raises_as_long_as_it_was_never_seen() -> None:
    with pytest.raises(ConfigError, match=r"cannot see the containers of unix:///d\.sock yet"):
        source(engine_place.EngineEndpoint(url="unix:///d.sock")).latest()


def test_an_engine_that_is_named_twice_counts_once() -> None:
    """Also one that lists the container of another one as its own: the first in the file has it."""
    twin = engine_place.EngineEndpoint(url="unix:////d.sock", name="twin")
    forged = dataclasses.replace(container("evil", {"daemun.host": "b.test"}), id=identity("web-1"))
    mine = listing(container("web-1", A))
    same = source(LOCAL, twin, local=mine, twin=mine).latest()
    other = source(LOCAL, twin, local=mine, twin=listing(forged)).latest()

    for found in (same, other):
        assert [site.host for site in found.sites] == ["a.test"]
        assert [(one.name, one.engine) for one in found.containers] == [("web-1", "local")]
        assert any('has containers of the engine "local"' in one for one in messages(found, model.Severity.WARNING))


@pytest.mark.parametrize("is_vip", [False, True])
def test_a_task_counts_once_with_its_manager_and_its_worker(*, is_vip: bool) -> None:
    """Its labels are on its container, too, which the worker lists. So does one that Swarm has told to stop there."""
    overlay = containers.Attachment(network="web", name="web", ipv4="10.0.1.11")
    task = dataclasses.replace(
        container("shop.1.t1", A),
        id="shop-id" if is_vip else "t1",
        attachments=(overlay,),
        task=containers.SwarmTask(
            service="shop", service_id="shop-id", container=None if is_vip else identity("shop.1.t1")
        ),
    )
    of_task = {containers.SWARM_SERVICE: "shop-id"}
    here, stopping = far("shop.1.t1", **of_task), far("shop.1.t0", **of_task)
    other = far("other-1", **{containers.SWARM_SERVICE: "other-id", "daemun.host": "b.test"})
    web = containers.ContainerNetwork(id="web", name="web", driver="overlay")
    gate = container("gate", attachments=(dataclasses.replace(overlay, ipv4="10.0.1.200"),))
    manager = docker_source.KnownEngine(listing=containers.ContainerListing(containers=(task, gate), networks=(web,)))
    store = memory_store.MemoryStore()
    encoded = listing_store.encode(stored(engine(NAS.url, NAS.name, here, stopping, other)))
    listing_store.write_stored(store, encoded)
    earlier = listing_store.read_stored(store)
    assert earlier is not None
    for seen in (listing(here, stopping, other), docker_source.KnownEngine(listing=earlier.listing)):
        found = docker_source.DockerSource(
            (LOCAL, NAS),
            FakeClock(),
            traces=own_container.Traces(hostname=gate.id[:12]),
            known={LOCAL.url: manager, NAS.url: seen},
        ).latest()
        assert endpoints(found, "a.test") == ["10.0.1.11:80"]
        assert endpoints(found, "b.test") == ["10.9.0.7:8080"]
        assert [one.name for one in found.containers] == ["other-1", "shop.1.t1"]


def test_networks_of_one_name_are_told_apart() -> None:
    apart = containers.ContainerListing(
        containers=(container("web-1", A),), networks=(dataclasses.replace(GATE, driver="macvlan"),)
    )
    other = engine_place.EngineEndpoint(url="unix:///p.sock", name="podman")
    found = source(
        LOCAL,
        other,
        local=docker_source.KnownEngine(listing=apart),
        podman=listing(container("web-2", {"daemun.host": "b.test"}, ip="10.0.0.3")),
    ).latest()
    assert endpoints(found, "a.test") == [] and endpoints(found, "b.test") == ["10.0.0.3:80"]


def test_the_snapshot_is_the_same_while_nothing_changes() -> None:
    both = source(LOCAL, NAS, local=listing(container("web-1", A)), nas=listing(far("web-2")))
    first, second = both.latest(), both.latest()
    assert first == second and first.sites[0] is second.sites[0] and first.pools is second.pools


# --- kept for a start ------------------------------------------------------------------------------------------


def stored(*engines: listing_store.StoredEngine) -> listing_store.StoredListing:
    first, *others = engines
    fields = {one.name: getattr(first, one.name) for one in dataclasses.fields(listing_store.StoredEngine)}
    return listing_store.StoredListing(**fields, others=tuple(others))


def engine(url: str, name: str, *found: containers.EngineContainer) -> listing_store.StoredEngine:
    return listing_store.StoredEngine(
        url=url, name=name, listing=containers.ContainerListing(containers=found), addresses=("10.9.0.7",)
    )


def restart(store: memory_store.MemoryStore, *engines: docker_option.EngineChoice) -> chosen_engine.ChosenEngine:
    found = chosen_engine.ChosenEngine(FakeClock(), store, environ={}, traces=own_container.Traces())
    found.configure(docker_option.Docker(engines=engines))
    return found


def test_all_are_kept_without_what_may_be_secret_and_an_earlier_version_reads_the_first() -> None:
    store = memory_store.MemoryStore()
    given = stored(
        engine("unix:///d.sock", "local", container("web-1", A)),
        engine("ssh://me@nas", "nas", far("web-2", **{SECRET: "x"})),
    )
    encoded = listing_store.encode(given)
    assert SECRET.encode() not in encoded
    listing_store.write_stored(store, encoded)
    found = listing_store.read_stored(store)
    assert found is not None and [one.name for one in found.engines] == ["local", "nas"]
    assert found.engines[1].addresses == ("10.9.0.7",)
    assert found.engines[1].listing.containers[0].published == far("x").published
    as_before = json.loads(encoded)
    assert (as_before["url"], as_before["listing"]["containers"][0]["name"]) == ("unix:///d.sock", "web-1")
    # And what an earlier version kept is read.
    for key in ("others", "addresses", "name"):
        del as_before[key]
    for key in ("published", "engine"):
        del as_before["listing"]["containers"][0][key]
    listing_store.write_stored(store, json.dumps(as_before).encode())
    earlier = listing_store.read_stored(store)
    assert earlier is not None and earlier.listing.containers == (container("web-1", A),)


@pytest.mark.parametrize(
    ("url", "name", "is_known"),
    [
        ("ssh://me@nas", "nas", True),
        ("ssh://me@nas", "other", True),
        ("tcp://10.9.0.8:2376", "nas", True),
        ("ssh://me@attic", "attic", False),
    ],
)
def test_an_engine_is_known_again_by_its_name_or_its_url(url: str, name: str, *, is_known: bool) -> None:
    store = memory_store.MemoryStore()
    kept = stored(engine("unix:///d.sock", "local"), engine("ssh://me@nas", "nas", far("web-2")))
    listing_store.write_stored(store, listing_store.encode(kept))
    chosen = restart(
        store,
        docker_option.EngineChoice(name="local", endpoint="unix:///d.sock"),
        docker_option.EngineChoice(name=name, endpoint=url, address="10.9.0.7"),
    )
    assert chosen._source is not None
    found = chosen._source.latest()
    assert [site.host for site in found.sites] == (["a.test"] if is_known else [])
    if is_known:
        assert endpoints(found, "a.test") == ["10.9.0.7:8080"]
        assert found.containers[0].full_name == f"web-2@{name}"


def test_an_engine_that_was_named_is_not_revived_when_it_is_not_named_any_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """Neither after a start nor at once, and what it listed is forgotten; one that was found waits for its socket."""
    monkeypatch.setattr(engine_place, "SOCKETS", (str(tmp_path / "docker.sock"),))
    nas, two = (engine(f"ssh://{one}", one, far("web-2")) for one in ("nas", "two"))
    store = memory_store.MemoryStore()
    listing_store.write_stored(store, listing_store.encode(stored(nas, two)))
    assert restart(store)._source is None

    named = [docker_option.EngineChoice(name=one.name, endpoint=one.url) for one in (nas, two)]
    chosen = restart(store, *named)
    assert chosen._source is not None and len(chosen._source.known) == 2
    for _ in range(2):
        chosen.configure(docker_option.Docker())
        assert chosen._source is None and store.list("history") == []

    here = engine(f"unix://{tmp_path}/docker.sock", "local", container("web-1", A))
    listing_store.write_stored(store, listing_store.encode(stored(nas, here)))
    chosen = restart(store)
    assert chosen._source is not None
    assert [(one.url, one.is_found) for one in chosen._source.known] == [(here.url, True)]
    chosen.configure(docker_option.Docker(networks=("lan",)))
    assert [(one.url, one.networks) for one in chosen._source.known] == [(here.url, ("lan",))]


def test_a_single_engine_of_another_machine_inherits_nothing_from_this_one() -> None:
    """Its containers' ports would be looked for there."""
    store = memory_store.MemoryStore()
    here = listing_store.StoredListing(
        url="unix:///d.sock", listing=containers.ContainerListing(containers=(far("web-1"),))
    )
    listing_store.write_stored(store, listing_store.encode(here))
    chosen = restart(store, docker_option.EngineChoice(name="nas", endpoint="ssh://me@nas", address="10.9.0.7"))
    assert chosen._source is not None and not chosen._source.known
