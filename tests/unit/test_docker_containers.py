"""The engine's answers become values, whatever they hold."""

import typing

import hypothesis
from hypothesis import strategies

from daemun.sources.docker import containers

INSPECTED: dict[str, typing.Any] = {
    "Id": "3137230c78b31d4c66d6b1b63bdfc05cc89d5e33e00513efa2925b1daca7b155",
    "Name": "/chat-1",
    "Created": "2026-03-01T12:00:00.123456789Z",
    "RestartCount": 3,
    "State": {"Status": "running", "Health": {"Status": "starting"}},
    "Config": {
        "Labels": {"daemun.host": "a.test", "b": "c"},
        "ExposedPorts": {"7777/tcp": {}, "53/udp": {}},
        "StopSignal": "SIGQUIT",
    },
    "HostConfig": {"NetworkMode": "gate"},
    "NetworkSettings": {
        "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "7777/tcp": None},
        "Networks": {
            "zoo": {"NetworkID": "2", "IPAddress": "", "GlobalIPv6Address": "fd00:0::2", "Gateway": ""},
            "gate": {"NetworkID": "1", "IPAddress": "10.0.0.2", "GlobalIPv6Address": "", "Gateway": "10.0.0.1"},
        },
    },
}


def test_a_container_as_docker_tells_of_it() -> None:
    found = containers.parse_container(INSPECTED)

    assert found == containers.EngineContainer(
        id=INSPECTED["Id"],
        name="chat-1",
        created_at=found.created_at,
        labels=(("b", "c"), ("daemun.host", "a.test")),
        ports=(80, 7777),
        network_mode="gate",
        attachments=(
            containers.Attachment(network="1", name="gate", ipv4="10.0.0.2", gateway="10.0.0.1"),
            containers.Attachment(network="2", name="zoo", ipv6="fd00::2"),
        ),
        state="running",
        health=containers.ContainerHealth.STARTING,
        restarts=3,
        stop_signal=3,
        published=(containers.PublishedPort(port=80, host_port=8080, address="0.0.0.0"),),
    )
    assert found.created_at.isoformat() == "2026-03-01T12:00:00.123456+00:00"


def test_podman_leaves_out_what_docker_tells_and_names_networks() -> None:
    """As Podman 4.3 answers: no id of a network, no exposed ports but in one place, a signal's number."""
    networks = {
        "podman": {"NetworkID": "podman", "IPAddress": "10.88.0.2", "Gateway": "10.88.0.1", "IPv6Gateway": ""},
        "six": {"NetworkID": "six", "IPAddress": "", "GlobalIPv6Address": "fd00::2", "IPv6Gateway": "fd00::1"},
    }
    found = containers.parse_container(
        {
            "Id": INSPECTED["Id"],
            "Name": "/chat-1",
            "Created": "2026-03-01T13:00:00+01:00",
            "State": {"Status": "running", "Health": {"Status": "", "FailingStreak": 0, "Log": None}},
            "Config": {"Labels": {"a": "b"}, "Env": ["HOSTNAME=x"], "StopSignal": "15"},
            "HostConfig": {"NetworkMode": "bridge"},
            "NetworkSettings": {"Ports": {"8080/tcp": None}, "Networks": networks},
        }
    )

    assert found.health is containers.ContainerHealth.NONE
    assert found.attachments == (
        containers.Attachment(network="podman", name="podman", ipv4="10.88.0.2", gateway="10.88.0.1"),
        containers.Attachment(network="six", name="six", ipv6="fd00::2", gateway="fd00::1"),
    )
    assert (found.ports, found.stop_signal) == ((8080,), 15)
    assert found.created_at.isoformat() == "2026-03-01T13:00:00+01:00"


def test_a_number_of_restarts_that_is_none() -> None:
    counts = [-1, True, "3", None, 10**30]
    found = [containers.parse_container(INSPECTED | {"RestartCount": count}).restarts for count in counts]
    assert found == [0, 0, 0, 0, 10**9]


def test_a_name_that_is_none_is_not_repeated() -> None:
    found = containers.parse_container(INSPECTED | {"Name": "/x\n; return 200"})

    assert found.name == INSPECTED["Id"][:12]


def test_a_container_without_a_time_is_the_youngest() -> None:
    known = containers.parse_container(INSPECTED)
    unknown = containers.parse_container(INSPECTED | {"Created": "yesterday"})

    assert known.age < unknown.age


_JSON: strategies.SearchStrategy[object] = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.text(max_size=9),
    lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(max_size=9), inner),
    max_leaves=6,
)


@hypothesis.given(strategies.sampled_from(sorted(INSPECTED)), _JSON)
def test_an_answer_of_another_shape_is_taken_as_not_given(key: str, value: object) -> None:
    containers.parse_container(INSPECTED | {key: value})
    containers.parse_container(value)
    containers.parse_network(value)
    inner = INSPECTED[key]
    if isinstance(inner, dict):
        for name in inner:
            containers.parse_container(INSPECTED | {key: inner | {name: value}})


def test_of_a_variable_that_is_not_read_only_the_name_is_kept() -> None:
    given = ["PATH=/bin", "SSL_TOKEN=secret", "VITRUAL_HOST=a.test", "NETWORK_ACESS=", "VIRTUAL_HOST=b.test"]

    assert containers.parse_environment(given) == (
        ("NETWORK_ACESS", ""),
        ("SSL_TOKEN", "(hidden)"),
        ("VIRTUAL_HOST", "b.test"),
        ("VITRUAL_HOST", "(hidden)"),
    )
