"""Somebody who uses the dashboard of a daemon through its nginx, as a browser without scripts does."""

import collections.abc
import contextlib
import http.cookies
import json
import typing

import httpx

from tests.support import clients
from tests.support.daemon import Daemon

HOST = "daemun.localhost"


class DashboardVisitor:
    """Keeps cookies, and follows no redirect. origin: what a form's request has as `Origin`."""

    def __init__(self, daemon: Daemon, host: str = HOST, **headers: str) -> None:
        self._daemon = daemon
        self.client = clients.client(daemon.gate)
        self.client.headers.update(headers)
        self.base = f"https://{host}"
        self.origin = self.base
        self.cookies: dict[str, str] = {}

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self._send("GET", path, headers)

    def post(self, path: str, form: dict[str, str] | None = None, /, **headers: str) -> httpx.Response:
        return self._send("POST", path, {"Origin": self.origin, **headers}, data=form or {})

    def _send(
        self, method: str, path: str, headers: collections.abc.Mapping[str, str], **more: typing.Any
    ) -> httpx.Response:
        """httpx would keep cookies for the address, not for the host."""
        kept = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {**({"Cookie": kept} if kept else {}), **headers}
        answer = self.client.request(method, f"{self.base}{path}", headers=sent, **more)
        for line in answer.headers.get_list("set-cookie"):
            for name, one in http.cookies.SimpleCookie(line).items():
                self.cookies.pop(name, None)
                if one.value and one["max-age"] != "0":
                    self.cookies[name] = one.value
        return answer

    def page(self, path: str) -> str:
        """The text of a page that is there."""
        answer = self.get(path)
        assert answer.status_code == 200, f"{answer.status_code}: {answer.text[-2000:]}"
        return answer.text

    def follow(self, answer: httpx.Response) -> httpx.Response:
        """The page that a change led to."""
        assert answer.status_code == 303, f"{answer.status_code}: {answer.text[-2000:]}"
        return self.get(answer.headers["location"])

    def make_link(self) -> str:
        """What stands behind the "#" of a link of `daemun dashboard`."""
        found: str = json.loads(self._daemon.cli_good("dashboard", "--json"))["url"]
        return found.partition("#")[2]

    def enter(self) -> "DashboardVisitor":
        answer = self.post("/enter", {"link": self.make_link(), "next": "/"})
        assert answer.status_code == 303, f"{answer.status_code}: {answer.text[-2000:]}"
        return self

    def api(self, path: str) -> typing.Any:
        """The JSON of the API, with the session as a token."""
        found = self.get(f"/api/v1{path}", Authorization=f"Bearer {self.session}")
        assert found.status_code == 200, found.text
        return found.json()

    @property
    def session(self) -> str:
        return self.cookies.get("__Host-daemun-dashboard", "")


@contextlib.contextmanager
def visiting(daemon: Daemon, host: str = HOST, **headers: str) -> collections.abc.Iterator[DashboardVisitor]:
    visitor = DashboardVisitor(daemon, host, **headers)
    with contextlib.closing(visitor.client):
        yield visitor
