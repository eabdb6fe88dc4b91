"""`daemun demo` as a process: what its visitors see, and that it leaves nothing behind."""

import asyncio
import collections.abc
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import typing

import psutil
import pytest
from websockets.asyncio.client import ClientConnection

from tests.support import binaries, browser, clients, forked, ports
from tests.support.daemon import wait_for

pytestmark = pytest.mark.nginx

HOST = "chat.localhost"


class Demo:
    """One run of the demo, with ports and a state directory of its own."""

    def __init__(self, state: pathlib.Path, *, output: str = "output") -> None:
        self.state = state
        self.gate = clients.GateAddress(http=ports.free_port(), https=ports.free_port(), ca=state / "ca.pem")
        self._output = state.with_name(output)
        self._process: subprocess.Popen[bytes] | None = None
        self._family: list[psutil.Process] = []

    def start(self) -> None:
        command = ["demo", "--http", str(self.gate.http), "--https", str(self.gate.https)]
        with self._output.open("wb") as output:
            self._process = forked.Popen(
                [sys.executable, "-m", "daemun", "--state", str(self.state), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "DAEMUN_NGINX": str(binaries.nginx_path())},
            )

    def wait_live(self) -> None:
        """Return when the demo says that the chat is live."""
        wait_for(lambda: not self.is_running or "The chat is live" in self.output, "the demo to start", within_s=60)
        assert self.is_running, self.output
        self._family = self._look_for_family()

    @property
    def is_running(self) -> bool:
        assert self._process is not None
        return self._process.poll() is None

    @property
    def output(self) -> str:
        return self._output.read_text()

    def running(self) -> list[psutil.Process]:
        """All processes of the demo that run, its nginx too, as seen when it was live."""
        return [process for process in self._family if _is_alive(process)]

    def child(self, word: str) -> psutil.Process:
        """The process that has this word on its command line."""
        (found,) = [process for process in self._family if word in process.cmdline()]
        return found

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait_exit(self) -> int:
        assert self._process is not None
        return self._process.wait(60)

    def wait_gone(self) -> None:
        """Return when nothing of it runs."""
        wait_for(lambda: not self.running(), "the demo's processes to end")

    def close(self) -> None:
        assert self._process is not None
        if self.is_running:
            self._process.terminate()
            self._process.wait(60)
        left = self.running()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.wait_gone()

    def _look_for_family(self) -> list[psutil.Process]:
        assert self._process is not None
        nginx = psutil.Process(int((self.state / "run" / "nginx.pid").read_text()))
        return [*psutil.Process(self._process.pid).children(recursive=True), nginx, *nginx.children()]


def _is_alive(process: psutil.Process) -> bool:
    """A zombie is not: in a container, nginx's parent may be a first process that collects no children."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def demo() -> collections.abc.Iterator[Demo]:
    """A demo that was started, with a short state directory that nginx's workers can enter."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="dm-"))
    root.chmod(0o755)
    new = Demo(root / "s")
    try:
        new.start()
        yield new
    finally:
        new.close()
        shutil.rmtree(root)


async def receive(socket_: ClientConnection, kind: str) -> dict[str, typing.Any]:
    """The chat server's next event of that kind."""
    async with asyncio.timeout(60):
        while True:
            event: dict[str, typing.Any] = json.loads(await socket_.recv())
            if event["type"] == kind:
                return event


def test_page_is_served_over_https_that_the_local_ca_vouches_for(demo: Demo) -> None:
    demo.wait_live()
    page = clients.get(demo.gate, f"https://{HOST}:{demo.gate.https}/")
    assert page.status_code == 200
    assert "<title>Gate chat" in page.text
    assert clients.get(demo.gate, f"https://{HOST}:{demo.gate.https}/chat.js").status_code == 200
    link = re.search(rf"https://(daemun\.localhost):{demo.gate.https}/enter#(\S+)", demo.output)
    assert link is not None, demo.output
    base = f"https://{link[1]}:{demo.gate.https}"
    with clients.client(demo.gate) as client:
        entered = client.post(f"{base}/enter", data={"link": link[2]}, headers={"Origin": base})
        assert entered.status_code == 303, entered.text
        kept = {"Cookie": entered.headers["set-cookie"].partition(";")[0]}
        assert HOST in client.get(f"{base}/sites", headers=kept).text
    moved = clients.get(demo.gate, f"http://{HOST}:{demo.gate.http}/")
    assert (moved.status_code, moved.headers["Location"]) == (301, f"https://{HOST}:{demo.gate.https}/")


