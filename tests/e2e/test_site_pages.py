"""The page of one site as a visitor of the dashboard gets it, through nginx: six parts, hostile lines, a live log, and
what can be done with a site."""

import collections.abc
import itertools
import pathlib
import urllib.parse

import httpx
import pytest

from daemun.dashboard import site_view
from tests.e2e import servers
from tests.support import daemon as daemon_support
from tests.support import dashboard_visitor, english_words, page_elements, site_visitor

pytestmark = pytest.mark.nginx

Elements = page_elements.Elements

PARTS = ("", "/traffic", "/log", "/certificate", "/files", "/why")
HOSTILE = "<script>alert(1)</script>\x1b[31m'\"{{7*7}}"


class Place:
    def __init__(self, daemon: daemon_support.Daemon, server: str, visitor: dashboard_visitor.DashboardVisitor) -> None:
        self.daemon = daemon
        self.visitor = visitor
        self.file = f"""\
sites:
  # the chat
  chat.test:
    aliases: [www.chat.test]
    request_headers: {{X-Api-Key: "verysecretvalue"}}
    routes:
      /: {server}
      /dead/: {{to: "http://127.0.0.1:1", hold: off, access: {{allow: private}}}}
  other.test: {{routes: {{/: {{redirect: https://chat.test/}}}}}}
"""
        daemon.write(self.file)
        daemon.up("https://chat.test/", "https://other.test/")
        self.visitor.enter()

    def page(self, part: str, language: str = "en") -> Elements:
        answer = self.visitor.get(f"/sites/chat.test{part}", **{"Accept-Language": language})
        assert answer.status_code == 200, answer.text
        found = Elements(answer.text)
        assert found.faults() == []
        return found

    def wait_row(self, beginning: str) -> None:
        """nginx answers before its line is in the log, and its workers write each for itself."""

        def is_there() -> bool:
            rows = self.visitor.api("/sites/chat.test/log")["rows"]
            return any(one["uri"].startswith(beginning) for one in rows if one["kind"] == "request")

        self.daemon.wait(is_there, f"the line of {beginning[:50]}")


@pytest.fixture(scope="module")
def place() -> collections.abc.Iterator[Place]:
    with (
        daemon_support.new_daemon() as daemon,
        servers.running("home") as server,
        dashboard_visitor.visiting(daemon) as visitor,
    ):
        yield Place(daemon, server.url, visitor)


def _message(place: Place, answer: httpx.Response) -> str:
    """The text of the page after a change."""
    return Elements(place.visitor.follow(answer).text).text


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("part", PARTS)
def test_every_part_in_both_languages(place: Place, part: str, language: str) -> None:
    page = place.page(part, language)
    assert "chat.test" in page.text
    assert f"/sites/chat.test{part}" in page.addresses()
    assert not [text for text in ("{n}", "{values}", "{detail}", "None") if text in page.text]


def test_who_has_not_signed_in_is_led_there(place: Place) -> None:
    answer = place.daemon.get(f"{place.visitor.base}/sites/chat.test/log?status=5xx")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/enter?next=%2Fsites%2Fchat.test%2Flog%3Fstatus%3D5xx"


def test_a_dead_server_stands_in_picture_list_and_history(place: Place) -> None:
    def is_seen() -> bool:
        rows = place.visitor.api("/sites/chat.test/routes")["rows"]
        return [one["lamp"] for one in rows] == ["good", "bad"]

    place.daemon.wait(is_seen, "both servers were looked at")
    page = place.page("")
    assert page.text.count("127.0.0.1:1 ") >= 1
    assert "only from private" in page.text
    assert "daemun status chat.test" in page.text
    found = place.visitor.api("/sites/chat.test/servers")
    (dead,) = next(one["servers"] for one in found["routes"] if one["path"] == "/dead/")
    assert [one["state"] for one in dead["changes"]] == ["refused"]
    kinds = [attributes.get("class") for tag, attributes in page.found if tag == "path"]
    assert "link bad" in kinds
    assert "link good" in kinds


def test_requests_are_counted_over_time(place: Place) -> None:
    for _ in range(3):
        place.daemon.get("https://chat.test/counted")
    place.daemon.wait(
        lambda: sum(place.visitor.api("/sites/chat.test/traffic?span=hour")["columns"]["requests"]) >= 3,
        "they are counted",
    )
    for span in site_view.SPANS:
        page = place.page(f"/traffic?span={span}")
        assert "daemun traffic chat.test" in page.text
    graphs = [attributes for tag, attributes in page.found if tag == "traffic-graph"]
    assert [one["unit"] for one in graphs][:3] == ["number", "seconds", "size"]


def test_hostile_lines_are_text(place: Place) -> None:
    path = "/" + urllib.parse.quote(HOSTILE, safe="")
    place.daemon.get(f"https://chat.test{path}", User_Agent=HOSTILE.replace("\x1b", ""))
    place.daemon.get(f"https://chat.test/{'a' * 3000}")
    place.daemon.get("https://chat.test/?token=verysecretvalue")
    for beginning in ("/?token=verysecretvalue", f"/{'a' * 400}"):
        place.wait_row(beginning)
    # What a server or a fault of nginx writes raw.
    log = pathlib.Path(place.daemon.state, "logs", "error.log")
    with log.open("a") as out:
        out.write(
            f"2099/01/01 00:00:00 [error] 1#1: *1 {HOSTILE}, client: 192.0.2.1, server: chat.test, "
            f'request: "GET /{HOSTILE} HTTP/1.1", host: "chat.test"\n'
        )
    page = place.page("/log")
    assert "<script>alert(1)</script>" in page.text
    assert "\x1b" not in page.text
    assert "a" * 400 in page.text
    assert "a" * 600 not in page.text
    found = place.page("/log?text=counted")
    assert "<script>" not in found.text


