"""The running daemon takes servers out and in by its own checks, tells of it, and reloads nothing."""

import pytest

from tests.support import backend
from tests.support.daemon import Daemon, wait_for

pytestmark = pytest.mark.nginx


def answering(daemon: Daemon) -> set[str]:
    return {daemon.get("https://app.localhost/").text.split()[0] for _ in range(4)}


def test_a_server_that_is_not_well_gets_no_requests(daemon: Daemon) -> None:
    with backend.running("one") as one, backend.running("two") as two:
        urls = [f"http://127.0.0.1:{server.port}" for server in (one, two)]
        daemon.write(f"""\
            sites:
              app.localhost:
                /: {{to: ["{urls[0]}", "{urls[1]}"], health: {{path: /healthz, interval: 200ms}}}}
        """)
        daemon.up("https://app.localhost/")
        wait_for(lambda: answering(daemon) == {"one", "two"}, "both to answer")
        one.is_unwell = True
        wait_for(lambda: answering(daemon) == {"two"}, "one to be out")
        site = daemon.wait_state("app.localhost", "degraded")
        words = f"127.0.0.1:{one.port} does not pass its health check: status 503; it gets no requests until it does"
        assert site["reason"] == words
        assert daemon.status()["problems"] == []
        one.is_unwell = False
        wait_for(lambda: answering(daemon) == {"one", "two"}, "both to answer again")
        daemon.wait_state("app.localhost", "live")
        assert daemon.status()["nginx"]["reloads"] == 0
