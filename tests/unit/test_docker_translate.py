"""What containers request becomes sites that do not change while containers come and go."""

import dataclasses
import typing

import pytest

from daemun.core import model
from daemun.core.options import hsts_option
from daemun.sources.docker import container_sites, containers, recent_claims
from tests.support import docker_values as values
from tests.support.docker_values import container, endpoints, messages, run, snapshot

A = {"daemun.host": "a.test"}


def warnings(found: model.Snapshot) -> list[str]:
    return messages(found, model.Severity.WARNING)


def test_a_container_is_a_site_whose_servers_are_in_a_pool() -> None:
    found = snapshot(container("chat-1", A | {"daemun.port": "7777"}))

    (site,) = found.sites
    (pool,) = found.pools
    assert site == model.Site(
        host="a.test",
        routes=(
            model.Route(
                path="/",
                action=model.Proxy(targets=(model.Target(scheme=model.Scheme.HTTP, pool=pool.name),)),
                origin=model.Origin(source="docker", place="container chat-1"),
            ),
        ),
        origin=model.Origin(source="docker", place="container chat-1"),
    )
    assert pool.name == container_sites.pool_name("a.test", "/", model.Scheme.HTTP)
    assert pool.endpoints == (model.Endpoint(address="10.0.0.2", port=7777),)
    assert found.problems == ()


def test_pools_have_names_of_their_own() -> None:
    http, https = model.Scheme.HTTP, model.Scheme.HTTPS
    named = [
        container_sites.pool_name(*one)
        for one in [("a.test", "/", http), ("a.test", "/x", http), ("b.test", "/", http), ("a.test", "/", https)]
    ]

    assert len(set(named)) == 4
    assert all(name.endswith(".daemun") and len(name.split(".")[0]) == 32 for name in named)


def test_the_same_wish_of_several_containers_is_one_pool_with_the_oldest_first() -> None:
    found = snapshot(
        container("chat-2", A | {"daemun.weight": "3"}, age_s=1, ip="10.0.0.3"),
        container("chat-1", A, age_s=2, ip="10.0.0.2", ports=(8080,)),
    )

    (pool,) = found.pools
    assert pool.endpoints == (
        model.Endpoint(address="10.0.0.2", port=8080),
        model.Endpoint(address="10.0.0.3", port=80, weight=3),
    )
    assert len(found.sites) == 1


def test_paths_of_one_host_come_from_several_containers() -> None:
    found = snapshot(
        container("page", A, ip="10.0.0.2"),
        container("chat", A | {"daemun.path": "/websocket/", "daemun.to": "/"}, ip="10.0.0.3"),
    )

    (site,) = found.sites
    assert [route.path for route in site.routes] == ["/", "/websocket/"]
    assert endpoints(found, "a.test", "/websocket/") == ["10.0.0.3:80"]


def test_every_host_of_a_container_is_a_site_of_its_own() -> None:
    found = snapshot(container(labels={"daemun.host": "b.test, a.test"}))

    assert [site.host for site in found.sites] == ["a.test", "b.test"]


# --- nothing changes but pools ---------------------------------------------------------------------------------


def test_scaling_and_replacing_changes_only_pools() -> None:
    one = container("chat-1", A, age_s=9, ip="10.0.0.2")
    two = container("chat-2", A, age_s=8, ip="10.0.0.3")
    new = container("chat-3", A, age_s=1, ip="10.0.0.4")
    created, stopped = dataclasses.replace(new, state="created"), dataclasses.replace(one, state="exited")

    listings = [(one,), (one, two), (two,), (two, created), (two, new), (new,), (), (stopped,), (one, new)]
    translated = run()
    seen = []
    for number, listing in enumerate(listings):
        translated = run(*listing, known=translated.memory, now_s=number)
        seen.append(translated.snapshot)

    assert len({(found.sites, tuple(pool.name for pool in found.pools)) for found in seen}) == 1
    assert [endpoints(found, "a.test") for found in seen] == [
        ["10.0.0.2:80"],
        ["10.0.0.2:80", "10.0.0.3:80"],
        ["10.0.0.3:80"],
        ["10.0.0.3:80"],
        ["10.0.0.3:80", "10.0.0.4:80"],
        ["10.0.0.4:80"],
        [],
        [],
        ["10.0.0.2:80", "10.0.0.4:80"],
    ]


