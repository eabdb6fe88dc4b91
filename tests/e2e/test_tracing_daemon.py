"""Traces of a daemon: sent while a collector is there, and nothing else than traces is lost while there is none."""

import pathlib

import pytest

from tests.support import collector, ports, receivers
from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx

SITES = "sites:\n" + signpost("a.test", "one")


def test_a_collector_that_comes_and_goes(daemon: Daemon) -> None:
    port = ports.free_port()
    key = daemon.root / "collector.key"
    key.write_text("Bearer s3cret\n")
    headers = f'{{Authorization: "file:{key}"}}'
    tracing = f'tracing: {{endpoint: "http://127.0.0.1:{port}", sample: 100%, headers: {headers}}}\n'
    daemon.write(tracing + SITES)
    daemon.start()
    daemon.wait_sign("a.test", "one")

    def is_away() -> bool:
        daemon.get("https://a.test/away")
        return f"cannot send traces to http://127.0.0.1:{port}/v1/traces: connection refused" in str(daemon.status())

    daemon.wait(is_away, "the problem")
    assert "cannot send traces" in daemon.cli("doctor").stdout

    with receivers.receiving(port) as receiver:
        daemon.get("https://a.test/here")
        spans = collector.wait_for(
            receiver, lambda found: any(one.attributes.get("url.path") == "/here" for one in found)
        )
        (here,) = (one for one in spans if one.attributes.get("url.path") == "/here")
        assert here.attributes["http.response.status_code"] == 302
        assert here.resource["service.name"] == "daemun"
        assert {one.headers["authorization"] for one in receiver.posts} == {"Bearer s3cret"}
        daemon.wait(lambda: "cannot send traces" not in str(daemon.status()), "the problem to be gone")
        daemon.wait(lambda: here.trace in daemon.cli("why", here.trace).stdout, "the request of the trace")
        assert "/here" in daemon.cli("why", here.trace).stdout

    lines = pathlib.Path(daemon.state, "logs", "spans.log")
    assert lines.exists()
    daemon.write(SITES)
    daemon.wait(lambda: not lines.exists(), "the lines to be gone")
    assert "s3cret" not in daemon.log_text()
