"""daemun as a service of Docker Swarm, by the stack file of examples/swarm, and what visitors notice of services.

The gate's container has this machine's Python and daemun, which needs no image to be built.
"""

import asyncio
import collections.abc
import contextlib
import json
import os
import pathlib
import subprocess
import tempfile
import typing

import httpx
import pytest

from tests.support import clients
from tests.support import swarm as swarms
from tests.support.container_engine import PYTHON_MOUNTS, PYTHON_PATH, python_command
from tests.support.daemon import wait_for
from tests.support.docker_engine import IMAGE, DockerEngine

pytestmark = [pytest.mark.docker, pytest.mark.nginx, pytest.mark.timeout(900)]

ROOT = pathlib.Path(__file__).parents[2]
STACK = ROOT / "examples" / "swarm" / "stack.yaml"
DEEP = bool(os.environ.get("DAEMUN_TEST_DEEP"))
UPDATES = 10 if DEEP else 1
REQUESTS = 5_000 if DEEP else 100
"""At least so many during the updates of one order."""
ENVIRONMENT = {"PYTHONPATH": f"{PYTHON_PATH}:{ROOT / 'src'}", "PYTHONDONTWRITEBYTECODE": "1"}
BODY = b"x" * 20_000 if DEEP else None
HTTPD = ("httpd", "-f", "-p", "80", "-h", "/www")
Json = dict[str, typing.Any]


