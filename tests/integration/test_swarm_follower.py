"""When a swarm is looked at, and what stays of it while it does not answer."""

import pytest

from daemun.errors import RetryableError
from daemun.sources.docker import containers, engine_events, engine_place, swarm_follower, swarm_listing
from tests.support.clock import FakeClock
from tests.support.docker_values import NOON, container

NOTHING = containers.ContainerListing()
SERVICE = swarm_listing.SwarmService(id="s", name="web", created_at=NOON, labels=(("daemun.host", "a.test"),))
ONE = swarm_listing.SwarmListing(services=(SERVICE,), tasks=(swarm_listing.ServiceTask(id="t1", service="s"),))
TWO = swarm_listing.SwarmListing(services=(SERVICE,), tasks=(swarm_listing.ServiceTask(id="t2", service="s"),))
Answer = swarm_listing.SwarmListing | swarm_listing.Absence | str


class Manager:
    """An engine that lists what a test lays out. answer: a text: it fails so. looks: how often it was queried."""

    def __init__(self, answer: Answer = ONE) -> None:
        self.answer = answer
        self.looks = 0

    async def fetch_swarm(self) -> swarm_listing.SwarmListing | swarm_listing.Absence:
        self.looks += 1
        if isinstance(self.answer, str):
            raise RetryableError(self.answer)
        return self.answer


def follower(
    *, is_wanted: bool | None = None, known: tuple[containers.EngineContainer, ...] = ()
) -> swarm_follower.SwarmFollower:
    endpoint = engine_place.EngineEndpoint(url="unix:///test.sock", swarm=is_wanted)
    return swarm_follower.SwarmFollower(endpoint, FakeClock(), known=known)


def ids(found: swarm_follower.SwarmFollower) -> list[str]:
    return [one.id for one in found.merge(NOTHING).containers]


async def test_it_is_looked_at_often_while_it_changes_and_seldom_otherwise() -> None:
    found, manager = follower(), Manager()
    await found.look(manager, NOTHING, 0.0)
    assert found.left_s(0.0) == swarm_follower.CHANGING_S
    await found.look(manager, NOTHING, 0.5)  # it is not due
    assert manager.looks == 1

    later_s = swarm_follower.CHANGING_FOR_S + 1
    await found.look(manager, NOTHING, later_s)
    assert (manager.looks, found.left_s(later_s)) == (2, swarm_follower.REST_S)

    found.note([engine_events.EngineEvent(action="update")], later_s)
    assert found.left_s(later_s) == swarm_follower.REST_S
    found.note([engine_events.EngineEvent(action="update", of_swarm=True)], later_s)
    assert found.left_s(later_s) == 0.0
    manager.answer = TWO
    await found.look(manager, NOTHING, later_s)
    assert (ids(found), found.left_s(later_s)) == (["t2"], swarm_follower.CHANGING_S)


async def test_one_that_does_not_answer_keeps_its_services() -> None:
    found, manager = follower(), Manager()
    await found.look(manager, NOTHING, 0.0)
    manager.answer = "cannot list: The swarm does not have a leader"
    await found.look(manager, NOTHING, 10.0)

    (problem,) = found.problems
    assert problem.message.startswith("cannot list: The swarm does not have a leader; since ")
    assert problem.message.endswith("services and tasks are taken as they were last")
    assert ids(found) == ["t1"]
    manager.answer = TWO
    await found.look(manager, NOTHING, 20.0)
    assert (found.problems, ids(found)) == ((), ["t2"])


async def test_what_an_earlier_daemon_saw_stays_until_the_swarm_answers() -> None:
    known = container("web.1.t9", {"daemun.host": "a.test"})
    found, manager = follower(known=(known,)), Manager("cannot list")
    await found.look(manager, NOTHING, 0.0)
    assert ids(found) == [known.id]

    manager.answer = ONE
    await found.look(manager, NOTHING, 10.0)
    assert ids(found) == ["t1"]


@pytest.mark.parametrize("absence", [swarm_listing.Absence.WORKER, swarm_listing.Absence.FORBIDDEN])
async def test_a_manager_that_is_none_any_more_keeps_its_services(absence: swarm_listing.Absence) -> None:
    found, manager = follower(), Manager()
    await found.look(manager, NOTHING, 0.0)
    manager.answer = absence
    await found.look(manager, NOTHING, 10.0)

    assert (len(found.problems), ids(found)) == (1, ["t1"])
    manager.answer = swarm_listing.Absence.NO_SWARM  # it left for good
    await found.look(manager, NOTHING, 100.0)
    assert (found.problems, ids(found)) == ((), [])


@pytest.mark.parametrize("absence", swarm_listing.Absence)
async def test_services_that_are_not_seen_are_missed_only_where_there_are_some(absence: swarm_listing.Absence) -> None:
    quiet, wanted, beside = follower(), follower(is_wanted=True), follower()
    of_task = container("web.1.t1", {"com.docker.swarm.task.id": "t1", "daemun.host": "a.test"})
    seen = containers.ContainerListing(containers=(of_task,))
    manager = Manager(absence)
    await quiet.look(manager, NOTHING, 0.0)
    await wanted.look(manager, NOTHING, 0.0)
    await beside.look(manager, seen, 0.0)

    assert quiet.problems == ()
    for one in (wanted, beside):
        assert one.problems[0].message.startswith("cannot see the services of Docker Swarm: ")
    assert beside.merge(seen) is seen  # its labels count as those of any container


async def test_services_may_be_left_out() -> None:
    found, manager = follower(is_wanted=False, known=(container("web.1.t1"),)), Manager()
    await found.look(manager, NOTHING, 0.0)

    assert (manager.looks, ids(found)) == (0, [])
