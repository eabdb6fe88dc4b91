"""The dashboard through nginx: who comes in and how, what is sent with each page, and the process behind the pages."""

import collections.abc
import html
import json
import pathlib
import re
import socket

import httpx
import psutil
import pytest

from daemun.core import layout
from tests.support import daemon as daemon_support
from tests.support.dashboard_visitor import DashboardVisitor, visiting

pytestmark = pytest.mark.nginx

_SITES = "sites: {a.test: {routes: {/: {respond: {body: hello}}}}}"


@pytest.fixture(scope="module")
def gate() -> collections.abc.Iterator[daemon_support.Daemon]:
    with daemon_support.new_daemon() as new:
        new.write(_SITES)
        new.up("https://a.test/")
        yield new


@pytest.fixture
def visitor(gate: daemon_support.Daemon) -> collections.abc.Iterator[DashboardVisitor]:
    with visiting(gate) as found:
        yield found


def find_processes(daemon: daemon_support.Daemon) -> list[psutil.Process]:
    found = psutil.Process(daemon.pid).children(recursive=True)
    return [one for one in found if "daemun.dashboard" in _words(one)]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_nobody_comes_in_without_signing_in(visitor: DashboardVisitor) -> None:
    for path in ("/", "/sign-out", "/nothing?a=b"):
        answer = visitor.get(path)
        assert answer.status_code in {303, 404, 405}, path
        assert "a.test" not in answer.text
    assert visitor.get("/api/v1/status").status_code in {401, 404}
    assert visitor.get("/api/v1/overview").status_code == 401
    assert "daemun dashboard" in visitor.page("/enter")


def test_a_link_lets_in_once_and_by_the_button_alone(gate: daemon_support.Daemon, visitor: DashboardVisitor) -> None:
    secret = visitor.make_link()
    assert visitor.get(f"/enter?link={secret}").status_code == 200
    assert visitor.get(f"/enter/{secret}").status_code == 404
    assert visitor.session == ""
    assert visitor.post("/enter", {"link": secret}).headers["location"] == "/"
    assert visitor.api("/me")["role"] == "own"
    with visiting(gate) as other:
        again = other.post("/enter", {"link": secret})
        assert (again.status_code, other.session) == (401, "")
        assert "used" in again.text
    first = visitor.session
    assert first not in pathlib.Path(gate.state, "logs", "access.log").read_text()
    assert secret not in pathlib.Path(gate.state, "logs", "access.log").read_text()


def test_a_session_is_another_at_each_sign_in_and_ends_for_good(
    gate: daemon_support.Daemon, visitor: DashboardVisitor
) -> None:
    """Session fixation (CWE-384), which BunkerWeb 1.6.12 mended: its session kept its number across the sign-in."""
    fixed = "daemun_session_" + "a" * 43
    visitor.cookies["__Host-daemun-dashboard"] = fixed
    visitor.enter()
    assert visitor.session != fixed
    kept = visitor.session
    left = visitor.post("/sign-out")
    assert left.status_code == 303
    assert visitor.session == ""
    assert "signed out" in visitor.follow(left).text
    with visiting(gate) as thief:
        thief.cookies["__Host-daemun-dashboard"] = kept
        assert thief.get("/api/v1/me", Authorization=f"Bearer {kept}").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://daemun.localhost"},
        {"Origin": "https://daemun.localhost.evil.test"},
        {"Origin": "", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "", "Sec-Fetch-Site": "same-site"},
    ],
)
def test_changes_come_from_its_own_pages_alone(visitor: DashboardVisitor, headers: dict[str, str]) -> None:
    """Caddy took a whole configuration from any page that its owner's browser opened (CVE-2026-27589). The same of the
    API: `test_operator_api.test_pages_of_other_hosts_change_nothing`; in a browser: `test_dashboard_journey`."""
    visitor.enter()
    assert visitor.post("/sign-out", **headers).status_code == 403
    assert visitor.api("/me")["role"] == "own"


