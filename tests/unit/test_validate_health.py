"""What `health` may say, in the file and in the model."""

import dataclasses

import pydantic
import pytest

from daemun.core import model
from daemun.core.options import catalogue, health_option, hold_option, option
from daemun.core.validation import validate
from daemun.sources import yaml_route
from daemun.sources.docker import label_options
from tests.support import sites

HEALTH = health_option.Health()


def read(value: object) -> health_option.Health | None:
    entry = yaml_route.ROUTE.model_validate({"to": "http://web", "health": value})
    return health_option.OPTION.of(model.Proxy(targets=(), options=entry.options()[1]))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/healthz", health_option.Health(path="/healthz")),
        ("tcp", health_option.Health()),
        ("off", None),
        (False, None),
        ({"path": "/x", "status": 204}, health_option.Health(path="/x", statuses=((204, 204),))),
        ({"status": "200-299"}, health_option.Health(statuses=((200, 299),))),
        ({"status": [200, "401", "500-599"]}, health_option.Health(statuses=((200, 200), (401, 401), (500, 599)))),
        (
            {"interval": "1m", "timeout": 3, "threshold": 4, "recover": 5, "host": "a.test"},
            health_option.Health(interval_s=60.0, timeout_s=3.0, threshold=4, recover=5, host="a.test"),
        ),
    ],
)
def test_forms(value: object, expected: health_option.Health | None) -> None:
    assert read(value) == expected


@pytest.mark.parametrize(
    "value", ["healthz", True, 5, {"way": "tcp"}, {"status": "2xx"}, {"status": "200-"}, {"status": True}, ["/a"]]
)
def test_mistakes_in_the_file(value: object) -> None:
    with pytest.raises(pydantic.ValidationError):
        read(value)


def find(checked: health_option.Health, url: str = "http://10.0.0.1") -> list[tuple[str | int, ...]]:
    site = sites.site(
        "a.test", sites.route("/", sites.proxy(url, options=catalogue.values(health_option.OPTION.set(checked))))
    )
    return [problem.field[2:] for problem in validate.find_site_problems(site)]


@pytest.mark.parametrize("path", ["/", "/healthz", "/a?b=c", "/%20"])
def test_good_paths(path: str) -> None:
    assert find(dataclasses.replace(HEALTH, path=path)) == []


@pytest.mark.parametrize("path", ["", "healthz", "/a b", "/é", "/a\r\nX: y", "/" + "x" * 5000])
def test_bad_paths(path: str) -> None:
    assert find(dataclasses.replace(HEALTH, path=path)) == [("health", "path")]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"interval_s": 0.0}, "interval"),
        ({"interval_s": float("nan")}, "interval"),
        ({"timeout_s": 61.0}, "timeout"),
        ({"threshold": 0}, "threshold"),
        ({"recover": 101}, "recover"),
        ({"statuses": ((99, 200),)}, "status"),
        ({"statuses": ((300, 200),)}, "status"),
        ({"host": "a b"}, "host"),
    ],
)
def test_bad_values(changes: dict[str, object], field: str) -> None:
    ((key, *path),) = find(dataclasses.replace(HEALTH, **changes))  # type: ignore[arg-type]
    assert (key, path[0]) == ("health", field)


def test_only_what_speaks_http_is_asked_over_http() -> None:
    assert find(health_option.Health(path="/"), "fastcgi://10.0.0.1") == [("health", "path")]
    assert find(health_option.Health(), "fastcgi://10.0.0.1") == []


def test_a_unix_socket_cannot_be_checked() -> None:
    assert find(health_option.Health(), "http://unix:/run/x") == [("to", 0)]


@pytest.mark.parametrize(
    ("values", "expected", "hold_s"),
    [
        ({}, None, 30.0),
        ({"health": "/healthz", "hold": "1m"}, health_option.Health(path="/healthz"), 60.0),
        ({"health": "tcp", "hold": "off"}, health_option.Health(), 0.0),
        (
            {"health": {"path": "/x", "interval": "1s", "status": "200-299", "threshold": "3"}, "hold": "0"},
            health_option.Health(path="/x", interval_s=1.0, threshold=3, statuses=((200, 299),)),
            0.0,
        ),
    ],
)
def test_labels_say_the_same(
    values: label_options.Values, expected: health_option.Health | None, hold_s: float
) -> None:
    made = model.Proxy(
        targets=(),
        options=catalogue.split(label_options.read_route(values).given(catalogue.BY_NAME), option.RouteAction.TO)[1],
    )
    assert (health_option.OPTION.of(made), hold_option.OPTION.of(made)) == (expected, hold_s)
