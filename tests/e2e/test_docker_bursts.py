"""Many things that happen to containers at once: everything is served afterwards, and nginx hardly noticed."""

import os
import signal
import threading

import pytest

from tests.support import daemon as daemons
from tests.support.docker_engine import IMAGE, NETWORK, DockerEngine

pytestmark = [pytest.mark.nginx, pytest.mark.docker, pytest.mark.timeout(600)]

HTTPD = ("httpd", "-f", "-p", "80", "-h", "/www")
MANY = 30
MOST_RELOADS = 3
"""All events of the burst wait for daemun when it goes on, so that they are one group, and one reload. They are two
where a group ends, or a round begins, while they are read, and three where both happen."""


@pytest.fixture
def gate(daemon: daemons.Daemon, docker_engine: DockerEngine) -> daemons.Daemon:
    """A daemun that serves the containers of the engine, and one site of its file."""
    daemon.preamble = f"docker: '{docker_engine.url}'\n"
    daemon.write("sites:\n" + daemons.signpost("file.test", "file"))
    daemon.start()
    daemon.wait_sign("file.test", "file")
    return daemon


def create(engine: DockerEngine, name: str, host: str) -> None:
    engine.cli("create", f"--name={name}", f"--label=daemun.host={host}", f"--network={NETWORK}", IMAGE, *HTTPD)


def until_served(gate: daemons.Daemon, host: str) -> None:
    gate.wait_answer(f"https://{host}/", lambda answer: (answer.status_code, answer.text) == (200, "a page\n"))


def test_a_burst_of_events_is_a_few_reloads_and_loses_nothing(
    gate: daemons.Daemon, docker_engine: DockerEngine
) -> None:
    names = [f"web-{number}" for number in range(MANY)]
    reloads = gate.status()["nginx"]["reloads"]

    # What happens while daemun does not run comes to it at once.
    os.kill(gate.pid, signal.SIGSTOP)
    try:
        for name in names:
            create(docker_engine, name, f"{name}.test")
    finally:
        os.kill(gate.pid, signal.SIGCONT)
    status = gate.wait(
        lambda: status if len((status := gate.status())["containers"]) == MANY else None, "every container"
    )
    assert {site["state"] for site in status["sites"]} <= {"live", "unreachable"}
    assert status["nginx"]["reloads"] - reloads <= MOST_RELOADS

    os.kill(gate.pid, signal.SIGSTOP)
    try:
        docker_engine.cli("start", *names)
    finally:
        os.kill(gate.pid, signal.SIGCONT)
    for name in names:
        until_served(gate, f"{name}.test")
    after = gate.status()
    assert all(one["served"] for one in after["containers"])
    assert after["problems"] == []
    assert after["nginx"]["reloads"] == status["nginx"]["reloads"]

    docker_engine.cli("rm", "--force", *names[1:])
    left = gate.wait(lambda: status if len((status := gate.status())["containers"]) == 1 else None, "one container")
    assert left["nginx"]["reloads"] == after["nginx"]["reloads"]
    until_served(gate, "web-0.test")
    assert gate.sign("file.test") == "file"


def test_a_container_that_ends_and_starts_all_the_time_holds_nobody_back(
    gate: daemons.Daemon, docker_engine: DockerEngine
) -> None:
    docker_engine.run("loop", *HTTPD, labels={"daemun.host": "loop.test"})
    until_served(gate, "loop.test")
    ends = threading.Event()

    def restart() -> None:
        while not ends.is_set():
            docker_engine.cli("restart", "--time=0", "loop")

    looping = threading.Thread(target=restart)
    looping.start()
    try:
        docker_engine.run("web", *HTTPD, labels={"daemun.host": "web.test"})
        until_served(gate, "web.test")
        docker_engine.cli("rm", "--force", "web")
        gate.wait(lambda: [one["name"] for one in gate.status()["containers"]] == ["loop"], "the other one to be gone")
        assert looping.is_alive()
    finally:
        ends.set()
        looping.join()
    until_served(gate, "loop.test")
