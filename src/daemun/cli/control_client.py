"""Requests to the running daemon, over its control socket.

On the standard library's HTTP client: importing a library for it takes longer (115 ms here) than all else that
`daemun status` does, and it hides the OSError that distinguishes "not running" from "not allowed".
"""

import contextlib
import http.client
import itertools
import json
import pathlib
import pwd
import shlex
import socket
import typing
import urllib.parse

from daemun import errors, settings
from daemun.cli import caller
from daemun.core import layout
from daemun.nginx import kernel_processes, work_folder
from daemun.store import instance

Json = dict[str, typing.Any]

QUICK_S = 10.0
"""For what the daemon knows by heart."""
PROBE_S = 60.0
"""For what is looked at from outside, which is given up after half of this."""
ALERTS_S = 60.0
"""For alerts: mail servers take their time."""
APPLY_S = 300.0
"""For what waits for nginx, or for names to resolve or answer."""
ROLL_S = 1800.0
"""For what all machines of a fleet take, one after another."""
CA_S = 600.0
"""For what waits for CAs, and before that for the orders that are under way."""


_ABSENT = (FileNotFoundError, NotADirectoryError, ConnectionRefusedError)
"""No daemon listens there."""


class NotRunningError(errors.EnvironmentProblemError):
    """No daemon answers on the control socket. Those commands that can work on the file alone catch it."""


class NotAnsweringError(errors.EnvironmentProblemError):
    """A daemon listens on the control socket, and does not answer in time."""


