"""Names that customers bring: added by command, by API or by asking, each with a certificate, without a reload."""

import collections
import collections.abc
import contextlib
import dataclasses
import http.server
import json
import threading
import time
import urllib.parse

import httpx
import pytest

from tests.support import clients, pebble
from tests.support.daemon import Daemon, Json

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(300)]


@dataclasses.dataclass(slots=True)
class Program:
    """The owner's program that says which names may be added. asked: how often it was asked for each."""

    url: str = ""
    allowed: set[str] = dataclasses.field(default_factory=set)
    asked: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


@pytest.fixture
def program() -> collections.abc.Iterator[Program]:
    found = Program()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)["domain"][0]
            found.asked[host] += 1
            self.send_response(200 if host in found.allowed else 403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        found.url = f"http://127.0.0.1:{server.server_port}/allowed"
        yield found
        server.shutdown()
        thread.join()


def sites(on_demand: str) -> str:
    route = "/: {redirect: '/$host', status: 302}"
    return f"sites:\n  app.example.com: {{on_demand: {on_demand}, routes: {{{route}}}}}\n"


def ask_api(daemon: Daemon, method: str, path: str, body: Json | None = None) -> httpx.Response:
    """As a product does it: the API is on the control socket."""
    transport = httpx.HTTPTransport(uds=str(daemon.state / "run" / "control.sock"))
    with httpx.Client(transport=transport, base_url="http://daemun", timeout=30) as api:
        return api.request(method, path, json=body)


def issuer(daemon: Daemon, host: str) -> str:
    shown = clients.try_handshake(daemon.gate, host)
    return shown.issuer if shown is not None and shown.certificate is not None else ""


def settled(daemon: Daemon) -> tuple[int, set[int]]:
    """How often nginx was reloaded, and its workers, once no older ones are left."""
    daemon.wait(lambda: not daemon.worker_pids(draining=True), "old workers to end")
    return daemon.status()["nginx"]["reloads"], daemon.worker_pids()


@pytest.mark.pebble
def test_names_are_added_and_get_certificates_without_a_reload(daemon: Daemon) -> None:
    with pebble.running_pebble(daemon.http) as ca:
        authority = f"directory: '{ca.directory}', ca_file: {ca.ca_file}, resolvers: '{ca.resolver}'"
        daemon.preamble = f"acme: {{{authority}}}\n"
        daemon.write(sites("true"))
        daemon.up("https://app.example.com/")
        before = settled(daemon)
        assert clients.handshake(daemon.gate, "shop.example.net").alert is not None
        assert daemon.get("http://shop.example.net/").status_code == 404

        assert "shop.example.net is served" in daemon.cli_good("domains", "add", "Shop.example.net")
        assert clients.handshake(daemon.gate, "shop.example.net").names == {"shop.example.net"}
        answer = ask_api(daemon, "POST", "/domains", {"host": "blog.example.org"})
        assert (answer.status_code, answer.json()) == (201, {"host": "blog.example.org"})

        hosts = ("app.example.com", "blog.example.org", "shop.example.net")
        daemon.wait(
            lambda: all("Pebble" in issuer(daemon, host) for host in hosts), "Pebble's certificates", within_s=90
        )
        plain = daemon.get("http://shop.example.net/x")
        assert plain.headers["Location"].startswith("https://shop.example.net")
        assert {one["host"] for one in json.loads(daemon.cli("certs", "--json").stdout)["certificates"]} == {
            "app.example.com",
            "blog.example.org",
            "shop.example.net",
        }
        assert settled(daemon) == before

        daemon.terminate()
        daemon.up("http://app.example.com/")
        assert "Pebble" in issuer(daemon, "shop.example.net")
        assert ca.orders == 3
        daemon.cli_good("domains", "rm", "shop.example.net")
        daemon.wait(lambda: clients.handshake(daemon.gate, "shop.example.net").alert, "the name to be gone")
        assert daemon.get("http://shop.example.net/").status_code == 404
        assert daemon.cli_good("domains").split() == ["blog.example.org"]
        assert "Pebble" in issuer(daemon, "blog.example.org")


def test_a_program_is_asked_about_names_that_visitors_bring(daemon: Daemon, program: Program) -> None:
    program.allowed = {"one.example.test", "two.example.test"}
    daemon.write(sites(f"{{ask: '{program.url}', per_minute: 100}}"))
    daemon.up("http://app.example.com/")
    before = settled(daemon)

    # Over HTTPS the first handshake fails, and is what makes daemun ask.
    assert clients.handshake(daemon.gate, "one.example.test").alert is not None
    daemon.wait(lambda: issuer(daemon, "one.example.test"), "the name to be served")
    # Over plain HTTP the first request waits for the answer and is sent to HTTPS.
    plain = daemon.get("http://two.example.test/x?y=1")
    assert (plain.status_code, plain.headers["Location"]) == (301, f"https://two.example.test:{daemon.https}/x?y=1")
    assert "daemun" in issuer(daemon, "two.example.test")

    for _ in range(5):
        assert daemon.get("http://three.example.test/").status_code == 404
        assert clients.handshake(daemon.gate, "three.example.test").alert is not None
    assert program.asked == {"one.example.test": 1, "two.example.test": 1, "three.example.test": 1}
    assert settled(daemon) == before


def test_many_unknown_names_ask_only_so_often(daemon: Daemon, program: Program) -> None:
    daemon.write(sites(f"{{ask: '{program.url}', per_minute: 3}}"))
    daemon.up("http://app.example.com/")
    answers = [daemon.get(f"http://n{number}.example.test/") for number in range(10)]
    assert [answer.status_code for answer in answers] == [404] * 3 + [503] * 7
    assert answers[-1].headers["Retry-After"] == "60"
    assert program.asked.total() == 3


def test_c10_one_client_that_tries_names_keeps_no_customer_out(daemon: Daemon, program: Program) -> None:
    """C10. Over plain HTTP and by handshakes; what is turned away is told with what to do."""
    daemon.write(sites(f"{{ask: '{program.url}', per_minute: 3}}"))
    daemon.up("http://app.example.com/")
    daemon.wait_ready()
    statuses = [ask_from(daemon, "127.0.0.1", f"scan{number}.test") for number in range(12)]
    assert statuses.count(503) == 9
    program.allowed.add("shop.customer.test")
    assert ask_from(daemon, "127.0.0.9", "shop.customer.test") == 503, "of the same network"
    assert ask_from(daemon, "127.9.9.9", "shop.customer.test") == 301
    daemon.wait(lambda: clients.handshake(daemon.gate, "shop.customer.test").certificate is not None, "its certificate")

    def find_lines() -> list[Json]:
        return [line for line in daemon.log_lines() if "new names within a minute" in line["event"]]

    lines = daemon.wait(find_lines, "the network in the log")
    assert len(lines) == 1, "a line a minute"
    assert lines[0]["network"] == "127.0.0.0/24"
    (problem,) = daemon.status()["problems"]
    assert "the network 127.0.0.0/24 brought more than 3 new names within a minute (10 were turned away)" in str(
        problem
    )
    assert daemon.named("domains add shop.customer.test") in " ".join(daemon.cli("doctor").stdout.split())


def ask_from(daemon: Daemon, address: str, host: str) -> int:
    """The status of a plain HTTP request for a name from this address."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.http, timeout=20, source_address=(address, 0))
    with contextlib.closing(connection):
        connection.request("GET", "/", headers={"Host": host})
        return connection.getresponse().status


def test_a_program_that_does_not_answer_costs_nobody_else_anything(daemon: Daemon, program: Program) -> None:
    gone = program.url.replace("/allowed", "").rsplit(":", 1)[0] + ":1/"
    daemon.write(sites(f"'{gone}'"))
    daemon.up("http://app.example.com/")
    assert daemon.get("http://one.example.test/").status_code == 503
    daemon.wait_log("cannot be asked")
    assert daemon.get("http://app.example.com/").status_code == 301


@pytest.mark.parametrize(
    ("host", "status", "words"),
    [
        ("app.example.com", 409, 'already belongs to site "app.example.com"'),
        ("x.wild.example.com", 409, 'already belongs to site "*.wild.example.com"'),
        ("../etc", 400, "cannot add"),
        ("*.example.com", 400, "is not a whole host name"),
        ("192.0.2.1", 400, "is not a whole host name"),
        (f"{'a' * 60}.{'b' * 60}.test", 400, "is too long"),
    ],
)
def test_what_cannot_be_added_is_refused_with_words(daemon: Daemon, host: str, status: int, words: str) -> None:
    wild = "  '*.wild.example.com': {tls: local, routes: {/: {redirect: https://x.test}}}\n"
    daemon.write(sites("true") + wild)
    daemon.up("http://app.example.com/")
    answer = ask_api(daemon, "POST", "/domains", {"host": host})
    assert answer.status_code == status
    assert words in answer.json()["error"]


def test_n11_a_disabled_sites_name_is_offered_to_nobody(daemon: Daemon, program: Program) -> None:
    program.allowed = {"off.example.test", "www.off.example.test", "x.off.example.test", "new.example.test"}
    off = (
        "  off.example.test: {enabled: false, aliases: [www.off.example.test], routes: {/: {redirect: https://x.test}}}\n"
        "  '*.off.example.test': {enabled: false, tls: local, routes: {/: {redirect: https://x.test}}}\n"
    )
    daemon.write(sites(f"{{ask: '{program.url}', per_minute: 100}}") + off)
    daemon.up("http://app.example.com/")
    for host in ("off.example.test", "www.off.example.test", "x.off.example.test"):
        assert daemon.get(f"http://{host}/").status_code == 404
        assert clients.handshake(daemon.gate, host).alert is not None
        answer = ask_api(daemon, "POST", "/domains", {"host": host})
        assert answer.status_code == 409
        assert "which is disabled" in answer.json()["error"]
    assert daemon.get("http://new.example.test/").status_code == 301
    assert set(program.asked) == {"new.example.test"}


def test_without_such_a_site_and_with_two_of_them(daemon: Daemon) -> None:
    plain = "sites:\n  a.test: {routes: {/: {redirect: https://x.test}}}\n"
    daemon.write(plain)
    daemon.up("http://a.test/")
    refused = daemon.cli("domains", "add", "b.example.com")
    assert refused.returncode == 1
    assert "on_demand: true" in refused.stderr
    daemon.write(sites("true") + "  b.test: {on_demand: true, routes: {/: {redirect: https://x.test}}}\n")
    checked = daemon.cli("check")
    assert checked.returncode == 1
    assert 'names that no site has already go to "app.example.com"' in checked.stdout + checked.stderr


def test_a_thousand_names(daemon: Daemon) -> None:
    daemon.write(sites("true"))
    daemon.up("http://app.example.com/")
    before = settled(daemon)
    transport = httpx.HTTPTransport(uds=str(daemon.state / "run" / "control.sock"))
    began = time.monotonic()
    with httpx.Client(transport=transport, base_url="http://daemun", timeout=60) as api:
        for number in range(1000):
            assert api.post("/domains", json={"host": f"n{number}.shops.test"}).status_code == 201
    print(f"\n1,000 names added one after another: {time.monotonic() - began:.1f} s")
    for number in (0, 500, 999):
        assert clients.handshake(daemon.gate, f"n{number}.shops.test").names == {f"n{number}.shops.test"}
    assert settled(daemon) == before
    # A change of the file afterwards is live as ever.
    daemon.write(sites("true") + "  late.test: {routes: {/: {redirect: /late, status: 302}}}\n")
    daemon.wait_answers("http://late.test/")


def test_o6_names_are_there_after_a_restart_whatever_became_of_their_files(daemon: Daemon) -> None:
    daemon.write(sites("true"))
    daemon.up("http://app.example.com/")
    hosts = [f"n{number}.shops.test" for number in range(20)]
    for host in hosts:
        assert ask_api(daemon, "POST", "/domains", {"host": host}).status_code == 201
    assert daemon.terminate() == 0
    key = daemon.state / "live" / hosts[3] / "privkey.pem"
    key.write_bytes(key.read_bytes()[:60])
    (daemon.state / "live" / hosts[4]).unlink()
    facts = daemon.state / "store" / "~certificate-facts"
    facts.write_bytes(facts.read_bytes()[:500])
    for _ in range(2):
        daemon.start()
        daemon.wait_answers(*(f"http://{host.title()}/" for host in hosts))
        for host in hosts:
            assert clients.handshake(daemon.gate, host.upper()).names == {host}
        assert ask_api(daemon, "GET", "/domains").json() == {"domains": sorted(hosts)}
        assert set(hosts) <= {one["host"] for one in ask_api(daemon, "GET", "/certs").json()["certificates"]}
        assert [site["host"] for site in daemon.status()["sites"]] == ["app.example.com"]
        assert daemon.terminate() == 0