def test_a_removed_container_leaves_its_site_for_a_while() -> None:
    first = run(container(labels=A | {"daemun.hsts": "true"}), now_s=100)
    gone = run(known=first.memory, now_s=200)
    later = run(known=gone.memory, now_s=200 + recent_claims.KEPT_S - 1)
    last = run(known=later.memory, now_s=200 + recent_claims.KEPT_S)

    assert first.snapshot.sites == gone.snapshot.sites == later.snapshot.sites
    assert endpoints(gone.snapshot, "a.test") == []
    assert last.snapshot == model.Snapshot(source="docker")


def test_a_stopped_container_keeps_its_site_for_as_long_as_it_is_there() -> None:
    stopped = container(labels=A, state="exited")
    known = run(stopped).memory

    found = run(stopped, known=known, now_s=10 * recent_claims.KEPT_S).snapshot

    assert endpoints(found, "a.test") == []
    assert warnings(found) == [
        'container "web-1" is not running: its state is "exited"; start it with `docker start web-1`'
    ]


def test_a_container_that_comes_back_is_remembered_anew() -> None:
    first = run(container(labels=A))
    gone = run(known=first.memory, now_s=500)
    back = run(container(labels=A), known=gone.memory, now_s=600)
    again = run(known=back.memory, now_s=1150)

    assert len(again.snapshot.sites) == 1


# --- state and health ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "health", "said"),
    [
        ("paused", containers.ContainerHealth.NONE, "docker unpause web-1"),
        ("created", containers.ContainerHealth.NONE, "docker start web-1"),
        ("restarting", containers.ContainerHealth.NONE, 'its state is "restarting"'),
        ("dead", containers.ContainerHealth.NONE, 'its state is "dead"'),
        ("running", containers.ContainerHealth.UNHEALTHY, "is unhealthy by its own HEALTHCHECK"),
    ],
)
def test_what_does_not_run_well_gets_no_requests(state: str, health: containers.ContainerHealth, said: str) -> None:
    found = snapshot(container(labels=A, state=state, health=health))

    assert endpoints(found, "a.test") == []
    (warning,) = warnings(found)
    assert said in warning


def test_a_container_that_was_told_to_stop_gets_no_new_requests() -> None:
    found = snapshot(container("old", A, ip="10.0.0.2"), container("new", A, ip="10.0.0.3"), leaving=("old",))

    assert endpoints(found, "a.test") == ["10.0.0.3:80"]
    assert warnings(found) == ['container "old" is being stopped, so it gets no new requests']


def test_a_starting_container_waits_for_its_health_check_while_another_one_serves() -> None:
    starting = container("new", A, ip="10.0.0.3", health=containers.ContainerHealth.STARTING)

    alone = snapshot(starting)
    beside = snapshot(container("old", A, ip="10.0.0.2", health=containers.ContainerHealth.HEALTHY), starting)
    after_sick = snapshot(container("old", A, ip="10.0.0.2", health=containers.ContainerHealth.UNHEALTHY), starting)

    assert endpoints(alone, "a.test") == ["10.0.0.3:80"]
    assert endpoints(beside, "a.test") == ["10.0.0.2:80"]
    assert endpoints(after_sick, "a.test") == ["10.0.0.3:80"]
    assert "is starting" in warnings(beside)[0]


# --- what is told of each --------------------------------------------------------------------------------------


def test_of_each_container_is_told_whether_it_is_served_why_not_and_what_to_do() -> None:
    found = snapshot(
        container("web-1", A | {"daemun.x.host": "b.test", "daemun.x.path": "/x"}, age_s=9, ip="10.0.0.2"),
        container("guess", {"daemun.host": "c.test"}, ports=(80, 81)),
        container("other", A | {"daemun.to": "/y"}, ip="10.0.0.3"),
        container("off", A, state="exited"),
        container("off-other", A | {"daemun.to": "/z"}, state="exited"),
        container("claims", {"daemun.host": "admin.test"}),
        container("wrong", {"daemun.hots": "a.test"}),
        container("moved", {"daemun.host": "d.test", "daemun.redirect": "https://a.test/"}, state="exited"),
        container("silent"),
        reserved=("admin.test",),
    )

    assert {one.name: (one.hosts, one.is_served) for one in found.containers} == {
        "claims": (("admin.test",), False),
        "guess": (("c.test",), True),
        "moved": (("d.test",), True),
        "off": (("a.test",), False),
        "off-other": (("a.test",), False),
        "other": (("a.test",), False),
        "web-1": (("a.test", "b.test"), True),
        "wrong": ((), False),
    }
    told = {one.name: (one.why, one.cure) for one in found.containers}
    assert told["web-1"] == told["moved"] == (None, None)
    assert told["guess"] == (
        "exposes several ports (80 and 81) and names none, so 80 is used",
        'set the label "daemun.port"',
    )
    assert told["off"] == ('is not running: its state is "exited"', "start it with `docker start off`")
    assert told["off-other"][0] == 'is not running: its state is "exited"'
    assert told["claims"] == ("the host is reserved by `docker.reserve`", "only daemun.yaml may serve it")
    assert told["other"][1] == "give both the same labels"
    assert told["wrong"][1] == "correct its labels, and make it anew with them"