@pytest.mark.parametrize(
    "there",
    ["https://evil.test/", "//evil.test", "/\\evil.test", "/\t/evil.test", "javascript:alert(1)", "evil.test",
     "/..//evil.test", "/.//evil.test", "/%2e%2e//evil.test", "/sites/..//evil.test"],
)  # fmt: skip
def test_no_sign_in_leads_elsewhere(visitor: DashboardVisitor, there: str) -> None:
    """The last ones are of BunkerWeb 1.6.12: what stands before `//` goes when a browser takes the dots away."""
    assert visitor.post("/enter", {"link": visitor.make_link(), "next": there}).headers["location"] == "/"


@pytest.mark.parametrize("path", ["/", "/enter", "/nothing", "/static/dashboard.css", "/api/v1/me"])
def test_every_answer_is_for_its_own_host_alone(visitor: DashboardVisitor, path: str) -> None:
    headers = visitor.get(path).headers
    if path.startswith("/api/"):
        assert headers["cache-control"] == "no-store"
        return
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["referrer-policy"] == "same-origin"


def test_what_visitors_say_of_themselves_is_not_believed(visitor: DashboardVisitor) -> None:
    """The address and the session of the sign-in are nginx's and the pages' to name."""
    forged = {"X-Daemun-Login": "a" * 43, "X-Real-IP": "203.0.113.9", "Remote-User": "root", "X-Forwarded-User": "root"}
    assert visitor.get("/api/v1/me", **forged).status_code == 401
    assert visitor.get("/", **forged).status_code in {303, 404}
    visitor.enter()
    (noted, *_) = visitor.api("/audit")["rows"]
    assert noted["address"] == "127.0.0.1"


def test_the_process_has_no_rights_and_ends_with_its_daemon(
    gate: daemon_support.Daemon, visitor: DashboardVisitor
) -> None:
    visitor.page("/enter")
    (process,) = find_processes(gate)
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    if psutil.Process(gate.pid).uids().real == 0:
        assert process.uids().real not in {0, 65534}
        assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE)
    process.kill()
    gate.wait(lambda: process not in find_processes(gate), "the process is gone")
    gate.wait(lambda: visitor.get("/enter").status_code == 200, "another one answers")
    (process,) = find_processes(gate)
    gate.kill()
    psutil.wait_procs([process], timeout=60)
    assert not process.is_running()
    gate.start()
    gate.wait_ready()


def test_the_api_documents_what_it_has(visitor: DashboardVisitor) -> None:
    found = json.loads(visitor.get("/api/v1/openapi.json").text)
    assert found["openapi"] == "3.1.1"
    assert {"/me", "/overview", "/sites/{host}", "/draft/apply"} <= found["paths"].keys()


def find_operations(visitor: DashboardVisitor) -> list[tuple[str, str]]:
    """Every method and path of the API, with names that nothing has in place of those in braces."""
    paths = json.loads(visitor.get("/api/v1/openapi.json").text)["paths"]
    found = [
        (method.upper(), re.sub(r"{[^}]*}", "none", path)) for path, methods in paths.items() for method in methods
    ]
    assert len(found) > 60
    return found


