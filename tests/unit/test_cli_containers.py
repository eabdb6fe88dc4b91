"""`daemun containers`: which are shown, and in which order."""

import typing

from daemun.cli.commands import container_list

Json = dict[str, typing.Any]


def container(name: str, lamp: str, **more: typing.Any) -> Json:
    usual = {
        "engine": None,
        "hosts": [f"{name}.test"],
        "streams": [],
        "served": lamp != "bad",
        "why": None,
        "cure": None,
    }
    return {"name": name, "lamp": lamp, "state": "running", "health": None, "restarts": 0, **usual, **more}


EVERY = [
    container("web", "good"),
    container("db", "bad", hosts=[], streams=["mysql"], why="it has no port", cure="write daemun.port"),
    container("app", "warning", why="it restarts", restarts=7, health="unhealthy"),
]


def test_those_that_are_not_served_come_first() -> None:
    assert [one["name"] for one in container_list.choose(EVERY)] == ["db", "app", "web"]


def test_they_are_found_by_name_host_stream_and_lamp() -> None:
    assert [one["name"] for one in container_list.choose(EVERY, text=" WEB.t")] == ["web"]
    assert [one["name"] for one in container_list.choose(EVERY, text="mysql")] == ["db"]
    assert [one["name"] for one in container_list.choose(EVERY, lamp="warning")] == ["app"]
    assert container_list.choose(EVERY, text="web", lamp="bad") == []


def test_one_of_several_engines_is_named_with_it() -> None:
    one = container("web", "good", engine="nas")
    assert container_list.row_of(one)[0] == "web@nas"
    assert container_list.choose([one], text="@NAS") == [one]


def test_rows() -> None:
    assert container_list.row_of(EVERY[0]) == ("web", "yes", "web.test", "running", "0", "-")
    assert container_list.row_of(EVERY[1]) == (
        "db",
        "no",
        "stream mysql",
        "running",
        "0",
        "it has no port; write daemun.port",
    )
    assert container_list.row_of(EVERY[2]) == ("app", "yes", "app.test", "unhealthy", "7", "it restarts")