# --- who decides -----------------------------------------------------------------------------------------------


def test_the_oldest_of_those_who_disagree_wins_and_the_conflict_is_shown() -> None:
    old = container("old", A | {"daemun.to": "/x"}, age_s=9, ip="10.0.0.2")
    new = container("new", A | {"daemun.to": "/y"}, age_s=1, ip="10.0.0.3")
    like_old = container("like-old", A | {"daemun.to": "/x"}, age_s=0, ip="10.0.0.4")

    for listing in [(old, new, like_old), (like_old, new, old), (new, old, like_old)]:
        found = snapshot(*listing)
        assert endpoints(found, "a.test") == ["10.0.0.2:80", "10.0.0.4:80"]
        (refused,) = messages(found)
        assert refused == (
            'cannot serve container "new" at "a.test/": the older container "old" serves it with other '
            "settings; give both the same labels"
        )


def test_an_older_container_that_does_not_run_is_in_nobodys_way() -> None:
    stopped = container("old", A | {"daemun.to": "/x"}, age_s=9, state="exited")
    crashing = container("old", A | {"daemun.to": "/x"}, age_s=9, state="restarting")
    new = container("new", A, age_s=1, ip="10.0.0.3")

    assert endpoints(snapshot(stopped, new), "a.test") == ["10.0.0.3:80"]
    assert messages(snapshot(stopped, new)) == []
    assert endpoints(snapshot(crashing, new), "a.test") == []  # else who decides would change with every crash


def test_options_of_a_site_are_those_of_the_oldest_that_names_some() -> None:
    silent = container("silent", A, age_s=9)
    first = container("first", A | {"daemun.path": "/x", "daemun.hsts": "true"}, age_s=5)
    second = container("second", A | {"daemun.path": "/y", "daemun.tls": "off"}, age_s=1)

    found = snapshot(silent, first, second)

    (site,) = found.sites
    assert (hsts_option.OPTION.of(site), site.tls.mode) == (hsts_option.Hsts(), model.TlsMode.AUTO)
    assert [route.path for route in site.routes] == ["/", "/x", "/y"]
    (warning,) = warnings(found)
    assert 'the older container "first" has set others' in warning


def test_a_container_with_a_mistake_is_refused_alone() -> None:
    found = snapshot(
        container("bad", A | {"daemun.port": "no", "daemun.x.host": "b.test"}),
        container("good", A | {"daemun.path": "/good"}),
    )

    assert [(site.host, [route.path for route in site.routes]) for site in found.sites] == [("a.test", ["/good"])]
    (refused,) = messages(found)
    assert refused.startswith('cannot serve container "bad": label "daemun.port": expected a number')


@pytest.mark.parametrize(
    ("reserved", "host", "is_refused"),
    [
        ("admin.test", "admin.test", True),
        ("admin.test", "x.admin.test", False),
        ("admin.test", "*.test", True),
        ("admin.test", "*.admin.test", False),
        ("*.corp.test", "a.corp.test", True),
        ("*.corp.test", "a.b.corp.test", True),
        ("*.corp.test", "corp.test", False),
        ("*.corp.test", "*.corp.test", True),
        ("*.corp.test", "*.b.corp.test", True),
        ("*.corp.test", "*.test", True),
        ("*.corp.test", "notcorp.test", False),
    ],
)
def test_reserved_hosts_are_refused(reserved: str, host: str, is_refused: bool) -> None:
    found = snapshot(container(labels={"daemun.host": f"{host}, free.example"}), reserved=(reserved,))

    assert ([site.host for site in found.sites] == ["free.example"]) is is_refused
    assert any("is reserved by `docker.reserve`" in message for message in messages(found)) is is_refused


def test_a_host_that_is_reserved_later_is_not_remembered() -> None:
    known = run(container(labels=A)).memory

    assert run(known=known, reserved=("a.test",)).snapshot.sites == ()


def test_a_redirect_needs_no_server() -> None:
    found = snapshot(container(labels=A | {"daemun.redirect": "https://b.test/"}, attachments=(), network_mode="none"))

    (site,) = found.sites
    assert site.routes[0].action == model.Redirect(to="https://b.test/")
    assert (found.pools, found.problems) == ((), ())