def test_a_filter_that_cannot_be_used_stays_in_the_form(place: Place) -> None:
    answer = place.visitor.get("/sites/chat.test/log?status=teapot&method=POST")
    assert answer.status_code == 400
    page = Elements(answer.text)
    assert "expected a status such as 502" in page.text.replace('"', "")
    assert page.faults() == []


def test_the_log_goes_on(place: Place) -> None:
    with site_visitor.events(place.visitor, "/sites/chat.test/log/live?text=/live-") as events:
        assert next(events)[0] == "beat"
        for number in itertools.count():
            place.daemon.get(f"https://chat.test/live-{number}")
            name, value = next(events)
            if name == "row":
                break
        assert value["uri"].startswith("/live-")


def test_a_request_is_explained_by_its_id(place: Place) -> None:
    place.daemon.get("https://chat.test/dead/?explained")
    place.wait_row("/dead/?explained")
    rows = place.visitor.api("/sites/chat.test/log?text=explained")["rows"]
    (number,) = {one["request_id"] for one in rows if one["kind"] == "request"}
    page = place.page(f"/why?subject={number}")
    assert "127.0.0.1:1" in page.text
    assert f"daemun why {number}" in page.text


def test_a_url_is_explained_and_a_hostile_one_refused(place: Place) -> None:
    answer = place.visitor.post("/sites/chat.test/why", {"subject": "https://chat.test/dead/"})
    page = Elements(answer.text)
    assert answer.status_code == 200
    assert page.faults() == []
    assert "The cause" in page.text
    refused = place.visitor.post("/sites/chat.test/why", {"subject": f"file:///etc/passwd {HOSTILE}"})
    assert refused.status_code in {400, 422}
    assert Elements(refused.text).faults() == []
    assert "<script>alert" not in refused.text


def test_files_with_their_lines(place: Place) -> None:
    page = place.page("/files")
    assert "daemun.yaml:" in page.text
    assert "# the chat" in page.text
    assert "server_name chat.test www.chat.test;" in page.text


def test_actions(place: Place) -> None:
    assert "Looked at every server" in _message(place, place.visitor.post("/sites/chat.test/probe"))
    assert "0 kept answers are forgotten" in _message(place, place.visitor.post("/sites/chat.test/purge"))
    audit = [(one["summary"], one["target"]) for one in place.visitor.api("/audit")["rows"]]
    assert ("Look at a site now, as a visitor would", "chat.test") in audit
    assert ("Forget the answers that are kept of a site", "chat.test") in audit
    closed = place.visitor.post("/sites/chat.test/draft", {"what": "close"})
    assert (closed.status_code, closed.headers["Location"].partition("?")[0]) == (303, "/changes")
    (file,) = place.visitor.api("/draft")["files"]
    assert "maintenance: true" in file["text"]
    place.visitor.post("/sites/chat.test/draft", {"what": "open"})
    (file,) = place.visitor.api("/draft")["files"]
    assert "maintenance: false" in file["text"]
    assert place.visitor.post("/sites/chat.test/draft", {"what": "rm -rf"}).status_code == 400
    elsewhere = {"Origin": "https://evil.test"}
    assert place.visitor.post("/sites/chat.test/probe", None, **elsewhere).status_code == 403


def test_a_site_that_vanishes_while_somebody_looks(place: Place) -> None:
    with site_visitor.events(place.visitor, "/sites/other.test/log/live") as events:
        assert next(events)[0] == "beat"
        place.daemon.write(place.file.partition("  other.test")[0])
        place.daemon.wait(lambda: place.visitor.get("/sites/other.test").status_code == 404, "the site is gone")
        _, value = next(one for one in events if one[0] == "end")
        assert "no site" in value["why"]
    for part in PARTS:
        answer = place.visitor.get(f"/sites/other.test{part}")
        assert answer.status_code == 404, part
        assert Elements(answer.text).faults() == []


ADDRESSES = (
    "/",
    "/sites",
    "/sites?state=trouble",
    "/certificates",
    "/certificates/chat.test",
    "/changes",
    "/changes/file",
    "/changes/form",
    "/changes/form?host=chat.test",
    "/changes/form?host=chat.test&path=/dead/",
    "/changes/add",
    "/changes/history",
    "/changes/drift",
    "/changes/compare",
    "/settings",
    "/settings/containers",
    "/settings/bans",
    "/settings/bans/attacks",
    "/settings/uptime",
    "/settings/uptime/chat.test",
    "/settings/status-page",
    "/settings/machine",
    "/settings/alerts",
    "/settings/people",
    "/settings/tokens",
    "/settings/audit",
    "/settings/sessions",
    "/search?q=chat",
    *(f"/sites/chat.test{part}" for part in PARTS),
)
OF_THE_DAEMON = (
    "refuses connections: nothing listens",
    "it refused the connection",
    "start the server, or correct the port",
    "gets no fixes since",
    "while connecting to upstream",
)
"""Its messages, and nginx's, which are in English."""


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_korean_page_has_no_english_sentence(place: Place, address: str) -> None:
    answer = place.visitor.get(address, **{"Accept-Language": "ko"})
    assert answer.status_code == 200
    found = english_words.find(answer.text)
    assert {text for text in found if not any(message in text for message in OF_THE_DAEMON)} == set()
