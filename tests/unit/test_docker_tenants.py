"""Containers of several projects and people on one host: I1, I3 and N12."""

import pytest

from daemun.core import model
from daemun.sources.docker import (
    container_sites,
    containers,
    docker_source,
    engine_place,
    listing_store,
    own_container,
    recent_claims,
    tenants,
)
from daemun.store import memory_store
from tests.support import clock
from tests.support import docker_values as values

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
ON = tenants.TenantPolicy(is_on=True)


def made(
    project: str | None,
    host: str = "a.test",
    *,
    path: str = "/",
    age_s: float = 0,
    name: str | None = None,
    service: str = "web",
    **more: str,
) -> containers.EngineContainer:
    labels = {"daemun.host": host, "daemun.path": path, **{f"daemun.{key}": value for key, value in more.items()}}
    if project is not None:
        labels |= {PROJECT: project, SERVICE: service}
    name = name or f"{project}-web-1"
    return values.container(name, labels, age_s=age_s, ip=f"10.0.0.{sum(name.encode()) % 250}")


def warnings(found: model.Snapshot) -> list[str]:
    return values.messages(found, model.Severity.WARNING)


# --- I1: two projects by mistake --------------------------------------------------------------------------------


def test_two_projects_on_one_host_and_path_are_told() -> None:
    """I1: answers alternate between two applications."""
    (told,) = warnings(values.snapshot(made("shop", age_s=60), made("blog"), made("blog", name="blog-web-2")))

    for part in ('container "blog-web-1" of project "blog"', '"a.test/"', '"shop-web-1" of project "shop"'):
        assert part in told
    assert "`daemun.share: blog`" in told


def test_two_services_of_one_project_on_one_host_and_path_are_told() -> None:
    """I1: a label that was copied inside a compose file."""
    api = [made("shop", name=f"shop-api-{number}", service="api") for number in (1, 2)]
    (told,) = warnings(values.snapshot(made("shop", age_s=60), made("shop", name="shop-web-2", age_s=50), *api))

    for part in (
        'container "shop-api-',
        'of service "shop/api" serves "a.test/" beside container "shop-web-1" of service "shop/web"',
    ):
        assert part in told
    assert "`daemun.share: shop`" in told


@pytest.mark.parametrize(("older", "younger"), [("shop", None), (None, "shop")])
def test_a_stack_beside_a_container_of_no_project_is_told(older: str | None, younger: str | None) -> None:
    """I1."""
    first, second = made(older, age_s=60, name="first"), made(younger, name="second")
    (told,) = warnings(values.snapshot(first, second))

    assert 'container "second" ' in told
    assert 'serves "a.test/" beside container "first"' in told
    assert f"`daemun.share: {younger or 'second'}`" in told
    shared = made(older, age_s=60, name="first", share=younger or "second")
    assert warnings(values.snapshot(shared, second)) == []


@pytest.mark.parametrize(
    "found",
    [
        [made("shop"), made("shop", name="shop-web-2")],
        [made("shop"), made("shop", path="/api/", name="shop-api-1", service="api")],
        [made("shop", age_s=60, share="shop"), made("shop", name="shop-api-1", service="api")],
        [made("shop"), made("blog", path="/blog/")],
        [made("shop"), made("blog", "b.test")],
        [made(None, name="one"), made(None, name="two")],
        [made("shop", age_s=60, share="blog"), made("blog")],
        [made("shop", age_s=60, share="true"), made("blog")],
        [made("shop", age_s=60), made("blog", share="x, shop")],
    ],
)
def test_what_is_meant_is_not_told(found: list[containers.EngineContainer]) -> None:
    """I1."""
    assert warnings(values.snapshot(*found)) == []


def test_the_words_of_podman_and_swarm_are_understood() -> None:
    """I1."""
    for label in ("io.podman.compose.project", "com.docker.stack.namespace"):
        found = [values.container(name, {"daemun.host": "a.test", label: name}) for name in ("one", "two")]
        assert "so requests go to both in turn" in warnings(values.snapshot(*found))[0]


