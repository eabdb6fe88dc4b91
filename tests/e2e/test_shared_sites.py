"""A gate with more sites than have nginx blocks of their own: those beyond share theirs, and nobody notices."""

import collections.abc
import contextlib
import json

import pytest

from tests.support import clients, echo
from tests.support.daemon import Daemon

pytestmark = pytest.mark.nginx

OWN = 200
"""`Environment.own_blocks`."""

# Each needs no certificate, and answers by itself.
FIRST = [f"  s{number:03}.test: {{tls: off, routes: {{/: {{redirect: https://x.test}}}}}}\n" for number in range(OWN)]


@pytest.fixture(scope="module")
def servers() -> collections.abc.Iterator[tuple[echo.EchoServer, echo.EchoServer, int]]:
    with (
        echo.echo_server("one") as one,
        echo.echo_server("two") as two,
        echo.websocket_server() as chat,
    ):
        yield one, two, chat


class Many:
    """A gate whose sites x1.test, x2.test and x3.test (a chat) come after OWN others."""

    def __init__(self, daemon: Daemon, servers: tuple[echo.EchoServer, echo.EchoServer, int]) -> None:
        self.daemon = daemon
        one, _, chat = servers
        self.x1 = f"  x1.test: http://127.0.0.1:{one.port}\n"
        self.x2 = f"  x2.test: http://127.0.0.1:{one.port}\n"
        self.x3 = f"  x3.test: http://127.0.0.1:{chat}\n"

    def write(self, *, first: collections.abc.Sequence[str] = tuple(FIRST), above: str = "", **changed: str) -> None:
        lines = {"x1": self.x1, "x2": self.x2, "x3": self.x3} | changed
        self.daemon.write(above + "sites:\n" + "".join((*first, *lines.values())))

    def changes(self) -> list[str]:
        """What would change; and it is made."""
        planned = json.loads(self.daemon.cli_good("plan", "--json"))
        assert self.daemon.cli_good("apply")
        return [f"{change['kind']} {change['host']}" for change in planned["changes"]]

    def server_of(self, host: str) -> str:
        answer = self.daemon.get(f"https://{host}/")
        assert answer.status_code == 200, answer
        return echo.Said.parse(answer.content).server

    def files(self) -> set[str]:
        return {path.name for path in (self.daemon.state / "nginx" / "current" / "sites").iterdir()}

    def reloads(self) -> int:
        reloads: int = self.daemon.status()["nginx"]["reloads"]
        return reloads


@pytest.fixture
def many(daemon: Daemon, servers: tuple[echo.EchoServer, echo.EchoServer, int]) -> Many:
    gate = Many(daemon, servers)
    gate.write()
    daemon.up("https://x2.test/")
    assert gate.files() == {f"s{number:03}.test.conf" for number in range(OWN)}
    assert daemon.cli("status").returncode == 0
    return gate


@contextlib.asynccontextmanager
async def _undisturbed(many: Many) -> collections.abc.AsyncIterator[None]:
    """Visitors of a shared site and an open WebSocket, to whom nothing happens."""
    gate = many.daemon.gate
    async with (
        clients.Load(gate, "https://x1.test/", visitors=4, pause_s=0.01) as load,
        clients.websocket(gate, "x3.test", "/") as chat,
    ):
        await chat.recv()
        await load.answer(20)
        yield
        await load.answer(50)
        await clients.echo(chat, "still here")
    assert not load.failures


async def test_a_changed_target_is_told_by_name_and_disturbs_nobody(
    many: Many, servers: tuple[echo.EchoServer, echo.EchoServer, int]
) -> None:
    async with _undisturbed(many):
        many.write(x2=f"  x2.test: http://127.0.0.1:{servers[1].port}\n")
        many.daemon.cli_good("apply")
        assert many.server_of("x2.test") == "two"
    assert many.server_of("x1.test") == "one"
    many.daemon.wait_log("changed x2.test")
    assert "shared" not in many.daemon.log_text()
    assert {site["state"] for site in many.daemon.status()["sites"]} == {"live"}


async def test_a_site_that_comes_to_share_or_to_have_its_own_disturbs_nobody(many: Many) -> None:
    async with _undisturbed(many):
        many.write(first=FIRST[1:])
        many.daemon.cli_good("apply")
        assert "x1.test.conf" in many.files()
        assert many.server_of("x1.test") == "one"
        many.write()
        many.daemon.cli_good("apply")
        assert "x1.test.conf" not in many.files()
        # An option gives a site blocks of its own.
        many.write(x1=f"  x1.test: {{/: {{to: '{many.x1.split()[1]}', keepalive: 9}}}}\n")
        many.daemon.cli_good("apply")
        assert "x1.test.conf" in many.files()
        assert many.server_of("x1.test") == "one"
    changes = [line["changes"] for line in many.daemon.log_lines() if line.get("event") == "live"]
    assert changes[1:] == ["removed s000.test", "added s000.test", "changed x1.test"]


def test_lines_that_moved_are_no_change(many: Many) -> None:
    reloads = many.reloads()
    many.write(above="# one line more\n")
    assert many.changes() == []
    assert many.reloads() == reloads


def test_wrong_nginx_leaves_a_site_as_it_shared(many: Many) -> None:
    wrong = f"  x1.test: {{routes: {{/: '{many.x1.split()[1]}'}}, nginx: 'client_max_body_size lots;'}}\n"
    many.write(x1=wrong, x2=many.x2.replace("x2.test", "new.test"))
    many.daemon.wait_answers("https://new.test/")
    assert many.server_of("x1.test") == "one"
    found = many.daemon.wait_state("x1.test", "quarantined")
    assert "invalid value" in found["reason"]
    assert many.daemon.site("new.test")["state"] == "live"
    many.write()
    many.daemon.wait_state("x1.test", "live")
    assert many.server_of("x1.test") == "one"
