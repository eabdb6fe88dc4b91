"""M9, M10: a site that no container serves is told with what keeps its own container from it."""

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
