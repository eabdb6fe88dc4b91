"""What Prometheus reads is what clients did."""

import collections.abc
import contextlib
import socket
import subprocess

import prometheus_client
import pytest
from prometheus_client.openmetrics import parser as openmetrics_parser

from tests.support import binaries, ports
from tests.support.daemon import Daemon, signpost
from tests.support.metrics_scrape import count, scrape

pytestmark = pytest.mark.nginx

SITES = "sites:\n" + signpost("a.test", "one") + signpost("counted.test", "two")
OPENMETRICS = "application/openmetrics-text;version=1.0.0"


def test_scrape(daemon: Daemon) -> None:
    port, other = ports.free_port(), ports.free_port()

    def write(metrics: str) -> None:
        daemon.write(f"metrics: {{{metrics}}}\n{SITES}")

    write(f"listen: '127.0.0.1:{port}'")
    daemon.start()
    daemon.wait_sign("a.test", "one")
    daemon.wait(lambda: scrape(port)[0] == 200, "the listener")
    for number in range(7):
        assert daemon.get(f"https://counted.test/{number}").status_code == 302
    requests = "daemun_requests_total"
    daemon.wait(lambda: count(port, requests, site="counted.test") == 7, "all requests")
    assert count(port, requests, site="counted.test", code="302") == 7
    assert count(port, "daemun_request_duration_seconds_count", site="counted.test") == 7
    assert count(port, "daemun_response_bytes_total", site="counted.test") > 7 * 100
    daemon.wait(lambda: count(port, "daemun_nginx_up") == 1, "nginx to answer")
    daemon.wait(lambda: count(port, "daemun_config_last_apply_successful") == 1, "the end of the round")
    daemon.wait(lambda: count(port, "daemun_site_up", site="counted.test") == 1, "the judgement")
    certificate = "daemun_certificate_expiry_timestamp_seconds"
    daemon.wait(lambda: count(port, certificate, site="counted.test") > 1.7e9, "the certificate")

    status, kind, text = scrape(port, Accept=OPENMETRICS)
    assert (status, kind.partition(";")[0], text[-6:]) == (200, "application/openmetrics-text", "# EOF\n")
    assert "daemun_site_up" in {one.name for one in _openmetrics(text)}
    assert scrape(port, path="/")[0] == 404
    assert scrape(port, Host="rebound.test")[0] == 403
    _check_with_promtool(scrape(port)[2])

    token = daemon.root / "metrics.token"
    token.write_text("s3cret\n")
    write(f"listen: '127.0.0.1:{other}', token: file:{token}")
    daemon.wait(lambda: scrape(other)[0] == 401, "the token to be needed, at the other address")
    assert scrape(other, Authorization="Bearer s3cret")[0] == 200
    assert scrape(other, Authorization="Bearer wrong")[0] == 401
    token.unlink()
    assert scrape(other, Authorization="Bearer s3cret")[0] == 503
    daemon.wait(lambda: scrape(port)[0] == 0, "the listener to be gone")
    assert "s3cret" not in daemon.log_text()

    with taken(port):
        write(f"listen: '127.0.0.1:{port}'")
        daemon.wait(lambda: f"cannot listen on 127.0.0.1:{port} for metrics" in str(daemon.status()), "the problem")
    daemon.write(SITES)
    daemon.wait(lambda: "for metrics" not in str(daemon.status()), "the problem to be gone")
    assert scrape(other)[0] == scrape(port)[0] == 0


@contextlib.contextmanager
def taken(port: int) -> collections.abc.Iterator[None]:
    with socket.create_server(("127.0.0.1", port)):
        yield


def _openmetrics(text: str) -> list[prometheus_client.Metric]:
    return list(openmetrics_parser.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]


def _check_with_promtool(text: str) -> None:
    promtool = binaries.program("promtool", "prometheus")
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
