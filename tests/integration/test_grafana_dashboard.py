"""The queries of examples/grafana/daemun.json, by Debian's Prometheus over what daemun serves, give what they say."""

import collections.abc
import contextlib
import dataclasses
import datetime
import http.server
import json
import pathlib
import threading
import typing
import urllib.error
import urllib.parse
import urllib.request

import pytest

from daemun.core import model
from daemun.core.traffic import traffic_sums, traffic_totals
from daemun.web import metrics_families
from tests.support import binaries, fake_gate, ports, programs, until

DASHBOARD = json.loads((pathlib.Path(__file__).parents[2] / "examples" / "grafana" / "daemun.json").read_text())
CONFIG = """\
global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}
scrape_configs: [{{job_name: daemun, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
"""
COUNTS = {"200": 3, "502": 1, "t150": 4, "u140": 4, "held": 1, "retries": 2}
"""Of a scrape. Bucket 150 has times from 5.6 to 5.9 seconds."""
_SCRAPED = "max_over_time(timestamp(daemun_bans)[1m:500ms]) and count_over_time(daemun_bans[1m]) > 3"
"""When the last of some scrapes was: a later one may have come too late, after which values are missing for a while."""
Rows = dict[str, float]


class _Handler(http.server.BaseHTTPRequestHandler):
    """Each scrape finds four requests more."""

    totals: typing.ClassVar[traffic_totals.Totals]
    numbers: typing.ClassVar[metrics_families.GateNumbers]

    def do_GET(self) -> None:
        one = traffic_sums.Sums(requests=4, bytes_out=4000, bytes_in=400, counts=COUNTS)
        self.totals.add({(0, traffic_sums.Series("a.test", "", "10.0.0.1:80")): one})
        encoder, kind = metrics_families.choose_encoder(self.headers.get("Accept", ""))
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(metrics_families.encode(encoder, self.numbers, self.totals))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> collections.abc.Iterator[int]:
    """Its port."""
    program = binaries.program("prometheus", "prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    _Handler.totals, _Handler.numbers = traffic_totals.Totals(), _numbers()
    own, port = ports.free_port(), ports.free_port()
    (folder / "prometheus.yml").write_text(CONFIG.format(port=own))
    options = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": f"127.0.0.1:{port}",
    }
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", own), _Handler))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        words = [f"--{name}={value}" for name, value in options.items()]
        stack.enter_context(programs.running([program, *words], folder / "log"))
        yield port


def _numbers() -> metrics_families.GateNumbers:
    status = fake_gate.FakeGate(config=pathlib.Path("/x"), state=pathlib.Path("/y")).status()
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=40)
    (site,), (certificate,) = status.sites, status.certificates
    down = dataclasses.replace(
        site, site=dataclasses.replace(site.site, host="b.test"), state=model.SiteState.UNREACHABLE
    )
    changed = dataclasses.replace(
        status, sites=(site, down), certificates=(dataclasses.replace(certificate, not_after=ends),)
    )
    servers = (("a.test", "10.0.0.1:80", True), ("b.test", "10.0.0.2:80", False))
    return metrics_families.GateNumbers(status=changed, is_applied=True, servers=servers)


def _query(port: int, query: str, at_s: float | None = None) -> Rows:
    """Value by the labels that tell rows apart. Nothing while Prometheus does not answer yet."""
    words = {"query": query, **({} if at_s is None else {"time": str(at_s)})}
    url = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode(words)}"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            found = json.loads(answer.read())["data"]["result"]
    except urllib.error.HTTPError as error:
        if error.code != 503:  # it is starting
            raise AssertionError(f"{query}: {error.read().decode()}") from error
        return {}
    except OSError:
        return {}
    hidden = {"__name__", "instance", "job"}
    return {
        " ".join(value for name, value in sorted(row["metric"].items()) if name not in hidden): float(row["value"][1])
        for row in found
    }


def test_queries(prometheus: int) -> None:
    scraped: Rows = {}

    def is_scraped() -> bool:
        scraped.update(_query(prometheus, _SCRAPED))
        return bool(scraped)

    until.true(is_scraped)
    now_s = scraped[""]
    found: dict[str, list[Rows]] = {}
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "1m").replace("$site", ".*")
            found.setdefault(panel["title"], []).append(_query(prometheus, query, now_s))
    assert all(rows for queries in found.values() for rows in queries), found

    def of(title: str, number: int = 0) -> Rows:
        return found[title][number]

    assert (of("Sites up"), of("Sites up", 1)) == ({"": 1}, {"": 2})
    assert of("Sites down") == {"b.test": 0}
    assert of("Servers down") == {"10.0.0.2:80 b.test": 0}
    assert 39 < of("Certificates: days left")["a.test"] < 40
    requests = of("Requests")["a.test"]
    assert requests > 0
    assert of("Share of answers of 500 and more") == {"a.test": pytest.approx(0.25)}
    statuses = of("Requests by status")
    assert statuses == {"200": pytest.approx(requests * 3 / 4), "502": pytest.approx(requests / 4)}
    assert of("Bytes sent")["a.test"] == pytest.approx(requests * 1000)
    assert of("Bytes received")["a.test"] == pytest.approx(requests * 100)
    assert 5 < of("Time within which 95 % are answered")["a.test"] <= 10
    assert 2.5 < of("Time of servers, 95 %")["a.test"] <= 5
    assert of("Requests that waited, and further tries") == {"": pytest.approx(requests / 4)}
    assert of("Requests that waited, and further tries", 1) == {"": pytest.approx(requests / 2)}
    assert of("Workers of nginx") == {"active": 2, "draining": 1}
    assert of("Reloads, refused addresses, last change live", 2) == {"": 1}


def test_it_can_be_imported() -> None:
    """Each panel has a number of its own, and a data source that is chosen at the import."""
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    sources = {target["datasource"]["uid"] for panel in DASHBOARD["panels"] for target in panel["targets"]}
    assert sources == {"${datasource}"}
    assert {"datasource", "site"} == {one["name"] for one in DASHBOARD["templating"]["list"]}
