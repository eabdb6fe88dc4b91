"""The compose files of examples/, with daemun's own image and what can stand in for images of a registry."""

import asyncio
import collections.abc
import contextlib
import json
import pathlib
import shutil
import tempfile
import typing

import httpx
import pytest

from tests.support import clients, compose, ports
from tests.support.container_engine import python_command
from tests.support.daemon import wait_for
from tests.support.docker_engine import IMAGE, NETWORK, DockerEngine

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

FOLDER = pathlib.Path(__file__).parents[2] / "examples"
COMPOSE_FILES = [
    file for file in sorted(FOLDER.glob("*/*.yaml")) if file.parent.name != "households" and file.name != "daemun.yaml"
]
"""The households are files of daemun's own (`test_households`)."""
PAGE = "a page\n"
Json = dict[str, typing.Any]


class Example:
    """One folder of examples/, copied, because compose makes the folders there that it mounts.

    gate: the ports that daemun is published at; its local CA is there after `fetch_ca`.
    """

    def __init__(self, engine: DockerEngine, image: str, folder: pathlib.Path) -> None:
        self._engine = engine
        self._folder = folder
        self.gate = clients.GateAddress(http=ports.free_port(), https=ports.free_port(), ca=folder / "ca.pem")
        self.compose = compose.Compose(
            engine,
            DAEMUN_IMAGE=image,
            APP_IMAGE=IMAGE,
            HTTP_PORT=f"127.0.0.1:{self.gate.http}",
            HTTPS_PORT=f"127.0.0.1:{self.gate.https}",
        )

    def copy(self, name: str) -> pathlib.Path:
        return shutil.copytree(FOLDER / name, self._folder / name)

    def container(self, file: pathlib.Path, service: str = "daemun") -> str:
        (found,) = self.compose.ids(file, service)
        return found

    def fetch_ca(self, container: str) -> None:
        def look() -> bool:
            with contextlib.suppress(AssertionError):
                self._engine.cli("cp", f"{container}:/var/lib/daemun/ca.pem", str(self.gate.ca))
            return self.gate.ca.exists()

        wait_for(look, "the local CA")

    def until_served(self, url: str, container: str, status: int = 200) -> httpx.Response:
        """container: daemun's, whose log is in the error."""

        def look() -> httpx.Response | None:
            answer = clients.try_get(self.gate, url)
            return answer if answer is not None and answer.status_code == status else None

        try:
            return wait_for(look, f"{status} from {url}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._engine.logs(container)[-4000:]}") from None

    def status(self, container: str) -> Json:
        said = self._engine.cli("exec", container, "sh", "-c", "daemun status --json || true")
        return typing.cast(Json, json.loads(said))


@pytest.fixture
def example(docker_engine: DockerEngine, daemun_image: str) -> collections.abc.Iterator[Example]:
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dm-"))
    yield Example(docker_engine, daemun_image, folder)
    docker_engine.clear()
    docker_engine.cli("volume", "prune", "--force")
    shutil.rmtree(folder)


@pytest.mark.parametrize("file", COMPOSE_FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_it_is_a_compose_file(example: Example, file: pathlib.Path) -> None:
    # Without the addresses of the tests' own ports: a swarm's are numbers.
    assert "services" in example.compose(file, "config", HTTP_PORT="80", HTTPS_PORT="443")


async def test_chat(example: Example) -> None:
    file = example.copy("chat") / "compose.yaml"
    await asyncio.to_thread(example.compose, file, "up", "--detach", "--no-build")
    container = await asyncio.to_thread(example.container, file)
    await asyncio.to_thread(example.fetch_ca, container)

    page = await asyncio.to_thread(example.until_served, "https://chat.localhost/", container)
    assert "<title>" in page.text
    async with clients.websocket(example.gate, "chat.localhost", "/websocket/") as socket:
        async with asyncio.timeout(60):
            assert json.loads(await socket.recv())["type"] == "welcome"
    await asyncio.to_thread(example.compose, file, "down", "--timeout=5")


def test_several_applications(example: Example, docker_engine: DockerEngine) -> None:
    docker_engine.cli("network", "rm", NETWORK)
    docker_engine.cli("network", "create", NETWORK)  # as the example says; it has this very name
    folder = example.copy("compose-projects")
    # busybox serves nothing by itself.
    override = compose.write(folder / "override.yaml", web={"command": "httpd -f -p 80 -h /www"})

    example.compose(folder / "compose.yaml", "up", "--detach", "--no-build", RESERVE="admin.localhost")
    example.compose(folder / "app.yaml", f"--file={override}", "up", "--detach", "--scale=web=3")

    container = example.container(folder / "compose.yaml")
    example.until_served("http://app.localhost/", container, status=301)

    def servers() -> int:
        return sum(len(route["to"]) for site in example.status(container)["sites"] for route in site["routes"])

    wait_for(lambda: servers() == 3, "three servers in the status")


def test_behind_a_socket_proxy(example: Example, docker_engine: DockerEngine) -> None:
    folder = example.copy("socket-proxy")
    file = folder / "compose.yaml"
    proxy = compose.python_service(*python_command("tests.support.docker_proxy"))
    override = compose.write(
        folder / "override.yaml", **{"socket-proxy": proxy}, web={"command": "httpd -f -p 80 -h /www"}
    )

    example.compose(file, f"--file={override}", "up", "--detach", "--no-build")

    container = example.container(file)
    example.fetch_ca(container)
    assert example.until_served("https://app.localhost/", container).text == PAGE
    mounts = json.loads(docker_engine.cli("inspect", container))[0]["Mounts"]
    assert [mount["Destination"] for mount in mounts] == ["/var/lib/daemun"]
    wait_for(lambda: example.status(container)["problems"] == [], "no problem")


def test_migrated_from_nginx_proxy(example: Example, docker_engine: DockerEngine) -> None:
    folder = example.copy("nginx-proxy-migration")
    file = folder / "compose.yaml"
    (folder / "vhost.d").mkdir()
    (folder / "vhost.d" / "whoami.test").write_text("add_header X-Own written-by-hand always;\n")
    # A name that no public authority is asked about.
    environment = {"VIRTUAL_HOST": "whoami.test", "VIRTUAL_PORT": "8000", "LETSENCRYPT_HOST": "whoami.test"}
    override = compose.write(
        folder / "override.yaml",
        whoami={
            "image": IMAGE,
            "command": "httpd -f -p 8000 -h /www",
            "environment": environment,
        },
        chat={
            "image": IMAGE,
            "command": "httpd -f -p 7777 -h /www",
            "environment": {"VIRTUAL_HOST": "whoami.test"},
        },
    )

    example.compose(file, f"--file={override}", "up", "--detach", "--no-build")

    container = example.container(file, "nginx-proxy")
    wait_for(lambda: "Watching docker events" in docker_engine.logs(container), "the line that scripts wait for")
    example.fetch_ca(container)
    answer = example.until_served("https://whoami.test/", container)
    assert (answer.text, answer.headers["X-Own"]) == (PAGE, "written-by-hand")
    assert example.until_served("https://whoami.test/websocket/", container).text == PAGE
    assert (
        example.until_served("http://whoami.test/", container, status=301).headers["Location"] == "https://whoami.test/"
    )
