"""The running daemon takes servers out and in by its own checks, tells of it, and reloads nothing."""

import typing

import pytest

from tests.support import backend
from tests.support.daemon import Daemon, wait_for

pytestmark = pytest.mark.nginx


def answering(daemon: Daemon) -> set[str]:
    return {daemon.get("https://app.localhost/").text.split()[0] for _ in range(4)}


def warnings(daemon: Daemon) -> list[str]:
    problems: list[dict[str, typing.Any]] = daemon.status()["problems"]
    return [problem["message"] for problem in problems if problem["severity"] == "warning"]


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
        (warning,) = warnings(daemon)
        assert warning.startswith(f"server 127.0.0.1:{one.port} is not well since ")
        assert "GET /healthz: status 503" in warning
        one.is_unwell = False
        wait_for(lambda: answering(daemon) == {"one", "two"}, "both to answer again")
        assert warnings(daemon) == []
        assert daemon.status()["nginx"]["reloads"] == 0
