"""What is asked of the engine again after an event, and after a look at everything."""

import dataclasses

from daemun.sources.docker import containers, engine_events, engine_state
from tests.support import docker_values
from tests.support.docker_values import GATE, attachment, container, identity

A = container("a", {"daemun.host": "a.test"}, age_s=2)
B = container("b", {"daemun.host": "b.test"}, age_s=1)


def row(
    of: containers.EngineContainer, *, health: containers.ContainerHealth | None = None
) -> containers.ListedContainer:
    """As Docker lists it."""
    told = of.health if of.is_running and of.health is not containers.ContainerHealth.NONE else None
    return containers.ListedContainer(
        id=of.id, name=of.name, attachments=of.attachments, state=of.state, health=told if health is None else health
    )


def happened(action: str, name: str) -> engine_events.EngineEvent:
    return engine_events.EngineEvent(action=action, container=identity(name))


def saw(*found: containers.EngineContainer) -> engine_state.EngineState:
    """These were looked at."""
    known = engine_state.EngineState()
    known.take_rows([row(one) for one in found])
    known.take_networks([GATE])
    for one in found:
        known.take(one.id, one)
    return known


def test_at_first_everything_is_asked_for() -> None:
    known = engine_state.EngineState()
    assert (known.doubts_all, known.doubts_networks) == (True, True)

    known.take_rows([row(B), row(A)])

    assert known.doubted == (B.id, A.id)


def test_what_was_answered_is_listed_with_the_oldest_first_and_not_asked_for_again() -> None:
    known = saw(B, A)

    assert known.listing == containers.ContainerListing(containers=(A, B), networks=(GATE,))
    assert (known.doubted, known.doubts_all, known.doubts_networks) == ((), False, False)


def test_many_events_of_one_container_are_one_question_about_it() -> None:
    known = saw(A, B)

    known.note([happened("kill", "a"), happened("die", "a"), happened("start", "a"), happened("create", "new")])

    assert known.doubted == (A.id, identity("new"))
    assert (known.doubts_all, known.doubts_networks) == (False, False)


def test_one_that_is_gone_is_listed_no_more() -> None:
    known = saw(A, B)
    known.note([happened("destroy", "a")])

    known.take(A.id, None)

    assert known.listing.containers == (B,)
    assert known.doubted == ()


def test_what_was_not_answered_stays_in_doubt() -> None:
    known = saw(A, B)
    known.note([happened("die", "a"), happened("die", "b")])

    known.take(A.id, dataclasses.replace(A, state="exited"))

    assert known.doubted == (B.id,)


def test_a_look_at_all_asks_only_for_those_of_which_the_list_tells_something_new() -> None:
    moved = dataclasses.replace(B, attachments=(attachment(ipv4="10.0.0.9"),))
    known = saw(A, B)
    known.doubt_all()

    known.take_rows([row(A), row(moved)])

    assert known.doubted == (B.id,)


def test_a_look_at_all_finds_who_came_and_who_went_without_an_event() -> None:
    known = saw(A)
    known.note([happened("die", "a")])

    known.take_rows([row(B)])

    assert known.doubted == (B.id,)
    assert known.listing.containers == ()


def test_the_name_the_state_and_the_health_count() -> None:
    well = container("a", health=containers.ContainerHealth.HEALTHY)
    for other in (
        dataclasses.replace(row(well), name="b"),
        dataclasses.replace(row(well), state="exited"),
        dataclasses.replace(row(well), health=containers.ContainerHealth.UNHEALTHY),
    ):
        known = saw(well)
        known.take_rows([other])
        assert known.doubted == (well.id,)


def test_who_is_checked_by_an_engine_that_does_not_list_health_is_asked_for_at_each_look() -> None:
    well = container("a", health=containers.ContainerHealth.HEALTHY)
    ended = container("b", health=containers.ContainerHealth.UNHEALTHY, state="exited")
    known = saw(well, ended)

    known.take_rows([dataclasses.replace(row(well), health=None), dataclasses.replace(row(ended), health=None)])

    assert known.doubted == (well.id,)


def test_who_joins_or_leaves_a_network_is_asked_for_and_the_networks_are_not() -> None:
    for action in ("connect", "disconnect"):
        known = saw(A)
        known.note([engine_events.EngineEvent(action=action, container=A.id, of_network=True)])
        assert (known.doubted, known.doubts_all, known.doubts_networks) == ((A.id,), False, False)


def test_networks_that_come_and_go_are_asked_for() -> None:
    known = saw(A)

    known.note([engine_events.EngineEvent(action="create", of_network=True)])

    assert (known.doubted, known.doubts_all, known.doubts_networks) == ((), True, True)


def test_a_container_on_a_network_that_is_not_known_lets_the_networks_be_asked_for() -> None:
    known = saw(A)

    known.take(B.id, docker_values.container("b", attachments=(attachment("other"),)))

    assert known.doubts_networks


# --- what the engine tells -------------------------------------------------------------------------------------


def test_a_row_as_docker_lists_it() -> None:
    listed = {
        "Id": A.id,
        "Names": ["/other/alias", "/a"],
        "State": "running",
        "Status": "Up 2 seconds (health: starting)",
        "NetworkSettings": {"Networks": {"gate": {"NetworkID": "gate-id", "IPAddress": "10.0.0.2", "Gateway": ""}}},
    }

    assert containers.parse_row(listed) == containers.ListedContainer(
        id=A.id,
        name="a",
        attachments=(attachment(gateway=None),),
        state="running",
        health=containers.ContainerHealth.STARTING,
    )
    assert (
        containers.parse_row(listed | {"Status": "Up 3 days (unhealthy)"}).health
        is containers.ContainerHealth.UNHEALTHY
    )
    assert containers.parse_row(listed | {"Status": "Up 3 days (healthy)"}).health is containers.ContainerHealth.HEALTHY
    assert containers.parse_row(listed | {"Status": "Up 3 days"}).health is None
    assert containers.parse_row({}) == containers.ListedContainer(id="", name="", state="unknown")


def test_events_as_docker_tells_them() -> None:
    killed = {"Type": "container", "Action": "kill", "Actor": {"ID": "1", "Attributes": {"signal": "15"}}}
    joined = {"Type": "network", "Action": "connect", "Actor": {"ID": "9", "Attributes": {"container": "1"}}}
    made = {"Type": "network", "Action": "create", "Actor": {"ID": "9", "Attributes": {"name": "gate"}}}

    assert engine_events.parse_event(killed) == engine_events.EngineEvent(action="kill", container="1", signal=15)
    assert engine_events.parse_event(joined) == engine_events.EngineEvent(
        action="connect", container="1", of_network=True
    )
    assert engine_events.parse_event(made) == engine_events.EngineEvent(action="create", of_network=True)
    assert engine_events.parse_event([]) == engine_events.EngineEvent(action="")
    assert not engine_events.parse_event({"Type": "container", "Action": "exec_start: sh"}).is_relevant
