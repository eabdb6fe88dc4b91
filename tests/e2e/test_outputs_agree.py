"""Whatever is wrong with a site, all commands tell the same of it, once, and end alike."""

import collections
import json
import typing

import pytest

from tests.support import bad_servers, own_certificates, ports, receivers
from tests.support.daemon import Daemon

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(900)]

Json = dict[str, typing.Any]

EXPECTED = {
    # host: state of the site, of its certificate, and words of the cause
    "refused.test": ("unreachable", "local", "refuses connections"),
    "some.test": ("degraded", "local", "refuses connections"),
    "self.test": ("unreachable", "local", "is signed by itself"),
    "name.test": ("unreachable", "local", "does not resolve"),
    "unwell.test": ("unreachable", "local", "does not pass its health check"),
    "checked.test": ("unreachable", "local", "does not resolve"),
    "expired.test": ("wrong certificate", "invalid", "expired on"),
    "other.test": ("wrong certificate", "invalid", 'is for "elsewhere.test"'),
    "half.test": ("degraded", "incomplete", "lacks the intermediate certificate"),
    "garbage.test": ("wrong certificate", "failing", "cannot use"),
    "handshake.test": ("unreachable", "not served", "nginx cannot load its certificate"),
    "held.test": ("quarantined", "local", "no_such_directive"),
}
GOOD = "good.test"
AT_ONCE = """
import datetime
from daemun.core.alerts import alert_outbox, alert_rules
from daemun.probing import server_turns
alert_rules.STEADY = alert_outbox.INTERVAL = datetime.timedelta(0)
server_turns.ALL_LOOKED_AT_S = 0.0
"""
"""For the daemon: it has no patience before an alert."""


def _as_json(daemon: Daemon, *arguments: str) -> tuple[int, Json]:
    done = daemon.cli(*arguments, "--json")
    return done.returncode, json.loads(done.stdout)


def _put(daemon: Daemon, host: str, chain: bytes, key: bytes) -> str:
    (daemon.root / f"{host}.pem").write_bytes(chain)
    (daemon.root / f"{host}.key").write_bytes(key)
    return f"tls: {{certificate: {host}.pem, key: {host}.key}}"


def _states(sites: list[Json]) -> dict[str, str]:
    return {site["host"]: site["state"] for site in sites}


