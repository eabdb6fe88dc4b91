"""daemun's own image: what it serves, how it starts, ends and recovers."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import json
import pathlib
import re
import shutil
import tempfile
import typing

import httpx
import psutil
import pytest

from tests.support import clients, ports
from tests.support.daemon import wait_for
from tests.support.docker_engine import DockerEngine

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

HTTPD = ("httpd", "-f", "-p", "80", "-h", "/www")
Json = dict[str, typing.Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A container with daemun. state: its state directory, a folder of this machine."""

    engine: DockerEngine
    name: str
    state: pathlib.Path
    http: int
    https: int

    @property
    def gate(self) -> clients.GateAddress:
        return clients.GateAddress(http=self.http, https=self.https, ca=self.state / "ca.pem")

    def inspect(self) -> Json:
        return typing.cast(Json, json.loads(self.engine.cli("inspect", self.name))[0])

    def first_process(self) -> psutil.Process:
        return psutil.Process(self.inspect()["State"]["Pid"])

    def processes(self) -> list[psutil.Process]:
        first = self.first_process()
        return [first, *first.children(recursive=True)]

    def zombies(self) -> list[int]:
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.status() == psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
        return found

    def wait_no_zombies(self) -> None:
        """A process that has ended is one until its parent takes note."""
        wait_for(lambda: self.zombies() == [], "the zombies to go")

    def masters(self) -> list[psutil.Process]:
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):  # also of a zombie
                if "nginx: master" in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def status(self) -> Json:
        said = self.engine.cli("exec", self.name, "sh", "-c", "daemun status --json || true")
        return typing.cast(Json, json.loads(said))

    def log(self) -> str:
        return self.engine.logs(self.name)

    def until_served(self, url: str, status: int = 200) -> httpx.Response:
        def look() -> httpx.Response | None:
            answer = clients.try_get(self.gate, url)
            return answer if answer is not None and answer.status_code == status else None

        try:
            return wait_for(look, f"{status} from {url}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None


@pytest.fixture
def state(docker_engine: DockerEngine) -> collections.abc.Iterator[pathlib.Path]:
    """A folder on the host; the container that has it is removed first, as it writes to the end."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dm-"))
    folder.chmod(0o755)
    yield folder
    for container in docker_engine.cli("ps", "--all", "--quiet", f"--filter=volume={folder}").split():
        docker_engine.cli("rm", "--force", container)
    shutil.rmtree(folder)


@pytest.fixture
def gate(docker_engine: DockerEngine, daemun_image: str, state: pathlib.Path) -> collections.abc.Iterator[Ran]:
    """daemun in a container, without a file, on the network of the others."""
    ran = Ran(engine=docker_engine, name="gate", state=state, http=ports.free_port(), https=ports.free_port())
    docker_engine.run(
        ran.name,
        options=[
            f"--volume={docker_engine.socket}:/var/run/docker.sock:ro",
            f"--volume={state}:/var/lib/daemun",
            f"--publish=127.0.0.1:{ran.http}:80",
            f"--publish=127.0.0.1:{ran.https}:443",
            "--env=DAEMUN_RESERVE=admin.test",
            "--health-interval=1s",
        ],
        image=daemun_image,
    )
    yield ran
    docker_engine.cli("rm", "--force", ran.name)


def serve(engine: DockerEngine, name: str, host: str) -> None:
    engine.run(name, *HTTPD, labels={"daemun.host": host})


# --- what it does ----------------------------------------------------------------------------------------------


def test_labels_alone_are_served_through_published_ports(gate: Ran, docker_engine: DockerEngine) -> None:
    serve(docker_engine, "web", "web.test")
    serve(docker_engine, "admin", "admin.test")
    docker_engine.cli("network", "create", "apart")
    docker_engine.run("apart", *HTTPD, labels={"daemun.host": "apart.test"}, network="apart")

    assert gate.until_served("https://web.test/").text == "a page\n"
    assert clients.get(gate.gate, "http://web.test/x").headers["Location"] == "https://web.test/x"
    wait_for(lambda: gate.inspect()["State"]["Health"]["Status"] == "healthy", "the health check to succeed")

    def look() -> dict[str, Json] | None:
        told = {one["name"]: one for one in gate.status()["containers"]}
        return told if set(told) == {"web", "admin", "apart"} else None

    told = wait_for(look, "all containers in the status")
    assert told["web"]["served"]
    assert told["admin"]["why"] == "the host is reserved by `docker.reserve`"
    assert told["apart"]["why"].startswith('shares no network with daemun: it is on "apart", daemun on ')
    assert told["apart"]["cure"] == "attach both to one network"


def test_n16_the_documented_rights_are_enough(
    docker_engine: DockerEngine, daemun_image: str, state: pathlib.Path
) -> None:
    """`--cap-drop ALL` with those that docs/docker.md names, and no new privileges."""
    text = (pathlib.Path(__file__).parents[2] / "docs/docker.md").read_text()
    command = text[text.index("--cap-drop ALL") :].partition("```")[0]
    added = [f"--cap-add={name}" for name in re.findall(r"--cap-add ([A-Z_]+)", command)]
    ran = Ran(engine=docker_engine, name="bounded", state=state, http=ports.free_port(), https=ports.free_port())
    docker_engine.run(
        ran.name,
        options=[
            "--cap-drop=ALL",
            *added,
            "--security-opt=no-new-privileges",
            f"--volume={docker_engine.socket}:/var/run/docker.sock:ro",
            f"--volume={state}:/var/lib/daemun",
            f"--publish=127.0.0.1:{ran.http}:80",
            f"--publish=127.0.0.1:{ran.https}:443",
        ],
        image=daemun_image,
    )
    try:
        serve(docker_engine, "web", "web.test")
        assert ran.until_served("https://web.test/").text == "a page\n"
        for process in ran.processes():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # one that has ended meanwhile
                found = re.search(r"CapBnd:\s+(\w+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())
                assert found is not None
                assert int(found[1], 16).bit_count() == len(added)
        serve(docker_engine, "second", "second.test")
        assert ran.until_served("https://second.test/").text == "a page\n"
        assert ran.status()["nginx"]["answers"]
        assert "not permitted" not in ran.log()
        docker_engine.cli("stop", ran.name)
        assert ran.inspect()["State"]["ExitCode"] == 0
    finally:
        docker_engine.cli("rm", "--force", ran.name)


@pytest.mark.shows(file="/tmp/docker.sock letsencrypt_user_data nginx.tmpl /etc/acme.sh")
def test_with_the_mounts_of_nginx_proxy_and_its_companion(
    docker_engine: DockerEngine, daemun_image: str, state: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Only the image is another one, and DAEMUN_COMPAT is added."""
    for path, text in {
        "vhost.d/default": "add_header X-Mine yes;",
        "html/errors/50x.html": "later",
        "acme/ca/account.json": "{}",
        "letsencrypt_user_data": "ACME_STANDALONE_CERTS=(mail)",
        "nginx.tmpl": "{{ }}",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    mounts = {
        str(docker_engine.socket): "/tmp/docker.sock:ro",
        str(state): "/var/lib/daemun",
        f"{tmp_path}/vhost.d": "/etc/nginx/vhost.d:ro",
        f"{tmp_path}/html": "/usr/share/nginx/html:ro",
        f"{tmp_path}/acme": "/etc/acme.sh",
        f"{tmp_path}/letsencrypt_user_data": "/app/letsencrypt_user_data:ro",
        f"{tmp_path}/nginx.tmpl": "/app/nginx.tmpl:ro",
    }
    ran = Ran(engine=docker_engine, name="gate", state=state, http=ports.free_port(), https=ports.free_port())
    options = [
        *(f"--volume={here}:{there}" for here, there in mounts.items()),
        *(f"--publish=127.0.0.1:{here}:{there}" for here, there in ((ran.http, 80), (ran.https, 443))),
        "--env=DAEMUN_COMPAT=nginx-proxy",
    ]
    docker_engine.run(ran.name, options=options, image=daemun_image)
    docker_engine.run("web", *HTTPD, options=["--env=VIRTUAL_HOST=web.test"])

    assert ran.until_served("http://web.test/").headers["X-Mine"] == "yes"
    assert ran.until_served("http://unknown.test/", 503).text == "later"
    wait_for(lambda: "Watching docker events" in ran.log(), "the line that scripts wait for")
    unused = [problem for problem in ran.status()["problems"] if "is not used: " in problem["message"]]
    assert [problem["origin"] for problem in unused] == [
        "/app/letsencrypt_user_data",
        "/app/nginx.tmpl",
        "/etc/acme.sh",
    ]
    check = docker_engine.cli("exec", ran.name, "daemun", "check")
    assert "unix:///tmp/docker.sock: its containers are not looked at" in check
    assert check.endswith("the environment: good")


def test_a_file_comes_and_counts(gate: Ran, docker_engine: DockerEngine, tmp_path: pathlib.Path) -> None:
    serve(docker_engine, "web", "web.test")
    gate.until_served("https://web.test/")
    docker_engine.cli("exec", gate.name, "daemun", "add", "file.test", "http://web")

    assert gate.until_served("https://file.test/").text == "a page\n"
    both = {"file.test@file", "web.test@docker"}
    wait_for(lambda: {site["name"] for site in gate.status()["sites"]} == both, "both in the status")


def test_one_tree_of_processes_with_workers_that_are_not_root(gate: Ran, docker_engine: DockerEngine) -> None:
    serve(docker_engine, "web", "web.test")
    gate.until_served("https://web.test/")

    first = gate.first_process()
    (master,) = gate.masters()
    assert "daemun" in " ".join(first.cmdline())
    assert master.ppid() == first.pid
    workers = [process for process in master.children() if "worker" in " ".join(process.cmdline())]
    assert workers
    assert all(worker.uids().real != 0 and worker.gids().real != 0 for worker in workers)
    gate.wait_no_zombies()


def test_orphans_are_reaped_and_nginx_is_started_again(gate: Ran, docker_engine: DockerEngine) -> None:
    serve(docker_engine, "web", "web.test")
    gate.until_served("https://web.test/")
    (master,) = gate.masters()

    for _ in range(5):
        docker_engine.cli("exec", gate.name, "sh", "-c", "sleep 0.2 & exit 0")
    master.kill()
    wait_for(lambda: [one for one in gate.masters() if one != master], "another nginx")
    gate.until_served("https://web.test/")

    gate.wait_no_zombies()


# --- how it ends -----------------------------------------------------------------------------------------------


def test_docker_stop_ends_it_in_order_and_start_serves_again(gate: Ran, docker_engine: DockerEngine) -> None:
    serve(docker_engine, "web", "web.test")
    gate.until_served("https://web.test/")
    ca = (gate.state / "ca.pem").read_bytes()

    docker_engine.cli("stop", gate.name)
    stopped = gate.inspect()["State"]
    docker_engine.cli("start", gate.name)
    gate.until_served("https://web.test/")

    # 137 is what it would be had Docker lost its patience.
    assert (stopped["ExitCode"], stopped["OOMKilled"]) == (0, False)
    wait_for(lambda: '"event": "stopped"' in gate.log(), "the last line of the log")
    assert (gate.state / "ca.pem").read_bytes() == ca


async def test_docker_stop_ends_it_in_time_also_with_open_sockets(gate: Ran, docker_engine: DockerEngine) -> None:
    await asyncio.to_thread(docker_engine.run_server, "chat", labels={"daemun.host": "chat.test"})
    await asyncio.to_thread(gate.until_served, "https://chat.test/")
    async with clients.websocket(gate.gate, "chat.test", "/") as socket:
        await clients.echo(socket, "hello")
        await asyncio.to_thread(docker_engine.cli, "stop", gate.name)
    assert gate.inspect()["State"]["ExitCode"] == 0


def test_killed_at_once_it_recovers(gate: Ran, docker_engine: DockerEngine) -> None:
    serve(docker_engine, "web", "web.test")
    gate.until_served("https://web.test/")
    for _ in range(3):
        docker_engine.cli("kill", "--signal=KILL", gate.name)
        docker_engine.cli("start", gate.name)
        gate.until_served("https://web.test/")
    wait_for(lambda: gate.status()["problems"] == [], "no problem")
    assert len(gate.masters()) == 1
    gate.wait_no_zombies()


def test_nothing_of_the_build_is_in_the_image(docker_engine: DockerEngine, daemun_image: str) -> None:
    history = docker_engine.cli("history", "--no-trunc", "--format={{.CreatedBy}}", daemun_image)
    assert "PIP_OPTIONS" not in history
    assert "wheels" not in history
    left = docker_engine.cli(
        "run", "--rm", "--entrypoint=sh", daemun_image, "-c", "ls /build /opt/daemun/bin/pip 2>/dev/null || true"
    )
    assert left == ""


def test_without_a_file_and_without_an_engine_it_says_what_is_missing(
    docker_engine: DockerEngine, daemun_image: str
) -> None:
    docker_engine.cli("run", "--detach", "--name=alone", daemun_image)
    docker_engine.cli("wait", "alone")
    found = json.loads(docker_engine.cli("inspect", "alone"))[0]
    assert found["State"]["ExitCode"] == 1
    words = ("/etc/daemun/daemun.yaml", "docker.sock")
    wait_for(lambda: all(word in docker_engine.logs("alone") for word in words), "both in its log")
