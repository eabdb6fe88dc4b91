"""Uptime and the public status page through the life of a daemon: what visitors receive, also when it is dead."""

import json
import typing
import xml.etree.ElementTree as ET

import pytest

from tests.support import ports
from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx

Json = dict[str, typing.Any]
PAGE = "https://status.test"


def _uptime(daemon: Daemon, *words: str) -> dict[str, Json]:
    done = daemon.cli("uptime", *words, "--json")
    return {one["site"]: one for one in json.loads(done.stdout).get("sites", ())}


def _data(daemon: Daemon) -> dict[str, Json]:
    """The shown sites by name; nothing while there is no page."""
    answer = daemon.get(f"{PAGE}/status.json")
    if answer.status_code != 200:
        return {}
    return {site["name"]: site for group in answer.json()["groups"] for site in group["sites"]}


def _config(port: int, *, maintained: bool = False, title: str = "<b>Ours</b>") -> str:
    closed = ", maintenance: {until: 2099-01-01T00:00Z}" if maintained else ""
    return f"""
status_page:
  host: status.test
  title: "{title}"
  sites: [{{host: good.test, name: "Shop & more"}}, {{title: Inner, sites: [bad.test, absent.test]}}]
sites:
  good.test: {{routes: {{/: {{redirect: 'https://sign.test/good', status: 302}}}}{closed}}}
  bad.test: http://127.0.0.1:{port}
{signpost("hidden.test", "hidden")}"""


def test_the_page_lives_when_the_daemon_does_not(daemon: Daemon) -> None:
    port = ports.free_port()
    daemon.write(_config(port))
    daemon.up("https://good.test/")
    assert daemon.cli("uptime").returncode == 0  # nothing is known yet, which is no error
    daemon.wait(lambda: _data(daemon).get("bad.test", {}).get("state") == "down", "the page with what was seen")
    shown = _data(daemon)
    assert {name: one["state"] for name, one in shown.items()} == {
        "Shop & more": "up",
        "bad.test": "down",
        "absent.test": "not watched",
    }

    page = daemon.get(f"{PAGE}/", Accept_Language="fr, en;q=0.5")
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'; script-src 'self'")
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == "no-cache"
    assert "Not reachable: bad.test" in page.text
    assert "&lt;b&gt;Ours&lt;/b&gt;" in page.text
    assert not [one for one in ("hidden.test", "good.test", str(port), "refuse") if one in page.text]
    korean = daemon.get(f"{PAGE}/", Accept_Language="ko-KR, ko;q=0.9")
    assert (korean.status_code, korean.headers["Location"]) == (302, "/ko")
    assert '<html lang="ko">' in daemon.get(f"{PAGE}/ko").text
    feed = daemon.get(f"{PAGE}/incidents.atom")
    assert feed.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    assert ET.fromstring(feed.text).findtext("{*}entry/{*}title") == "bad.test: not reachable"
    for path, kind in (("/status.css", "text/css"), ("/status.js", "text/javascript")):
        assert daemon.get(f"{PAGE}{path}").headers["Content-Type"] == f"{kind}; charset=utf-8"
    for path in ("/en.html", "/.~en.html", "/../store/", "/status.json/x", "/index.html"):
        assert daemon.get(f"{PAGE}{path}").status_code in {400, 404}
    assert daemon.get("http://status.test/").status_code == 301

    known = _uptime(daemon)
    assert (known["good.test"]["state"], known["bad.test"]["state"]) == ("up", "down")
    text = daemon.cli("uptime").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "bad.test" in text
    details = daemon.cli("uptime", "bad.test").stdout
    assert f"127.0.0.1:{port}" in details
    assert max(len(line) for line in details.splitlines() if f"{port}" not in line) <= 80
    assert daemon.cli("uptime", "nobody.test").returncode == 1

    daemon.kill()
    dead = daemon.get(f"{PAGE}/en")
    assert dead.status_code == 200
    assert "Not reachable: bad.test" in dead.text
    assert json.loads(daemon.cli("uptime", "bad.test", "--json").stdout)["sites"][0]["down_s"] >= 0

    daemon.write(_config(port, maintained=True, title="Later"))
    daemon.start()
    daemon.wait(lambda: _data(daemon).get("Shop & more", {}).get("state") == "maintenance", "maintenance")
    assert _data(daemon)["Shop & more"]["maintenance_until"] == "2099-01-01T00:00:00Z"
    assert "maintenance until 01 Jan 2099" in daemon.get(f"{PAGE}/en").text
    incidents = _uptime(daemon, "bad.test")["bad.test"]["incidents"]
    assert [(one["state"], one["to"]) for one in incidents] == [("down", None)]  # the same as before

    folder = daemon.state / "status-page"
    assert folder.stat().st_mode & 0o777 == 0o755
    daemon.write("sites:\n" + signpost("good.test", "good"))
    daemon.wait(lambda: not folder.exists(), "the end of the page")
