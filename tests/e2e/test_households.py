"""The households of examples/ run as they are, one after another in one daemon. Hosts and ports are the test's."""

import collections.abc
import contextlib
import pathlib
import re

import pytest

from daemun.sources import yaml_file
from tests.support import backend, ports, stream_servers
from tests.support import daemon as daemon_support
from tests.support.daemon import Daemon

pytestmark = pytest.mark.nginx

FOLDER = pathlib.Path(__file__).parents[2] / "examples" / "households"
STREAMS = {"21883": "tcp", "45565": "tcp", "39132": "udp"}
"""The ports of servers behind streams."""
EXPECTED = {
    "family": [
        ("cloud.test/.well-known/caldav", 301),
        ("cloud.test/data/x", 404),
        ("photos.test/", 200),
        ("papers.test/", 401),
        ("house.test/", 200),
        ("vault.test/admin", 200),
    ],
    "company": [
        ("git.test/", 200),
        ("docs.test/x", 301),
        ("wiki.test/", 401),
        ("numbers.test/prometheus/graph", 401),
        ("numbers.test/push/x", 200),
        ("accounts.test/metrics", 403),
        ("accounts.test/admin/", 200),
    ],
    "wordpress": [
        ("bakery.test/", 200),
        ("www.bakery.test/", 301),
        ("bakery.test/xmlrpc.php", 403),
        ("garage.test/wp-content/uploads/x.php", 403),
        ("garage.test/wp-login.php", 200),
        ("next.test/", 200),
    ],
    "games-and-iot": [("things.test/flows/", 200), ("cameras.test/", 200), ("map.test/", 200)],
    "chat": [
        ("chat.test/", 200),
        ("chat.test/websocket/room", 200),
        ("matrix.test/_synapse/admin/v1/users", 403),
        ("matrix.test/_matrix/client/versions", 200),
        ("element.test/", 200),
        ("example.test/.well-known/matrix/server", 200),
        ("example.test/", 302),
    ],
}


@pytest.fixture(scope="module")
def daemon() -> collections.abc.Iterator[Daemon]:
    with daemon_support.new_daemon() as new:
        new.write("sites: {}\n")
        new.start()
        new.wait_ready()
        yield new


@pytest.fixture(scope="module")
def places() -> collections.abc.Iterator[dict[str, str]]:
    """Where servers are, by the ports of the files. All that speak HTTP are one."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(backend.running())
        tcp = stack.enter_context(stream_servers.tcp("a"))
        udp = stack.enter_context(stream_servers.udp("a"))
        yield {"http": str(server.port), "tcp": str(tcp.port), "udp": str(udp.port)}


def written(name: str, places: dict[str, str], listening: dict[str, int]) -> str:
    text = (FOLDER / f"{name}.yaml").read_text().replace("  example.com:", "  example.test:")
    text = re.sub(r"(?<=[\w.])\.example\.com", ".test", text)
    text = re.sub(r"(?<=127\.0\.0\.1:)\d+", lambda port: places[STREAMS.get(port[0], "http")], text)

    def listen(match: re.Match[str]) -> str:
        return f'listen: "127.0.0.1:{listening.setdefault(match[1], ports.free_port())}"'

    return re.sub(r"listen: (\d+)", listen, text)


def test_every_household_is_here() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_nothing_is_said_of_it(name: str) -> None:
    text = (FOLDER / f"{name}.yaml").read_text()
    assert yaml_file.parse(text, file_name="daemun.yaml", base_dir="/").problems == ()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_household(daemon: Daemon, places: dict[str, str], name: str) -> None:
    listening: dict[str, int] = {}
    daemon.write(written(name, places, listening))
    daemon.cli_good("apply")
    for url, status in EXPECTED[name]:
        _wait_status(daemon, url, status)
    for port, is_udp in (("1883", False), ("25565", False), ("19132", True)):
        if port in listening:
            _wait_stream(daemon, listening[port], is_udp=is_udp)
    if "8883" in listening:
        assert stream_servers.try_tls(listening["8883"], "things.test", daemon.gate.ca) == b"a|ping"


def _wait_status(daemon: Daemon, url: str, status: int) -> None:
    daemon.wait_answer(f"https://{url}", lambda answer: answer.status_code == status)


def _wait_stream(daemon: Daemon, port: int, *, is_udp: bool) -> None:
    look = stream_servers.try_udp if is_udp else stream_servers.try_tcp
    assert daemon.wait(lambda: look(port), "an answer of the stream") == b"a|ping"