# --- I3: a service that got another name ------------------------------------------------------------------------


def hosts(found: container_sites.Translated) -> list[str]:
    return [site.host for site in found.snapshot.sites]


@pytest.mark.parametrize("project", ["shop", None])
def test_a_name_that_its_service_gave_up_is_soon_forgotten(project: str | None) -> None:
    """I3: also where no Compose is, by the container's name."""
    before = values.run(made(project, "old.test", name="web"))
    renamed = made(project, "new.test", name="web")
    after = values.run(renamed, known=before.memory, now_s=100)
    assert hosts(after) == ["new.test", "old.test"], "a moment of grace"
    after = values.run(renamed, known=after.memory, now_s=129)
    assert hosts(after) == ["new.test", "old.test"]
    after = values.run(renamed, known=after.memory, now_s=131)
    assert hosts(after) == ["new.test"]


def test_a_name_whose_service_is_away_is_kept() -> None:
    """I3: its next container is on its way."""
    before = values.run(made("shop", "old.test"), made("blog", "blog.test"))
    after = values.run(made("blog", "blog.test"), known=before.memory, now_s=100)
    after = values.run(made("blog", "blog.test"), known=after.memory, now_s=600)
    assert hosts(after) == ["blog.test", "old.test"]
    after = values.run(made("shop", "new.test"), known=after.memory, now_s=620)
    assert hosts(after) == ["blog.test", "new.test"]


def test_a_path_that_its_service_gave_up_is_forgotten_alone() -> None:
    """I3."""
    before = values.run(made("shop"), made("shop", path="/old/", name="shop-old-1"))
    after = values.run(made("shop"), made("shop", path="/new/", name="shop-old-1"), known=before.memory, now_s=100)
    after = values.run(made("shop"), made("shop", path="/new/", name="shop-old-1"), known=after.memory, now_s=140)
    (site,) = after.snapshot.sites
    assert [route.path for route in site.routes] == ["/", "/new/"]


def test_a_name_that_comes_back_is_there_for_good() -> None:
    """I3."""
    first = values.run(made("shop", "old.test"))
    second = values.run(made("shop", "new.test"), known=first.memory, now_s=10)
    third = values.run(made("shop", "old.test"), known=second.memory, now_s=20)
    after = values.run(made("shop", "old.test"), known=third.memory, now_s=100)
    assert hosts(after) == ["old.test"]


# --- N12: people who share a machine ----------------------------------------------------------------------------


def serving(found: container_sites.Translated) -> set[str]:
    return {one.name for one in found.snapshot.containers if one.is_served}


ANN = made("ann", age_s=60)


@pytest.mark.parametrize(
    ("guest", "policy", "owner", "is_served"),
    [
        (made("bob", path="/steal/"), ON, ANN, False),
        (made("bob", weight="1000"), ON, ANN, False),
        (made("bob"), ON, ANN, False),
        (made("bob", "x.a.test"), ON, made("ann", "*.a.test", age_s=60), False),
        (made("bob", "b.test"), ON, ANN, True),
        (made("ann", path="/more/", name="ann-more-1"), ON, ANN, True),
        (made(None, name="stranger"), ON, ANN, False),
        (made("bob", share="ann"), ON, ANN, False),
        (made("bob", path="/chat/"), ON, made("ann", age_s=60, share="bob"), True),
        (made("bob", path="/chat/"), ON, made("ann", age_s=60, share="eve, bob"), True),
        (made("bob", path="/chat/"), ON, made("ann", age_s=60, share="eve"), False),
        (made("bob", path="/chat/"), ON, made("ann", age_s=60, share="true"), True),
        (made("bob", path="/chat/"), tenants.TenantPolicy(is_on=True, shared=(("a.test", ("bob",)),)), ANN, True),
        (made("bob", path="/chat/"), tenants.TenantPolicy(is_on=True, shared=(("b.test", ("bob",)),)), ANN, False),
        (made("bob", path="/chat/"), tenants.ONE_OWNER, ANN, True),
    ],
)
def test_a_host_belongs_to_the_project_that_serves_it_first(
    guest: containers.EngineContainer,
    policy: tenants.TenantPolicy,
    owner: containers.EngineContainer,
    *,
    is_served: bool,
) -> None:
    """N12."""
    found = values.run(owner, guest, tenants_=policy)

    assert serving(found) == {owner.name, guest.name} if is_served else {owner.name}
    (told,) = (one for one in found.snapshot.containers if one.name == guest.name)
    if not is_served:
        assert "belongs to project ann" in (told.why or "")
        assert "`daemun.share: " in (told.cure or "")


