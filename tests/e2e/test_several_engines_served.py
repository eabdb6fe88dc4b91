"""daemun with two engines: Docker here, and Podman of "another machine" through ssh, whose ports are published. A start
without one of them: tests/integration/test_several_engines.py."""

import collections.abc
import os
import pathlib
import tempfile

import pytest

from tests.support import daemon as daemons
from tests.support import ssh_server
from tests.support.docker_engine import DockerEngine
from tests.support.podman_engine import PodmanEngine

pytestmark = [pytest.mark.nginx, pytest.mark.docker, pytest.mark.podman, pytest.mark.timeout(600)]

TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
RECIPE = TEXT.split("## Containers of another machine\n")[1].split("```yaml\n")[1].split("```\n")[0]
BOTH = {"daemun.host": "both.test"}


@pytest.fixture
def ssh() -> collections.abc.Iterator[ssh_server.SshServer]:
    with tempfile.TemporaryDirectory(prefix="sshd-") as folder, ssh_server.serving(pathlib.Path(folder)) as server:
        yield server


def page(text: str) -> tuple[str, ...]:
    """The command of a container whose web server shows this."""
    return ("sh", "-c", f"echo {text} >/www/index.html; exec httpd -f -p 80 -h /www")


def wait_text(daemon: daemons.Daemon, host: str, text: str) -> None:
    daemon.wait_answer(f"https://{host}/", lambda got: got.text == text)


def test_one_site_is_served_by_both_and_the_engine_is_named_everywhere(
    daemon: daemons.Daemon, docker_engine: DockerEngine, podman_engine: PodmanEngine, ssh: ssh_server.SshServer
) -> None:
    docker_engine.run("web", *page("here"), labels=BOTH)
    podman_engine.run("web", *page("there"), labels=BOTH, options=["--publish=127.0.0.1::80"])
    podman_engine.run("inner", *page("inner"), labels={"daemun.host": "inner.test"})
    daemon.environment["PATH"] = f"{ssh.path}:{os.environ['PATH']}"
    recipe = RECIPE.replace("unix:///var/run/docker.sock", docker_engine.url).replace("10.0.0.7", "127.0.0.1")
    daemon.write(recipe.replace("ssh://me@nas", f"ssh://{ssh_server.ALIAS}{podman_engine.socket}"))
    daemon.start()
    daemon.wait_ready()

    status = daemon.wait_sites("both.test", "inner.test")
    wait_text(daemon, "both.test", "here\n")  # they answer in turn, so each comes
    wait_text(daemon, "both.test", "there\n")

    # --- each command names the engine, and what to do is a command for it ---
    assert [(one["name"], one["answers"]) for one in status["engines"]] == [("local", True), ("nas", True)]
    (both,) = (site for site in status["sites"] if site["host"] == "both.test")
    assert both["origin"] in {"container web@local", "container web@nas"}, "of whichever engine was seen first"
    inner = daemon.wait_site("inner.test", lambda site: "inner@nas" in (site["reason"] or ""), "the reason")
    assert "publishes no port for its port 80" in inner["reason"]
    shown = daemon.cli("status").stdout
    assert "web@local" in shown and "web@nas" in shown and "inner@nas" in shown
    assert any(line.split()[:1] == ["nas"] and "1 of 2" in line for line in shown.splitlines()), shown
    assert both["origin"].split()[1] in daemon.cli("sites").stdout
    assert "inner@nas" in daemon.cli("why", "https://inner.test/").stdout
    doctor = daemon.cli("doctor").stdout
    assert "all 2 engines answer: local, nas" in doctor and "inner@nas" in doctor

    # --- one that goes away is named, and nothing of the other changes ---
    podman_engine.freeze()
    docker_engine.run("late", *page("late"), labels={"daemun.host": "late.test"})
    wait_text(daemon, "late.test", "late\n")
    podman_engine.thaw()
    podman_engine.stop()
    gone = daemon.wait(
        lambda: next((one for one in daemon.status()["problems"] if one["origin"].startswith("engine nas")), None),
        "the outage",
    )
    assert "the containers that it listed last are taken as unchanged" in gone["message"]
    # Podman's containers live on without its service, and so do their sites.
    wait_text(daemon, "both.test", "there\n")
    (_, nas) = daemon.status()["engines"]
    assert (nas["name"], nas["answers"]) == ("nas", False) and nas["since"]
    podman_engine.start()
    daemon.wait(lambda: all(one["answers"] for one in daemon.status()["engines"]), "both engines")