def test_a_container_of_several_hosts_is_told_of_once() -> None:
    found = snapshot(container(labels={"daemun.host": "a.test,b.test"}, state="exited"))

    assert len(found.problems) == 1


# --- what nothing can reach as it is ----------------------------------------------------------------------------


NONE: dict[str, typing.Any] = {"network_mode": "none", "attachments": ()}
APART: dict[str, typing.Any] = {"attachments": (values.attachment("other"),)}


@pytest.mark.parametrize(
    ("found", "is_out_of_reach"),
    [
        ([NONE], True),
        ([APART], True),
        ([NONE, APART], True),
        ([{"network_mode": "container:" + values.identity("gone")}], True),
        ([NONE, {}], False),
        ([NONE, {"state": "exited"}], True),
        ([{"state": "exited"}], False),
        ([NONE | {"state": "exited"}], False),
        ([{"health": containers.ContainerHealth.STARTING}], False),
        ([{"state": "restarting"}], False),
    ],
)
def test_what_nothing_can_reach_as_it_is_is_not_waited_for(
    found: list[dict[str, typing.Any]],
    is_out_of_reach: bool,
) -> None:
    """M9."""
    gate = values.container("gate", attachments=(values.attachment(ipv4="10.0.0.9"),))
    hosts = [values.container(f"web-{number}", {"daemun.host": "a.test"}, **one) for number, one in enumerate(found)]
    (pool,) = values.snapshot(gate, *hosts, own="gate").pools

    assert pool.is_out_of_reach is is_out_of_reach


def test_a_route_that_was_out_of_reach_is_waited_for_once_it_is_remembered() -> None:
    """M9: another container may come."""
    before = values.run(values.container("web", {"daemun.host": "a.test"}, **NONE))
    assert before.snapshot.pools[0].is_out_of_reach
    (pool,) = values.run(known=before.memory).snapshot.pools
    assert not pool.is_out_of_reach


@pytest.mark.parametrize(
    ("vpn_s", "app_s", "is_gone"),
    [(60.0, 50.0, False), (10.0, 50.0, True), (50.0, 50.0, False), (None, 50.0, False), (10.0, None, False)],
)
def test_a_network_that_was_started_again_is_told_with_the_cure(
    vpn_s: float | None,
    app_s: float | None,
    is_gone: bool,
) -> None:
    """I2: Docker lets a container keep the network that it was started with."""
    vpn = values.container("vpn", started_s=vpn_s)
    mode = f"container:{vpn.id}"
    app = values.container("app", {"daemun.host": "a.test"}, network_mode=mode, attachments=(), started_s=app_s)
    found = values.snapshot(vpn, app)
    (told,) = found.containers

    assert told.is_served is not is_gone
    assert bool(values.endpoints(found, "a.test")) is not is_gone
    if is_gone:
        assert told.why == 'shares the network of "vpn", which was started again since, so its own network is gone'
        assert told.cure == "restart it with `docker restart app`"


def test_a_network_of_the_host_that_others_share_is_never_gone() -> None:
    """I2."""
    vpn = values.container("vpn", network_mode="host", attachments=(), started_s=10)
    mode = f"container:{vpn.id}"
    app = values.container("app", {"daemun.host": "a.test"}, network_mode=mode, attachments=(), started_s=50)

    assert values.endpoints(values.snapshot(vpn, app), "a.test") == ["127.0.0.1:80"]


@pytest.mark.parametrize("state", ["exited", "created", "stopped"])
def test_a_network_whose_container_was_stopped_is_not_waited_for(state: str) -> None:
    """I2, M9: starting it again does not give the network back to those that shared it."""
    vpn = values.container("vpn", state=state, started_s=60)
    mode = f"container:{vpn.id}"
    app = values.container("app", {"daemun.host": "a.test"}, network_mode=mode, attachments=(), started_s=50)
    found = values.snapshot(vpn, app)

    assert found.pools[0].is_out_of_reach
    cure = "start it with `docker start vpn`, and then this one anew with `docker restart app`, for its network is gone"
    assert found.containers[0].cure == cure


def test_a_network_that_is_being_started_is_waited_for() -> None:
    """I2, M9: it comes by itself."""
    vpn = values.container("vpn", state="restarting", started_s=60)
    mode = f"container:{vpn.id}"
    app = values.container("app", {"daemun.host": "a.test"}, network_mode=mode, attachments=(), started_s=50)
    found = values.snapshot(vpn, app)

    assert not found.pools[0].is_out_of_reach
    assert found.containers[0].why == 'shares the network of "vpn", which is not running: its state is "restarting"'