def test_ten_kinds_of_trouble_are_told_alike_by_all(daemon: Daemon) -> None:
    day = own_certificates.DAY
    expired = own_certificates.make("expired.test", starts=-9 * day, ends=-day)
    other, half = own_certificates.make("elsewhere.test"), own_certificates.make("half.test")
    context = bad_servers.server_context(daemon.root, own_certificates.make_self_signed("localhost"))
    with bad_servers.running() as good, bad_servers.running(tls=context) as tls, receivers.receiving() as hook:
        daemon.preamble = f"alerts: {{webhook: '{hook.url}', rules: {{nginx: false, sites: 0s}}}}\n"
        well, dead = f"http://127.0.0.1:{good.port}", f"http://127.0.0.1:{ports.free_port()}"
        daemon.write(f"""
            sites:
              {GOOD}: {well}
              refused.test: {dead}
              some.test: {{routes: {{/: "{well}", /api/: "{dead}"}}}}
              self.test: https://localhost:{tls.port}
              name.test: http://no-such-name.invalid
              unwell.test: {{routes: {{/: {{to: "{dead}", health: /healthz}}}}}}
              checked.test: {{routes: {{/: {{to: "http://no-such-name.invalid", health: /healthz}}}}}}
              expired.test: {{routes: {{/: "{well}"}}, {_put(daemon, "expired.test", expired.chain, expired.key)}}}
              other.test: {{routes: {{/: "{well}"}}, {_put(daemon, "other.test", other.chain, other.key)}}}
              half.test: {{routes: {{/: "{well}"}}, {_put(daemon, "half.test", half.leaf, half.key)}}}
              garbage.test: {{routes: {{/: "{well}"}}, {_put(daemon, "garbage.test", half.chain, other.key)}}}
              handshake.test: {{routes: {{/: "{well}"}}, nginx: "ssl_certificate /nonexistent/$ssl_server_name.pem;"}}
              held.test: {{routes: {{/: "{well}"}}, nginx: "no_such_directive on;"}}
        """)
        (daemon.root / "sitecustomize.py").write_text(AT_ONCE)
        daemon.environment["PYTHONPATH"] = str(daemon.root)
        daemon.start()
        daemon.wait_ready()
        del daemon.environment["PYTHONPATH"]
        wanted = {GOOD: "live"} | {host: state for host, (state, _, _) in EXPECTED.items()}
        daemon.wait(lambda: _states(daemon.look()["sites"]) == wanted, "every state", within_s=240, every_s=0.5)

        code, status = _as_json(daemon, "status")
        assert code == 3
        code, listed = _as_json(daemon, "sites")
        assert (code, _states(listed["sites"])) == (3, wanted)
        code, certs = _as_json(daemon, "certs")
        assert code == 3
        shown = {one["host"]: one for one in certs["certificates"]}
        code, doctor = _as_json(daemon, "doctor")
        assert code == 1
        found = collections.Counter(one["host"] for one in doctor["findings"] if one["weight"] != "good")
        for site in status["sites"]:
            _check_site(daemon, site, shown[site["host"]], found[site["host"]])
        daemon.wait(lambda: _alerted(hook.taken).keys() == EXPECTED.keys(), "every alert", within_s=120, every_s=0.5)
        for site in status["sites"]:
            for alert, text in _alerted(hook.taken).get(site["host"], []):
                _check_alert(site, shown[site["host"]], alert, text)


def _alerted(messages: list[Json]) -> dict[str, list[tuple[Json, str]]]:
    """By site: what was sent of it and of its certificate, each with the text of its message."""
    found = collections.defaultdict(list)
    for message in messages:
        for one in (*message["certificates"], *message["sites"]):
            found[one["host"]].append((one, message["text"]))
    return found


def _check_alert(site: Json, certificate: Json, alert: Json, text: str) -> None:
    words = EXPECTED[site["host"]][2]
    assert words in alert["reason"]
    assert words in text
    if alert["danger"] != "unserved":
        assert alert["reason"] == certificate["reason"]
        return
    shown = "held back" if site["state"] == "quarantined" else site["state"]
    assert (alert["state"], alert["reason"]) == (site["state"], f"{shown}: {site['reason']}")
    assert alert["cure"] == site["cure"]


def _check_site(daemon: Daemon, site: Json, certificate: Json, findings: int) -> None:
    host = site["host"]
    state, of_certificate, words = EXPECTED.get(host, ("live", "local", ""))
    assert (site["state"], site["certificate"], certificate["state"]) == (state, certificate, of_certificate)
    is_live = state == "live"
    assert findings == (not is_live), f"doctor of everything on {host}"
    text = daemon.cli("status", host)
    assert text.returncode == (0 if is_live else 3), text.stdout
    assert daemon.cli("sites", host).returncode == text.returncode
    assert daemon.cli("certs", "show", host).returncode == (0 if of_certificate == "local" else 3), host
    code, doctor = _as_json(daemon, "doctor", host)
    bad = [one for one in doctor["findings"] if one["weight"] != "good"]
    assert (code, len(bad)) == ((0, 0) if is_live else (1, 1)), bad
    if is_live:
        return
    assert words in site["reason"]
    assert words in bad[0]["message"]
    assert bad[0]["cure"]
    lines = [line for line in text.stdout.splitlines() if words in line]
    assert len(lines) == 1, text.stdout
    if of_certificate in {"invalid", "incomplete", "failing"}:  # the line that asks for the files is to be corrected
        assert "daemun.yaml:" in lines[0], lines
        assert f'site "{host}"' in lines[0]
        assert words in certificate["reason"]
