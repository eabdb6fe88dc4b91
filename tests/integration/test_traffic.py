"""What is counted of requests is what clients sent and got, whatever happens to files, daemon and disk meanwhile."""

import collections.abc
import contextlib
import dataclasses
import pathlib
import tempfile
import time

import pytest

from daemun.core import directive, model
from daemun.core.options import cache_option
from daemun.core.traffic import traffic_usage
from daemun.nginx import answers_folder, worker_account
from daemun.traffic import traffic_report
from tests.support import clients, counting_server, daemon, echo, rendered, sites

pytestmark = pytest.mark.nginx

DAY_S = 86400


@dataclasses.dataclass(frozen=True)
class Gate:
    running: rendered.Running
    server: echo.EchoServer

    def report(self) -> traffic_report.Found:
        now_s = time.time()
        return traffic_report.read(self.running.layout, now_s - DAY_S, now_s)

    def usages(self) -> dict[str, traffic_usage.Usage]:
        return {one.site: one for one in traffic_usage.by_site(self.report())}

    def routes(self, site: str) -> dict[str, traffic_usage.Usage]:
        return {one.route or "": one for one in traffic_usage.by_route(self.report(), site)}


@pytest.fixture(scope="module")
def gate() -> collections.abc.Iterator[Gate]:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(echo.echo_server("one"))
        url = f"http://127.0.0.1:{server.port}"
        off = directive.Directive("access_log", (directive.Text("off"),))
        own = directive.Directive("access_log", (directive.Expr("/dev/null"),))
        all_sites = (
            sites.site("plain.test", url),
            sites.site("shared.test", url),
            sites.site("quiet.test", url, snippet=(off,)),
            sites.site("logged.test", sites.route("/", url, snippet=(own,)), sites.route("/x/", url, snippet=(off,))),
            sites.site(
                "routes.test",
                sites.route("/", url),
                sites.route("/api/", url),
                sites.route("= /exact", model.Respond(status=204)),
                sites.route(r"~ ^/u/(?<id>[0-9]+)$", url),
                sites.route("/gone/", model.Respond(status=403)),
                aliases=("alias.test",),
            ),
        )
        running = stack.enter_context(rendered.running(*all_sites, own_blocks=4))
        yield Gate(running, server)


def _get(gate: Gate, host: str, path: str, count: int, *, scheme: str = "https") -> int:
    """Returns: bytes of all bodies."""
    got = 0
    with clients.client(gate.running.clients) as client:
        for _ in range(count):
            got += len(client.get(f"{scheme}://{host}{path}", follow_redirects=False).content)
    return got


def test_hand_written_nginx_that_wants_no_log_keeps_no_request_from_being_counted() -> None:
    off = directive.Directive("access_log", (directive.Text("off"),))
    settings = model.Globals(snippet=(off,))
    answer = sites.route("/", model.Respond(status=204))
    with rendered.running(
        sites.site("a.test", answer), sites.site("b.test", answer), settings=settings, own_blocks=9
    ) as one:
        for host in ("a.test", "b.test", "a.test"):
            assert one.get(f"https://{host}/").status_code == 204
        gate = Gate(one, server=None)  # type: ignore[arg-type]
        daemon.wait_for(
            lambda: {site: use.requests for site, use in gate.usages().items()} == {"a.test": 2, "b.test": 1}, "them"
        )
        assert not pathlib.Path(one.layout.logs, "access.log").read_text()


def test_what_a_cache_did_is_counted_where_there_is_one() -> None:
    """A cache of daemun's, and one of hand-written nginx in a single location."""
    own = (
        directive.Directive("proxy_buffering", (directive.Text("on"),)),
        directive.Directive("proxy_cache", (directive.Text("own"),)),
        directive.Directive("proxy_cache_valid", (directive.Text("10m"),)),
    )
    with counting_server.running() as server, tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)  # for nginx's workers
        where = (directive.Text(f"{folder}/own"), directive.Expr("keys_zone=own:1m"))
        settings = model.Globals(snippet=(directive.Directive("proxy_cache_path", where),))
        all_sites = (
            sites.site("plain.test", server.url),
            sites.site("kept.test", server.url, cache=cache_option.Cache(for_s=600.0)),
            sites.site("own.test", sites.route("/", server.url), sites.route("/own/", server.url, snippet=own)),
        )
        with rendered.running(*all_sites, settings=settings, own_blocks=9) as one:
            answers_folder.note_room(one.layout, worker_account.choose(None))
            for url in ("plain.test/", "kept.test/?status=200", "own.test/own/?status=200"):
                for _ in range(3):
                    assert one.get(f"https://{url}").status_code == 200
            gate = Gate(one, server=None)  # type: ignore[arg-type]
            daemon.wait_for(lambda: sum(use.requests for use in gate.usages().values()) == 9, "all lines")
            cached = {site: use.cache for site, use in gate.usages().items()}
            assert cached == {"plain.test": {}, "kept.test": {"MISS": 1, "HIT": 2}, "own.test": {"MISS": 1, "HIT": 2}}
            log = pathlib.Path(one.layout.logs, "access.log")
            daemon.wait_for(lambda: log.read_text().count("\n") == 9, "the access log, with a line for each request")


def test_every_request_is_counted_for_its_site_and_route(gate: Gate) -> None:
    body = _get(gate, "plain.test", "/a", 5)
    _get(gate, "shared.test", "/", 3)
    _get(gate, "quiet.test", "/", 2)
    _get(gate, "logged.test", "/", 2)
    _get(gate, "logged.test", "/x/", 3)
    for path, count in {"/": 1, "/api/x": 2, "/exact": 3, "/u/17": 4, "/gone/": 5}.items():
        _get(gate, "routes.test", path, count)
    _get(gate, "alias.test", "/api/", 1)
    _get(gate, "plain.test", "/", 1, scheme="http")
    daemon.wait_for(lambda: sum(one.requests for one in gate.usages().values()) >= 32, "all lines")
    found = gate.usages()
    assert {site: one.requests for site, one in found.items()} == {
        "plain.test": 6,
        "shared.test": 3,
        "quiet.test": 2,
        "logged.test": 5,
        "routes.test": 16,
    }
    plain = found["plain.test"]
    assert plain.statuses == {"200": 5, "301": 1}
    assert plain.bytes_out > body
    assert plain.bytes_in > 0
    assert plain.servers == {f"127.0.0.1:{gate.server.port}": 5}
    assert sum(plain.tls_versions.values()) == 5
    assert plain.p99_s is not None
    assert plain.p99_s < 60
    assert {name: one.requests for name, one in gate.routes("logged.test").items()} == {"/": 2, "/x/": 3}
    routes = gate.routes("routes.test")
    assert {name: one.requests for name, one in routes.items()} == {
        "/": 1,
        "/api/": 3,
        "= /exact": 3,
        r"~ ^/u/(?<id>[0-9]+)$": 4,
        "/gone/": 5,
    }
    assert routes["/gone/"].refused == {"403": 5}
