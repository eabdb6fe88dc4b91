"""The demo as one program: starts the two servers and the daemon in front of them, and ends all of them together."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import http
import http.client
import os
import pathlib
import shlex
import shutil
import signal
import socket
import ssl
import sys
import threading
import time

from daemun import errors, settings
from daemun.core import layout
from daemun.demo import part
from daemun.nginx import process
from daemun.store import instance

HOST = "chat.localhost"
START_TIMEOUT_S = 60.0
POLL_S = 0.1
ANSWER_S = 5.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A demo that is live. http: redirects to `page`. dashboard: the command that prints a link into it. trust: the
    command that makes this machine trust its CA. program: the path of `daemun` where no PATH leads to it."""

    page: str
    http: str
    websocket: str
    dashboard: str
    trust: str
    config: str
    state: str
    program: str | None = None


def run(
    *,
    announce: collections.abc.Callable[[Live], None],
    http_port: int = 8080,
    https_port: int = 8443,
    state: pathlib.Path | None = None,
    nginx: pathlib.Path | None = None,
) -> int:
    """Serve the chat demo on loopback until Ctrl-C, SIGTERM or SIGHUP.

    announce: called once it is live. state: where the demo keeps its file, certificates and local CA; by default a
        folder that stays, so that a CA that was trusted once stays trusted. nginx: the nginx to use; None: the one
        `daemun up` finds.
    Returns: 0 when it was to stop.
    Raises: EnvironmentProblemError when a part does not start or ends by itself; the others are stopped then, too.
        LockHeldError when a demo runs there already.
    """
    folder = (state or default_state()).absolute()
    places = layout.Layout(str(folder))
    parts: list[part.DemoProcess] = []
    with _signals() as stop:
        try:
            parts.append(page := part.DemoProcess("page server", ["-m", "daemun.demo.page"], announces=True))
            parts.append(chat := part.DemoProcess("chat server", ["-m", "daemun.demo.chat"], announces=True))
            text = config_text(
                http_port=http_port, https_port=https_port, page_url=page.announced(), chat_url=chat.announced()
            )
            config = _prepare(places, text, ports=(http_port, https_port))
            parts.append(part.DemoProcess("daemon", _up_arguments(config=config, state=folder, nginx=nginx)))
            if _wait_until_live(parts, stop, https_port=https_port, root=pathlib.Path(places.root_certificate)):
                announce(_live(http_port=http_port, https_port=https_port, config=config, state=folder))
                _wait_until_stopped(parts, stop)
        finally:
            # In the order of their start: the chat server ends its WebSockets before nginx would wait for them.
            for each in parts:
                each.stop()
            _stop_nginx(places)
    return 0


def default_state() -> pathlib.Path:
    """A folder that outlives the demo, beside the one `daemun up` would use."""
    return settings.default_state(os.environ, is_root=os.geteuid() == 0).with_name("daemun-demo")


def config_text(*, http_port: int, https_port: int, page_url: str, chat_url: str) -> str:
    """The demo's daemun.yaml."""
    return f"""\
# Written anew by each start of the demo. Edit it while the demo runs, and the change is live within a second.
listen: {{http: "127.0.0.1:{http_port}", https: "127.0.0.1:{https_port}"}}
sites:
  {HOST}:
    /: {page_url}
    /websocket/: {chat_url}/
"""


def _live(*, http_port: int, https_port: int, config: pathlib.Path, state: pathlib.Path) -> Live:
    rights = [] if os.geteuid() == 0 else ["sudo"]
    daemun, where = str(pathlib.Path(sys.executable).with_name("daemun")), ["--state", str(state)]
    return Live(
        page=f"https://{HOST}:{https_port}/",
        http=f"http://{HOST}:{http_port}/",
        websocket=f"wss://{HOST}:{https_port}/websocket/",
        dashboard=shlex.join([daemun, *where, "-c", str(config), "dashboard"]),
        trust=shlex.join([*rights, daemun, *where, "trust"]),
        config=str(config),
        state=str(state),
        program=daemun if shutil.which("daemun") is None else None,
    )


