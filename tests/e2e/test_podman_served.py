"""daemun on a host with Podman: containers are served, replaced, and stay served while Podman's service is away."""

import asyncio
import pathlib

import pytest

from tests.support import clients
from tests.support import daemon as daemons
from tests.support.followed import SERVE
from tests.support.podman_engine import PodmanEngine

pytestmark = [pytest.mark.nginx, pytest.mark.podman, pytest.mark.timeout(600)]


@pytest.fixture
def gate(daemon: daemons.Daemon, podman_engine: PodmanEngine) -> daemons.Daemon:
    """A daemun that serves Podman's containers, and has no other site."""
    daemon.preamble = f"docker: {{endpoint: '{podman_engine.url}'}}\n"
    daemon.write("sites: {}\n")
    daemon.start()
    daemon.wait_ready()
    return daemon


def label(host: str) -> dict[str, str]:
    return {"daemun.host": host}


def until_served(gate: daemons.Daemon, host: str, text: str) -> None:
    gate.wait_answer(f"https://{host}/", lambda answer: (answer.status_code, answer.text) == (200, text))


def test_a_container_on_a_network_of_ipv6_alone_is_served(gate: daemons.Daemon, podman_engine: PodmanEngine) -> None:
    if not pathlib.Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    podman_engine.cli("network", "create", "--subnet=fd00:da:e2::/64", "six")
    podman_engine.run("six", *SERVE, labels=label("six.test"), network="six")
    podman_engine.run("four", *SERVE, labels=label("four.test"))

    until_served(gate, "six.test", "a page\n")
    until_served(gate, "four.test", "a page\n")
    status = gate.wait_sites("six.test", "four.test")
    assert status["problems"] == []
    (to,) = next(site for site in status["sites"] if site["host"] == "six.test")["routes"][0]["to"]
    assert to.startswith("http://[fd00:da:e2::")


def test_containers_are_replaced_without_a_reload(gate: daemons.Daemon, podman_engine: PodmanEngine) -> None:
    podman_engine.run_server("chat-0", labels=label("chat.test"))
    until_served(gate, "chat.test", "chat-0 0")
    reloads = gate.status()["nginx"]["reloads"]

    for number in range(1, 4):
        podman_engine.cli("rm", "--force", f"chat-{number - 1}")
        podman_engine.run_server(f"chat-{number}", labels=label("chat.test"))
        until_served(gate, "chat.test", f"chat-{number} 0")
    assert gate.status()["nginx"]["reloads"] == reloads


async def test_podmans_service_is_restarted_under_load(gate: daemons.Daemon, podman_engine: PodmanEngine) -> None:
    await asyncio.to_thread(podman_engine.run_server, "chat", labels=label("chat.test"))
    await asyncio.to_thread(until_served, gate, "chat.test", "chat 0")
    reloads = (await asyncio.to_thread(gate.status))["nginx"]["reloads"]

    url = "https://chat.test/"
    async with (
        clients.Load(gate.gate, url, visitors=3, pause_s=0.02) as gets,
        clients.Load(gate.gate, url, visitors=2, pause_s=0.05, body=b"x" * 50_000) as posts,
    ):
        await asyncio.to_thread(podman_engine.stop)
        away = await asyncio.to_thread(gate.wait, lambda: gate.status()["problems"], "the outage to be told")
        await gets.answer(5)
        await asyncio.to_thread(podman_engine.start)
        await posts.answer(5)
        assert [dict(load.failures) for load in (gets, posts)] == [{}, {}]

    assert "taken as unchanged" in away[0]["message"]
    after = await asyncio.to_thread(
        gate.wait, lambda: status if not (status := gate.status())["problems"] else None, "no problem"
    )
    assert after["nginx"]["reloads"] == reloads
    assert [one["served"] for one in after["containers"]] == [True]