class Stack:
    """The example, deployed. node: a worker that joined."""

    def __init__(self, swarm: swarms.Swarm, folder: pathlib.Path) -> None:
        self.swarm = swarm
        self.manager = swarm.manager
        self._deploy(folder)
        self.state = self._find_state()
        self.gate = clients.GateAddress(http=8080, https=8443, ca=self.state / "ca.pem")
        wait_for(self.gate.ca.exists, "the local CA")

    def _deploy(self, folder: pathlib.Path) -> None:
        (folder / "passwd").write_text("root:x:0:0::/root:/bin/sh\nnginx:x:101:101::/:/bin/false\n")
        (folder / "group").write_text("root:x:0:\nnginx:x:101:\n")
        python = [f"{one}:{one}:ro" for one in (*PYTHON_MOUNTS, ROOT / "src")]
        accounts = [f"{folder / name}:/etc/{name}:ro" for name in ("passwd", "group")]
        services = {
            "daemun": {
                "entrypoint": list(python_command("daemun")),
                "command": ["up"],
                "volumes": [*python, *accounts],
                "environment": ENVIRONMENT,
            },
            "web": self._web() | {"deploy": {"update_config": {"monitor": "100ms"}}},
        }
        override = folder / "override.json"
        override.write_text(json.dumps({"services": services}))
        variables = {"DAEMUN_IMAGE": IMAGE, "APP_IMAGE": IMAGE, "HTTP_PORT": "8080", "HTTPS_PORT": "8443"}
        files = [f"--compose-file={STACK}", f"--compose-file={override}"]
        done = subprocess.run(
            ["docker", "--host", self.manager.url, "stack", "deploy", "--resolve-image=never", *files, "shop"],
            env={**os.environ, **variables, "DOCKER_SOCKET": str(self.manager.socket)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def _web(self) -> Json:
        """busybox's server goes on after SIGTERM until it is killed, and takes no POST; the other one does all that a
        server should, and its start takes longer."""
        if not DEEP:
            return {"entrypoint": list(HTTPD), "stop_grace_period": "4s"}
        return {
            "entrypoint": list(python_command("tests.support.container_server")),
            "volumes": [f"{one}:{one}:ro" for one in PYTHON_MOUNTS],
            "environment": ENVIRONMENT,
        }

    def _find_state(self) -> pathlib.Path:
        """The volume that the example keeps daemun's state in."""

        def look() -> str:
            with contextlib.suppress(AssertionError):  # no task made it yet
                return self.manager.cli("volume", "inspect", "--format={{.Mountpoint}}", "shop_daemun")
            return ""

        return pathlib.Path(wait_for(look, "the gate's volume", every_s=0.3))

    def status(self) -> Json:
        """As `daemun status --json`, without the time of its start."""
        transport = httpx.HTTPTransport(uds=f"{self.state}/run/control.sock")
        with httpx.Client(transport=transport, trust_env=False, timeout=60) as client:
            return typing.cast(Json, client.get("http://daemun/status").json())

    def until(self, is_so: collections.abc.Callable[[Json], bool], what: str) -> Json:
        def look() -> Json | None:
            with contextlib.suppress(httpx.TransportError):  # it starts
                found = self.status()
                return found if is_so(found) else None
            return None

        try:
            return wait_for(look, what, every_s=0.3)
        except AssertionError as error:
            tasks = self.manager.cli("service", "ps", *self.manager.cli("service", "ls", "--quiet").split())
            raise AssertionError(f"{error}\n{json.dumps(self.status()['containers'], indent=1)}\n{tasks}") from None

    def until_served(self, host: str, text: str | None = None) -> None:
        def look() -> bool:
            answer = clients.try_get(self.gate, f"https://{host}/")
            return answer is not None and answer.status_code == 200 and (text is None or answer.text == text)

        wait_for(look, f"an answer of {host}", every_s=0.3)

    def update(self, service: str, *options: str) -> None:
        """Begin a rolling update of a service, and wait until Swarm is done with it."""
        before = self._updated_at(service)
        update = ("--detach", "--no-resolve-image", "--force", *options, service)
        self.manager.cli("service", "update", *update)
        wait_for(lambda: self._updated_at(service) not in {before, ""}, f"the update of {service}", every_s=0.3)

    def _updated_at(self, service: str) -> str:
        """When its last update was done; "": one is under way."""
        found = json.loads(self.manager.cli("service", "inspect", service))[0].get("UpdateStatus", {})
        return "" if found.get("State") not in {None, "completed"} else str(found.get("CompletedAt", "never"))


@pytest.fixture(scope="module")
def stack() -> collections.abc.Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="dm-") as folder, swarms.swarm() as swarm:
        yield Stack(swarm, pathlib.Path(folder))


@pytest.fixture(scope="module")
def worker(stack: Stack) -> swarms.Worker:
    """A second node."""
    return stack.swarm.join(f"dm{os.getpid()}")


def servers(status: Json, host: str) -> list[str]:
    return [one for site in status["sites"] if site["host"] == host for route in site["routes"] for one in route["to"]]


def of_service(status: Json, name: str) -> list[Json]:
    return [one for one in status["containers"] if one["name"] == name or one["name"].startswith(f"{name}.")]


def run_httpd(engine: DockerEngine, name: str, host: str, *options: str) -> None:
    labels = (f"--label=daemun.host={host}", "--label=daemun.port=80")
    engine.cli(
        "service",
        "create",
        "--detach",
        "--no-resolve-image",
        "--stop-grace-period=1s",
        f"--name={name}",
        *labels,
        *options,
        IMAGE,
        *HTTPD,
    )


def test_the_example_serves_its_three_tasks(stack: Stack) -> None:
    stack.until_served("app.localhost")
    status = stack.until(
        lambda found: len(servers(found, "app.localhost")) == 3 and found["sites"][0]["state"] == "live",
        "three servers and a live site",
    )

    assert [one["served"] for one in of_service(status, "shop_web")] == [True] * 3
    assert [one["name"] for one in status["containers"]] == sorted(one["name"] for one in status["containers"])
    assert status["problems"] == []


@pytest.mark.walk
@pytest.mark.parametrize("order", ["start-first", "stop-first"])
async def test_rolling_updates_lose_no_request_and_reload_nothing(stack: Stack, order: str) -> None:
    await asyncio.to_thread(stack.until_served, "app.localhost")
    before = await asyncio.to_thread(
        stack.until, lambda found: len(servers(found, "app.localhost")) == 3, "three servers"
    )
    async with contextlib.AsyncExitStack() as running:
        loads = [
            clients.Load(stack.gate, "https://app.localhost/", visitors=2, pause_s=0.05),
            clients.Load(stack.gate, "https://app.localhost/", visitors=1, pause_s=0.05, body=BODY),
            clients.Load(stack.gate, "https://app.localhost/", visitors=1, pause_s=0.1, keep_alive=False),
        ]
        for load in loads:
            await running.enter_async_context(load)
        for _ in range(UPDATES):
            options = (f"--update-order={order}", "--update-delay=0s")
            await asyncio.to_thread(stack.update, "shop_web", *options)
        while sum(load.answered for load in loads) < REQUESTS:
            await loads[0].answer(1)
    answered = sum(load.answered for load in loads)
    print(f"\n{order}: {UPDATES} updates, {answered} requests, longest {max(load.longest_s for load in loads):.2f} s")
    assert [dict(load.failures) for load in loads] == [{}, {}, {}]
    after = await asyncio.to_thread(
        stack.until, lambda found: len(servers(found, "app.localhost")) == 3, "three servers"
    )
    assert set(servers(before, "app.localhost")).isdisjoint(servers(after, "app.localhost"))
    assert before["nginx"]["reloads"] == after["nginx"]["reloads"]


def test_a_service_on_another_network_is_told_what_helps_and_that_helps(stack: Stack) -> None:
    stack.manager.cli("network", "create", "--driver=overlay", "apart")
    run_httpd(stack.manager, "lonely", "lonely.test", "--network=apart")

    status = stack.until(
        lambda found: any((one["why"] or "").startswith("shares") for one in of_service(found, "lonely")), "the reason"
    )
    (told,) = of_service(status, "lonely")
    assert told["why"] == 'shares no network with daemun: it is on "apart", daemun on "shop_gate"'
    assert told["cure"] == "attach it with `docker service update --network-add shop_gate lonely`"
    _, *command = told["cure"].split("`")[1].split()
    stack.manager.cli(*command, "--detach", "--no-resolve-image")
    stack.until_served("lonely.test", "a page\n")

    stack.manager.cli("service", "scale", "--detach", "lonely=0")
    status = stack.until(lambda found: [one["served"] for one in of_service(found, "lonely")] == [False], "no task")
    (told,) = of_service(status, "lonely")
    assert (told["why"], told["cure"]) == (
        "has no tasks: its replicas are 0",
        "`docker service scale lonely=1` starts one",
    )
    stack.manager.cli("service", "rm", "lonely")


async def test_a_drained_node_loses_nothing(stack: Stack, worker: swarms.Worker) -> None:
    """Some kernels pass no packet of an overlay network from one namespace of a machine to another; then tasks of that
    node take no connection, and the others get every request."""
    await asyncio.to_thread(stack.until_served, "app.localhost")
    run_httpd(stack.manager, "each", "each.test", "--mode=global", "--network=shop_gate")
    await asyncio.to_thread(stack.until, lambda found: len(servers(found, "each.test")) == 2, "a task on each node")

    async with (
        clients.Load(stack.gate, "https://app.localhost/", visitors=2, pause_s=0.05) as of_web,
        clients.Load(stack.gate, "https://each.test/", visitors=1, pause_s=0.05) as of_each,
    ):
        await of_each.answer(10)
        await asyncio.to_thread(stack.manager.cli, "node", "update", "--availability=drain", worker.id)
        await asyncio.to_thread(stack.until, lambda found: len(servers(found, "each.test")) == 1, "one task")
        left = await asyncio.to_thread(stack.until, is_whole, "three tasks on one node")
        await of_web.answer(10)
    assert (dict(of_web.failures), dict(of_each.failures)) == ({}, {})
    assert left["problems"] == []


def test_without_quorum_everything_stays_as_it_was(stack: Stack, worker: swarms.Worker) -> None:
    stack.manager.cli("node", "promote", worker.id)
    reachability = ("node", "inspect", "--format={{with .ManagerStatus}}{{.Reachability}}{{end}}", worker.id)
    wait_for(lambda: stack.manager.cli(*reachability) == "reachable", "a second manager", every_s=0.3)
    before = stack.until(is_whole, "three tasks")
    worker.engine.freeze()
    try:
        told = stack.until(lambda found: bool(swarm_problems(found)), "word of the swarm")
        stack.until_served("app.localhost")
    finally:
        worker.engine.thaw()
    assert "services and tasks are taken as they were last" in swarm_problems(told)[0]
    assert servers(told, "app.localhost") == servers(before, "app.localhost")
    stack.until(lambda found: not swarm_problems(found) and is_whole(found), "a swarm that answers")

    def demote() -> bool:
        with contextlib.suppress(AssertionError):  # until the managers agree again
            stack.manager.cli("node", "demote", worker.id)
            return True
        return False

    wait_for(demote, "a worker again")


def swarm_problems(status: Json) -> list[str]:
    return [one["message"] for one in status["problems"] if "the services of its swarm" in one["message"]]


def is_whole(status: Json) -> bool:
    return len(servers(status, "app.localhost")) == 3 and all(one["served"] for one in of_service(status, "shop_web"))