def welcome(live: Live, link: str | None) -> str:
    """What the demo prints once it is live. link: into the dashboard; None: none could be made."""
    shown = (
        ""
        if link is None
        else f"""
What passes through, and why, is on the dashboard; this link lets one browser in, within ten minutes:

    {link}

Another one: {live.dashboard}
"""
    )
    named = "" if live.program is None else f"\nWhere a message says `daemun`, write {shlex.quote(live.program)} here."
    return f"""
The chat is live:

    {live.page}
    {live.http}            (redirects to https)
    {live.websocket}
{shown}
The certificates come from a CA of this machine alone, so a browser warns. To trust it, once:

    {live.trust}

The file behind it: {live.config}{named}
Ctrl-C stops everything.
"""


def _prepare(places: layout.Layout, text: str, *, ports: tuple[int, ...]) -> pathlib.Path:
    """Make the folder and the ports ready for the daemon. Returns: the file it is to serve."""
    path = pathlib.Path(places.state, "daemun.yaml")
    # Not under the feet of a daemon that runs: it would serve the new file, whose servers are gone with this demo.
    with instance.held_alone(pathlib.Path(places.lock)):
        asyncio.run(process.stop(places, grace_s=0))  # left by a demo that was killed; it would hold the ports
        for port in ports:
            _check_port(port)
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise errors.EnvironmentProblemError(
                f'cannot write "{path}": {error.strerror}; name another folder with --state'
            ) from error
    return path


def _check_port(port: int) -> None:
    """The daemon would find out, too, but knows nothing of the demo's options."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as nginx does: closed connections do not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise errors.EnvironmentProblemError(
                f"cannot listen on 127.0.0.1:{port}: {error.strerror}; choose other ports with --http and --https"
            ) from error


def _stop_nginx(places: layout.Layout) -> None:
    """A daemon that was killed leaves its nginx running, by design; a demo leaves nothing."""
    # A lock that is held is another daemon's, and so is that nginx; a folder that cannot be written has none.
    with contextlib.suppress(errors.DaemunError), instance.held_alone(pathlib.Path(places.lock)):
        asyncio.run(process.stop(places, grace_s=0))


def _up_arguments(*, config: pathlib.Path, state: pathlib.Path, nginx: pathlib.Path | None) -> list[str]:
    chosen = [] if nginx is None else ["--nginx", str(nginx)]
    return ["-m", "daemun", "--config", str(config), "--state", str(state), *chosen, "up"]


@contextlib.contextmanager
def _signals() -> collections.abc.Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM and SIGHUP set while the block runs; the handlers do nothing else."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_until_live(
    parts: collections.abc.Sequence[part.DemoProcess], stop: threading.Event, *, https_port: int, root: pathlib.Path
) -> bool:
    """Whether the page answers over HTTPS, with a certificate that `root` vouches for; False: it was to stop before.

    Raises: EnvironmentProblemError when a part ended, or after START_TIMEOUT_S.
    """
    give_up_s = time.monotonic() + START_TIMEOUT_S
    while not stop.wait(POLL_S):
        for each in parts:
            each.check()
        if root.exists() and _answers(https_port, root):
            return True
        if time.monotonic() > give_up_s:
            raise errors.EnvironmentProblemError(
                f"cannot start the demo: https://{HOST}:{https_port}/ did not answer within {START_TIMEOUT_S:.0f} s; "
                "what the daemon said is above"
            )
    return False


def _answers(https_port: int, root: pathlib.Path) -> bool:
    # The address is given, and the name by hand: not every resolver knows that *.localhost is loopback (RFC 6761).
    try:
        trust = ssl.create_default_context(cafile=root)
        with (
            socket.create_connection(("127.0.0.1", https_port), timeout=ANSWER_S) as plain,
            trust.wrap_socket(plain, server_hostname=HOST) as connection,
        ):
            client = http.client.HTTPConnection(HOST, https_port)
            client.sock = connection
            client.request("GET", "/")
            return client.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False


def _wait_until_stopped(parts: collections.abc.Sequence[part.DemoProcess], stop: threading.Event) -> None:
    """Raises: EnvironmentProblemError when a part ended before."""
    while not stop.wait(POLL_S):
        for each in parts:
            each.check()