def test_a_host_stays_its_owners_while_its_containers_are_replaced() -> None:
    """N12: the stranger's container is older then."""
    bob = made("bob", age_s=30)
    before = values.run(made("ann", age_s=60), bob, tenants_=ON)
    gone = values.run(bob, known=before.memory, owners=before.owners, now_s=10, tenants_=ON)
    assert serving(gone) == set()
    again = values.run(made("ann", age_s=0), bob, known=gone.memory, owners=gone.owners, now_s=20, tenants_=ON)
    assert serving(again) == {"ann-web-1"}
    left = values.run(bob, known=again.memory, owners=again.owners, now_s=30, tenants_=ON)
    left = values.run(bob, known=left.memory, owners=left.owners, now_s=1000, tenants_=ON)
    assert serving(values.run(bob, known=left.memory, owners=left.owners, now_s=1001, tenants_=ON)) == {"bob-web-1"}


def test_a_guest_never_decides_for_its_host() -> None:
    """N12: though its container is the older one."""
    guest, owner = made("bob", age_s=90, tls="off", path="/chat/"), made("ann", age_s=60, share="bob", tls="local")
    before = values.run(owner, tenants_=ON)
    found = values.run(owner, guest, known=before.memory, owners=before.owners, tenants_=ON)

    (site,) = found.snapshot.sites
    assert site.tls.mode is model.TlsMode.LOCAL
    assert len(site.routes) == 2


def test_owners_are_kept_for_the_next_daemon() -> None:
    """N12."""
    listing = containers.ContainerListing(containers=(ANN,))
    kept = listing_store.StoredListing(url="unix:///x", listing=listing, owners=(("a.test", "ann"),))
    store = memory_store.MemoryStore()
    listing_store.write_stored(store, listing_store.encode(kept))

    found = listing_store.read_stored(store)
    assert found is not None
    assert found.owners == kept.owners
    assert found.listing.containers[0].project == "ann"


def test_what_an_earlier_daemon_knew_of_owners_holds_while_a_removed_container_is_remembered() -> None:
    """N12: the owner's container was removed before daemun was restarted, and comes back after that."""
    now_s = 100.0
    bob = made("bob", name="bob-web-1")
    known = docker_source.DockerSource(
        (engine_place.EngineEndpoint(url="unix:///x"),),
        clock.FakeClock(),
        traces=own_container.Traces(),
        known={"unix:///x": docker_source.KnownEngine(listing=containers.ContainerListing(containers=(bob,)))},
        policy=ON,
        owners={"a.test": "ann"},
        now_s=lambda: now_s,
    )
    assert known.latest().sites == ()
    assert known.owners == {"a.test": "ann"}
    now_s += recent_claims.KEPT_S
    assert [site.host for site in known.latest().sites] == ["a.test"]
    assert known.owners == {"a.test": "bob"}


@pytest.mark.parametrize("value", ["", "a b", "a,,b", "*", "x" * 65, "ann;", "true, ann"])
def test_a_share_that_is_none_refuses_its_container(value: str) -> None:
    """N12."""
    (told,) = values.snapshot(made("ann", share=value)).containers
    if value == "true, ann":
        assert told.is_served
    else:
        assert not told.is_served
        assert 'label "daemun.share": expected true, or names of projects' in (told.why or "")


def test_a_share_concerns_the_whole_container() -> None:
    """N12."""
    (told,) = values.snapshot(values.container("x", {"daemun.host": "a.test", "daemun.n.share": "ann"})).containers
    assert 'write "daemun.share"' in (told.why or "")
