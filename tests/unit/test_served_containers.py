"""M9, M10: a site that no container serves is told with what keeps its own container from it."""

import datetime

import pytest

from daemun.core import model
from daemun.core.served import served_judgement, server_answers
from tests.support.sites import site

HERE = model.SiteStatus(
    site=site("a.test", "http://127.0.0.1:9000"),
    state=model.SiteState.UNREACHABLE,
    reason=f"route /: {server_answers.NO_CONTAINER} (and 1 more)",
    cure="start a container with this host",
)


def container(
    name: str = "web", host: str = "a.test", *, why: str | None = None, cure: str | None = None
) -> model.ContainerStatus:
    return model.ContainerStatus(name=name, hosts=(host,), is_served=False, why=why, cure=cure)


def test_the_container_that_asks_for_it_is_named() -> None:
    apart = container(why="shares no network with daemun", cure="attach both to one")
    told = served_judgement.with_containers(HERE, [container("other", "b.test", why="x"), apart])
    reason = 'route /: no container serves it now: "web" shares no network with daemun (and 1 more)'
    assert (told.state, told.reason, told.cure) == (HERE.state, reason, "attach both to one")


@pytest.mark.parametrize(
    "containers",
    [
        [],
        [container("other", "b.test", why="is unhealthy")],
        [container()],
        [model.ContainerStatus(name="web", hosts=("a.test",), why="exposes no port")],
    ],
)
def test_without_one_the_words_stay(containers: list[model.ContainerStatus]) -> None:
    assert served_judgement.with_containers(HERE, containers) == HERE


def test_other_troubles_have_their_own_words() -> None:
    refusing = model.SiteStatus(site=HERE.site, state=HERE.state, reason="http://10.0.0.1 refuses connections")
    assert served_judgement.with_containers(refusing, [container(why="is unhealthy")]) == refusing


def test_each_server_that_was_looked_at_is_told_so_too() -> None:
    at = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    absent, cure = server_answers.NO_CONTAINER, "start a container with this host"
    servers = (
        model.ServerLook(server="x", at=at, trouble=model.Trouble.ABSENT, cause=absent, cure=cure),
        model.ServerLook(server="y", at=at, trouble=model.Trouble.REFUSED, cause="y refuses", cure="start it"),
    )
    look = model.SiteLook(routes=(model.RouteLook(path="/", servers=servers),))
    apart = container(why="publishes no port", cure="publish one")
    told = served_judgement.look_with_containers("a.test", look, [container("other", "b.test", why="x"), apart])
    found = [(one.message, one.cure) for one in served_judgement.find_findings("a.test", told, at, with_good=True)]
    assert found == [
        ('route /: no container serves it now: "web" publishes no port', "publish one"),
        ("route /: y refuses", "start it"),
    ]
    assert served_judgement.look_with_containers("a.test", look, [container()]) == look