class ControlClient:
    """The API of `web.api`, one method per question. Each raises NotRunningError when no daemon is there,
    EnvironmentProblemError when it cannot be reached for another reason, DaemunError with its words when it refuses."""

    def __init__(self, chosen: settings.Settings) -> None:
        self._settings = chosen
        self._path = pathlib.Path(chosen.layout.control_socket)

    def status(self, host: str | None = None) -> Json:
        """host: without the other sites, which is quick however many there are."""
        query = f"?host={urllib.parse.quote(host, safe='')}" if host is not None else ""
        return self._request("GET", f"/status{query}", timeout_s=QUICK_S)

    def read_overview(self, below: str = "") -> Json:
        """What needs a person, and all sites in numbers; below: "/sites?QUERY" for rows of sites."""
        return self._request("GET", f"/overview{below}", timeout_s=PROBE_S)

    def read_fleet(self) -> Json:
        """The nodes, as this one sees them, and what is wrong with the fleet."""
        return self._request("GET", "/fleet", timeout_s=QUICK_S)

    def find_rows(self, query: dict[str, str]) -> Json:
        """All rows of sites and streams that it chooses, page by page, as one answer."""
        found: Json = {}
        rows: list[Json] = []
        for page in itertools.count(1):
            words = urllib.parse.urlencode({**query, "size": 500, "page": page})
            found = self.read_overview(f"/sites?{words}")
            rows += found["rows"]
            if found["page"] < page or len(rows) >= found["total"]:
                break
        return {**found, "page": 1, "size": len(rows), "rows": rows}

    def probe(self, host: str | None = None) -> int:
        """Let the daemon look at a site, or at all, as visitors do, and wait. Returns: how much was left in the end."""
        left: int = self._request("POST", "/probe", timeout_s=PROBE_S, body={} if host is None else {"host": host})[
            "left"
        ]
        return left

    def certificates(self, query: dict[str, str] | None = None) -> list[Json]:
        """query: `q`, a part of a name; `lamp`."""
        words = f"?{urllib.parse.urlencode(query)}" if query else ""
        found: list[Json] = self._request("GET", f"/certs{words}", timeout_s=QUICK_S)["certificates"]
        return found

    def forecast(self, days: int) -> Json:
        return self._request("GET", f"/certs/forecast?days={days}", timeout_s=QUICK_S)

    def test_alerts(self) -> list[Json]:
        """Send a test to every target of alerts, and wait until each took it or not."""
        sent: list[Json] = self._request("POST", "/alerts/test", timeout_s=ALERTS_S)["results"]
        return sent

    def plan(self) -> Json:
        return self._request("GET", "/plan", timeout_s=APPLY_S)

    def apply(self, *, file: str = "") -> Json:
        """Apply now, and wait. `ok` in the answer is whether everything is live. file: the version of daemun.yaml that
        is wanted live; "": everything is read again."""
        values = {"by": caller.find_command(), "user": caller.find_user(), **({"file": file} if file else {})}
        return self._request("POST", f"/apply?{urllib.parse.urlencode(values)}", timeout_s=ROLL_S, also_good=422)

    def begin_trial(self, seconds: float, number: int | None) -> Json:
        """Let everything go back to a number of the history unless it is confirmed in time. number: None: before the
        last change."""
        body = {"seconds": seconds, "number": number}
        return self._request("POST", "/trial", timeout_s=PROBE_S, body=body)

    def confirm_trial(self) -> Json:
        return self._request("POST", "/trial/confirm", timeout_s=PROBE_S)

    def undo_trial(self) -> Json:
        """Go back now, and wait until that is live."""
        values = {"by": caller.find_command(), "user": caller.find_user()}
        return self._request("POST", f"/trial/undo?{urllib.parse.urlencode(values)}", timeout_s=APPLY_S)

    def upgrade_nginx(self) -> Json:
        """Let another nginx take over, and wait. `ok` in the answer is whether the one that is to serves."""
        return self._request("POST", "/nginx/upgrade", timeout_s=APPLY_S, also_good=422)

    def has_local_certificates(self) -> bool:
        found: list[Json] = self._request("GET", "/certs?state=local&most=1", timeout_s=QUICK_S)["certificates"]
        return bool(found)

    def diagnose(self, host: str | None) -> list[Json]:
        """What the daemon finds about everything, or about one name."""
        query = f"?host={urllib.parse.quote(host, safe='')}" if host is not None else ""
        found: list[Json] = self._request("GET", f"/doctor{query}", timeout_s=APPLY_S)["findings"]
        return found

    def bans(self) -> list[Json]:
        found: list[Json] = self._request("GET", "/bans", timeout_s=PROBE_S)["bans"]
        return found

    def attacks(self) -> list[Json]:
        found: list[Json] = self._request("GET", "/attacks", timeout_s=PROBE_S)["attacks"]
        return found

    def ban(self, address: str, seconds: int | None) -> Json:
        """seconds: None: for good."""
        return self._request("POST", "/bans", timeout_s=APPLY_S, body={"address": address, "seconds": seconds})

    def unban(self, address: str) -> Json:
        return self._request("POST", "/bans/remove", timeout_s=PROBE_S, body={"address": address})

    def renew(self, host: str, *, force: bool = False) -> None:
        query = "?force=true" if force else ""
        self._request("POST", f"/certs/{urllib.parse.quote(host, safe='')}/renew{query}", timeout_s=QUICK_S)

    def domains(self) -> list[str]:
        found: list[str] = self._request("GET", "/domains", timeout_s=QUICK_S)["domains"]
        return found

    def add_domain(self, host: str) -> None:
        self._request("POST", "/domains", timeout_s=APPLY_S, body={"host": host})

    def remove_domain(self, host: str) -> None:
        self._request("DELETE", f"/domains/{urllib.parse.quote(host, safe='')}", timeout_s=APPLY_S)

    def revoke(self, host: str, *, reason: str) -> None:
        self._request(
            "POST", f"/certs/{urllib.parse.quote(host, safe='')}/revoke", timeout_s=CA_S, body={"reason": reason}
        )

    def accounts(self) -> Json:
        return self._request("GET", "/accounts", timeout_s=QUICK_S)

    def roll_over(self, *, everything: bool) -> list[Json]:
        body = {"everything": everything}
        turns: list[Json] = self._request("POST", "/accounts/rollover", timeout_s=CA_S, body=body)["accounts"]
        return turns

    def deactivate(self, directory: str) -> None:
        self._request("POST", "/accounts/deactivate", timeout_s=CA_S, body={"directory": directory})

    def adopt_account(self, account: Json, *, dry: bool) -> Json:
        return self._request("POST", "/accounts/adopt", timeout_s=APPLY_S, body={**account, "dry": dry})

    def adopt_certificate(self, certificate: Json, *, dry: bool) -> Json:
        return self._request("POST", "/certs/adopt", timeout_s=APPLY_S, body={**certificate, "dry": dry})

    def make_dashboard_link(self) -> Json:
        """The address that lets one browser in, once."""
        return self._request("POST", "/dashboard/link", timeout_s=QUICK_S, body={"user": caller.find_user()})

    def dashboard_sessions(self) -> list[Json]:
        found: list[Json] = self._request("GET", "/dashboard/sessions", timeout_s=QUICK_S)["sessions"]
        return found

    def end_dashboard_sessions(self, number: str | None) -> Json:
        """number: None: all."""
        body = {"user": caller.find_user(), "number": number}
        return self._request("POST", "/dashboard/sessions/end", timeout_s=QUICK_S, body=body)

    def dashboard_tokens(self) -> list[Json]:
        found: list[Json] = self._request("GET", "/dashboard/tokens", timeout_s=QUICK_S)["tokens"]
        return found

    def add_dashboard_token(self, token: Json) -> Json:
        body = {**token, "user": caller.find_user()}
        return self._request("POST", "/dashboard/tokens", timeout_s=QUICK_S, body=body)

    def remove_dashboard_token(self, name: str) -> None:
        body = {"user": caller.find_user(), "name": name}
        self._request("POST", "/dashboard/tokens/remove", timeout_s=QUICK_S, body=body)

    def stop(self, *, keep_traffic: bool) -> None:
        """Request the end of the daemon; returns before it has ended."""
        self._request("POST", "/stop", timeout_s=QUICK_S, body={"keep_traffic": keep_traffic})

    def _request(
        self, method: str, path: str, *, timeout_s: float, body: Json | None = None, also_good: int | None = None
    ) -> Json:
        status, answer = self._exchange(method, path, timeout_s=timeout_s, body=body)
        if status < 300 or (status == also_good and "ok" in answer):
            return answer
        raise errors.DaemunError(str(answer.get("error") or f"the daemon answered with HTTP status {status}"))

    def _exchange(self, method: str, path: str, *, timeout_s: float, body: Json | None) -> tuple[int, Json]:
        with contextlib.closing(_UnixConnection(self._settings, timeout_s=timeout_s)) as connection:
            try:
                connection.request(method, path, body=None if body is None else json.dumps(body))
                response = connection.getresponse()
                return response.status, self._parse(response.read())
            except TimeoutError as error:
                raise NotAnsweringError(self._explain_silence(timeout_s)) from error
            except PermissionError as error:
                raise errors.EnvironmentProblemError(self._explain_permission()) from error
            except _ABSENT as error:
                raise NotRunningError(self._explain_absence()) from error
            except (OSError, http.client.IncompleteRead) as error:
                raise errors.EnvironmentProblemError(
                    f"cannot talk to the daemon at {self._path}: {error or type(error).__name__}; it may just be ending"
                ) from error
            except http.client.HTTPException as error:
                raise self._strange_answer() from error

    def _parse(self, content: bytes) -> Json:
        """Raises: EnvironmentProblemError for what no daemun answers."""
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self._strange_answer() from error
        if not isinstance(answer, dict):
            raise self._strange_answer()
        return answer

    def _strange_answer(self) -> errors.EnvironmentProblemError:
        return errors.EnvironmentProblemError(
            f"cannot talk to the daemon at {self._path}: what answers there is another program; end that one "
            "(`ss -xlp` shows which it is), or name daemun's own directory with --state"
        )

    def _explain_silence(self, timeout_s: float) -> str:
        begin = f"cannot wait for the daemon any longer: no answer at {self._path} within {timeout_s:g} s; "
        pid = instance.read_owner(pathlib.Path(self._settings.layout.lock))
        if pid is not None and kernel_processes.is_suspended(pid):
            return (
                f"{begin}its process {pid} is suspended (SIGSTOP), and nginx serves on without it: `kill -CONT {pid}` "
                "lets it go on, `daemun stop --force` ends it"
            )
        return f"{begin}its log tells what it is doing, and `daemun stop --force` ends it"

    def _explain_absence(self) -> str:
        words = ["daemun", "up", "-c", str(self._settings.config)]
        if self._settings.state_from != "the default":
            words += ["--state", str(self._settings.state)]
        text = f"daemun is not running (no answer at {self._path}); start it with: {shlex.join(words)}"
        system = settings.SYSTEM_STATE
        if self._settings.state_from == "the default" and self._settings.state != system and _runs(system):
            text += f"\nThere is one of root, with the state directory {system}: sudo daemun --state {system} ..."
        return text

    def _explain_permission(self) -> str:
        """The socket is its owner's alone; who that is may be hidden, too."""
        owner = "another user"
        with contextlib.suppress(OSError, KeyError):
            owner = f'the user "{pwd.getpwuid(self._path.stat().st_uid).pw_name}"'
        return (
            f"cannot talk to the daemon at {self._path}: permission denied, it belongs to {owner}; "
            "use sudo, or name your own daemun's directory with --state"
        )


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the control socket: that of the state directory, or of a daemun that can make none there."""

    def __init__(self, chosen: settings.Settings, *, timeout_s: float) -> None:
        super().__init__("daemun", timeout=timeout_s)
        self._settings = chosen

    def connect(self) -> None:
        try:
            self._connect_to(self._settings.layout.control_socket)
        except _ABSENT:
            other = work_folder.find_control_socket(str(self._settings.state))
            if other is None:
                raise
            self._connect_to(other)

    def _connect_to(self, path: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(path)
        except OSError:
            self.sock.close()
            raise


def _runs(state: pathlib.Path) -> bool:
    """Whether a daemon runs on another state directory now; one that ran there leaves all its files."""
    return instance.read_owner(pathlib.Path(layout.Layout(str(state)).lock)) is not None
