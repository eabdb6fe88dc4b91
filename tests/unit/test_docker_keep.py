"""What is kept of the containers for a start without the engine: all that a translation needs, and nothing else."""

import dataclasses

from daemun.sources.docker import containers, listing_store
from daemun.store import memory_store
from tests.support.docker_values import GATE, container, run

SECRET = "com.example.password"


def kept(*found: containers.EngineContainer) -> listing_store.StoredListing:
    return listing_store.StoredListing(
        url="unix:///d.sock", listing=containers.ContainerListing(containers=found, networks=(GATE,))
    )


def read_back(given: listing_store.StoredListing) -> listing_store.StoredListing:
    store = memory_store.MemoryStore()
    listing_store.write_stored(store, listing_store.encode(given))
    found = listing_store.read_stored(store)
    assert found is not None
    return found


def test_what_is_read_back_gives_the_same_sites() -> None:
    labels = {"daemun.host": "a.test", "daemun.request_headers.X-A": "ü $host", "daemun.timeout.read": "5m"}
    given = kept(
        container("web-1", labels, ports=(80, 81), health=containers.ContainerHealth.STARTING),
        dataclasses.replace(container("web-2", labels), created_at=containers.NEVER, stop_signal=None),
    )

    found = read_back(given)

    assert found == given
    assert run(*found.listing.containers).snapshot == run(*given.listing.containers).snapshot


def test_other_labels_are_not_copied() -> None:
    found = read_back(kept(container("web-1", {"daemun.host": "a.test", SECRET: "x"})))

    assert [name for name, _ in found.listing.containers[0].labels] == ["daemun.host"]


def test_labels_that_are_no_text_leave_out_their_container_alone() -> None:
    bad = container("bad", {"daemun.host": "\udcff.test"})

    found = read_back(kept(bad, container("good", {"daemun.host": "a.test"})))

    assert [one.name for one in found.listing.containers] == ["good"]


def test_nothing_kept_and_nothing_that_can_be_read() -> None:
    store = memory_store.MemoryStore()
    assert listing_store.read_stored(store) is None
    listing_store.write_stored(store, b'{"url": 7}')
    assert listing_store.read_stored(store) is None
    listing_store.write_stored(store, b"not JSON")
    assert listing_store.read_stored(store) is None
    listing_store.forget(store)
    listing_store.forget(store)