def test_no_listener_of_the_api_takes_nobody_for_somebody(
    gate: daemon_support.Daemon, visitor: DashboardVisitor
) -> None:
    """HAProxy's Data Plane API demanded no password at any of its listeners once one of them verified certificates of
    clients (haproxytech/dataplaneapi, 51a67658). Here who requests is found behind all of them, and a cookie of the
    pages is nobody at the API."""
    visitor.enter()
    (session,) = visitor.cookies.items()
    operations = [one for one in find_operations(visitor) if one[1] != "/sign-in"]
    paths = layout.Layout(str(gate.state))
    for name in (paths.api_socket, paths.dashboard_api_socket):
        transport = httpx.HTTPTransport(uds=name)
        with httpx.Client(transport=transport, base_url="http://daemun.localhost", timeout=60) as client:
            for method, path in operations:
                sent = {"Cookie": "=".join(session), "X-Real-IP": "127.0.0.1"}
                assert client.request(method, f"/api/v1{path}", headers=sent).status_code == 401, (name, method, path)
    for method, path in operations:
        sent = {"Cookie": "=".join(session), "Connection": "close"}
        answer = visitor.client.request(method, f"{visitor.base}/api/v1{path}", headers=sent, json={})
        assert answer.status_code == 401, (method, path)
    family = [psutil.Process(gate.pid), *psutil.Process(gate.pid).children(recursive=True)]
    found = [one for each in family for one in each.net_connections("inet")]
    listening = {one.laddr for one in found if one.status == psutil.CONN_LISTEN}
    datagrams = {one.laddr for one in found if one.type == socket.SOCK_DGRAM}
    assert listening <= datagrams, "the DNS responder alone takes connections over TCP"
    for file in gate.state.rglob("*.sock"):
        assert file.stat().st_mode & 0o007 == 0 or file.parent.stat().st_mode & 0o001 == 0, f"all may connect to {file}"


def test_who_may_look_changes_nothing_by_any_path(gate: daemon_support.Daemon, visitor: DashboardVisitor) -> None:
    """BunkerWeb's readers could empty its cache, for that was no request to write where roles were judged (1.6.12)."""
    made = json.loads(gate.cli_good("dashboard", "tokens", "add", "reader", "--role", "look", "--json"))
    may = {"/sign-in", "/sign-out", "/why"}
    """They change nothing but one's own session."""
    changing = [one for one in find_operations(visitor) if one[0] != "GET" and one[1] not in may]
    for method, path in changing:
        sent = {"Authorization": f"Bearer {made['token']}", "Connection": "close"}
        answer = visitor.client.request(method, f"{visitor.base}/api/v1{path}", headers=sent, json={})
        assert answer.status_code == 403, (method, path, answer.text)
    gate.cli_good("dashboard", "tokens", "rm", "reader")


def test_a_host_of_its_own_stands_behind_the_conditions_of_the_gate() -> None:
    with daemon_support.new_daemon() as daemon:
        daemon.write(f"dashboard: gate.test\naccess: {{allow: 127.0.0.1}}\n{_SITES}")
        daemon.up("https://a.test/", "https://gate.test/enter")
        with visiting(daemon, "gate.test") as found:
            assert found.enter().api("/me")["role"] == "own"
        assert daemon.cli_good("dashboard").startswith("https://gate.test")
        daemon.write(f"dashboard: gate.test\naccess: {{allow: 192.0.2.1}}\n{_SITES}")
        daemon.wait(lambda: daemon.get("https://gate.test/enter").status_code == 403, "others are refused")
        daemon.write(f"dashboard: off\n{_SITES}")
        daemon.wait(lambda: daemon.cli("dashboard").returncode == 1, "there is none")


def test_commands_that_pages_show_are_safe_to_paste(gate: daemon_support.Daemon, visitor: DashboardVisitor) -> None:
    """A link to a page may hold anything."""
    visitor.enter()
    page = html.unescape(visitor.page("/changes/add?host=x%3Bid&target=http://a%3Bid%20%60id%60"))
    assert "daemun add 'x;id' 'http://a;id `id`'" in page
    found = html.unescape(visitor.get("/sites/a.test/why", Host=f"daemun.localhost:{gate.https}").text)
    assert f"daemun why https://a.test:{gate.https}/" in found
    options = visitor.api("/me")["command_options"]
    assert options and f"daemun status {options}" in html.unescape(visitor.page("/"))


def test_what_is_not_there_is_named(gate: daemon_support.Daemon) -> None:
    refused = gate.cli("dashboard", "tokens", "rm", "nosuch")
    assert refused.returncode == 1
    assert "nosuch" in refused.stderr and "there is no POST" not in refused.stderr
    before = json.loads(gate.cli_good("audit", "--json"))["entries"]
    gate.cli("dashboard", "sessions", "end", "zzz")
    assert json.loads(gate.cli_good("audit", "--json"))["entries"] == before