async def test_two_people_chat_and_ctrl_c_leaves_nothing_running(demo: Demo) -> None:
    demo.wait_live()
    async with (
        clients.websocket(demo.gate, HOST, "/websocket/") as mina,
        clients.websocket(demo.gate, HOST, "/websocket/") as jonas,
    ):
        await receive(jonas, "welcome")
        await mina.send(json.dumps({"name": "Mina", "text": "through the gate"}))
        assert (await receive(jonas, "said"))["text"] == "through the gate"

        # With sockets still open: they must not hold anything up.
        assert len(demo.running()) >= 5, "page, chat, daemon, nginx and a worker"
        demo.signal(signal.SIGINT)
        assert await asyncio.to_thread(demo.wait_exit) == 0, demo.output
    demo.wait_gone()


def test_part_that_ends_ends_the_demo(demo: Demo) -> None:
    demo.wait_live()
    demo.child("daemun.demo.chat").kill()
    assert demo.wait_exit() == 1
    assert "the chat server ended (SIGKILL)" in demo.output
    demo.wait_gone()


def test_daemon_that_is_killed_ends_the_demo_and_its_nginx(demo: Demo) -> None:
    demo.wait_live()
    demo.child("up").kill()
    assert demo.wait_exit() == 1
    assert "the daemon ended (SIGKILL)" in demo.output
    demo.wait_gone()


def test_local_ca_stays_the_same_from_one_run_to_the_next(demo: Demo) -> None:
    demo.wait_live()
    first = demo.gate.ca.read_bytes()
    demo.signal(signal.SIGTERM)
    assert demo.wait_exit() == 0
    demo.start()
    demo.wait_live()
    assert demo.gate.ca.read_bytes() == first


def test_port_that_is_taken_is_named(demo: Demo) -> None:
    demo.wait_live()
    demo.signal(signal.SIGTERM)
    demo.wait_exit()
    with contextlib.closing(socket.create_server(("127.0.0.1", demo.gate.https))):
        demo.start()
        assert demo.wait_exit() == 1
    assert f"cannot listen on 127.0.0.1:{demo.gate.https}: Address already in use" in demo.output
    assert "--https" in demo.output


def test_second_demo_on_one_folder_leaves_the_first_alone(demo: Demo) -> None:
    demo.wait_live()
    second = Demo(demo.state, output="second")
    second.start()
    try:
        assert second.wait_exit() == 1
        assert "already runs" in second.output
        assert clients.get(demo.gate, f"https://{HOST}:{demo.gate.https}/").status_code == 200
    finally:
        second.close()


def test_start_after_a_sigkill_takes_the_ports_back(demo: Demo) -> None:
    demo.wait_live()
    before = demo.running()
    demo.child("up").kill()
    demo.signal(signal.SIGKILL)
    demo.wait_exit()
    try:
        demo.start()
        demo.wait_live()
        assert clients.get(demo.gate, f"https://{HOST}:{demo.gate.https}/").status_code == 200
    finally:
        for process in filter(_is_alive, before):
            process.kill()


@pytest.mark.browser
async def test_two_browsers_chat(demo: Demo, tmp_path: pathlib.Path) -> None:
    demo.wait_live()
    url = f"https://{HOST}:{demo.gate.https}/"
    async with (
        # Whether the certificate is good is tested above; a browser asks stores of its own, which a test leaves alone.
        browser.chromium(tmp_path, "--ignore-certificate-errors") as chromium,
        chromium.open(url) as mina,
        chromium.open(url) as jonas,
    ):
        for page in (mina, jonas):
            await page.until("document.querySelector('#status')?.dataset.state === 'open'")
        markup = "<img src=x onerror='document.title = 1'>"
        await mina.fill("#name", "Mina")
        await mina.fill("#text", markup)
        await mina.press_enter()
        await jonas.until("document.querySelectorAll('.message').length === 1")
        assert await jonas.value("document.querySelector('.said').textContent") == markup
        assert await jonas.value("document.querySelectorAll('.message img').length") == 0
        assert await jonas.value("document.querySelector('.present').textContent.trim()") == "2 people here"
