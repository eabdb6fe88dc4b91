"""The public status page: what may be written, what it shows, and that nothing of others is in it."""

import dataclasses
import datetime
import json
import re
import xml.etree.ElementTree as ET

import pytest

from daemun.core import layout, model, render_environment
from daemun.core.options import status_page_option
from daemun.core.options.status_page_option import Language, ShownEntry, ShownSite, StatusPage
from daemun.core.render import render_tree
from daemun.core.rounds import merge
from daemun.core.uptime import status_report, uptime_sums
from daemun.core.uptime.site_condition import Condition
from daemun.core.validation import validate
from daemun.sources import yaml_file
from daemun.uptime import status_page_files
from tests.support import page_elements

ENVIRONMENT = render_environment.Environment(
    layout=layout.Layout(state="/var/lib/daemun"),
    nginx=render_environment.Nginx(path="/nginx", version=(1, 31, 3), features=frozenset(render_environment.Feature)),
    resolver="127.0.0.1:5301",
)
SEOUL = datetime.timezone(datetime.timedelta(hours=9))
MADE = datetime.datetime(2026, 11, 30, 9, 41, tzinfo=SEOUL)
HOSTILE = '</title><script src="https://evil.test/x.js"></script><svg onload=alert(1)> "\'& {0} {stamp}\u202e\x1b[31m'


def read(written: str, *, sites: str = "  a.test: http://127.0.0.1:1\n") -> tuple[StatusPage | None, str]:
    text = f"status_page: {written}\nsites:\n{sites}"
    snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")
    assert snapshot.globals is not None
    problems = [*snapshot.problems, *validate.find_global_problems(snapshot.globals, snapshot.sites)]
    return status_page_option.OPTION.of(snapshot.globals), "\n".join(one.message for one in problems)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("false", None),
        ("{host: s.test, sites: all}", StatusPage(host="s.test", sites=())),
        ("{host: s.test, sites: a.test}", StatusPage(host="s.test", sites=(ShownEntry(host="a.test"),))),
        (
            "{host: s.test, sites: [{host: A.test, name: Shop}, {title: Inner, sites: [b.test]}], days: 30, "
            "language: ko, title: Ours, notice: Sunday}",
            StatusPage(
                host="s.test",
                sites=(
                    ShownEntry(host="a.test", name="Shop"),
                    ShownEntry(title="Inner", sites=(ShownSite(host="b.test"),)),
                ),
                days=30,
                language=Language.KOREAN,
                title="Ours",
                notice="Sunday",
            ),
        ),
    ],
)
def test_forms(written: str, meant: StatusPage | None) -> None:
    assert read(written) == (meant, "")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("true", "expected a map such as {host: status.example.com, sites: [app.example.com]}, found true"),
        ("{sites: all}", 'status_page: "host" is missing'),
        ("{host: s.test}", 'status_page: "sites" is missing'),
        ("{host: '*.test', sites: all}", "is not one name, which the status page needs"),
        ("{host: a.test, sites: all}", "is a site already; the status page needs a name of its own"),
        ("{host: s.test, sites: all, days: 91}", "days: 91 is not between 1 and 90"),
        ("{host: s.test, sites: all, language: fr}", 'expected auto, en or ko, found the text "fr"'),
        ("{host: s.test, sites: all, title: ''}", "is empty; write something, or leave it out"),
        ("{host: s.test, sites: [a.test, a.test]}", '"a.test" is there twice; leave one out'),
        ("{host: s.test, sites: [{title: x}]}", "has no sites; add `sites`, or leave the group out"),
        ("{host: s.test, sites: [{host: a.test, title: x, sites: [b.test]}]}", "either `host`, or `title` with"),
        ("{host: s.test, sites: [{name: x}]}", "either `host`, or `title` with"),
        (f"{{host: s.test, sites: [{', '.join(f'{n}.test' for n in range(201))}]}}", "expected 200 at most"),
    ],
)
def test_mistakes(written: str, words: str) -> None:
    assert words in read(written)[1]


def test_the_page_is_a_site_whose_files_nginx_has() -> None:
    text = "status_page: {host: s.test, sites: all}\nsites: {a.test: 'http://127.0.0.1:1'}\n"
    snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")
    merged = merge.merge_snapshots([snapshot])
    assert [one.host for one in merged.sites] == ["a.test", "s.test"]
    rendered = render_tree.render_files(merged, ENVIRONMENT)["sites/s.test.conf"].decode()
    assert "location = /status.json" in rendered
    assert "root /var/lib/daemun/status-page;" in rendered
    assert "default-src 'none'; style-src 'self'; script-src 'self'" in rendered
    assert "unsafe" not in rendered


@pytest.mark.parametrize(
    ("language", "first", "is_chosen"), [("auto", "en", True), ("en", "en", False), ("ko", "ko", False)]
)
def test_the_language_of_the_first_page(language: str, first: str, *, is_chosen: bool) -> None:
    text = f"status_page: {{host: s.test, sites: all, language: {language}}}\nsites: {{a.test: 'http://127.0.0.1:1'}}\n"
    merged = merge.merge_snapshots([yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")])
    rendered = render_tree.render_files(merged, ENVIRONMENT)["sites/s.test.conf"].decode()
    page = rendered.partition("location = / {")[2].partition("\n    }")[0]
    assert f"try_files /{first}.html =503;" in page
    assert ("return 302 /ko;" in page) is is_chosen


def test_conditions_of_the_gate_hold_there_but_for_those_of_a_judge() -> None:
    text = (
        "access: {allow: [private], basic_auth: {users: {ann: '$2y$05$"
        + "x" * 53
        + "'}}}\nstatus_page: {host: s.test, sites: all}\nsites: {a.test: 'http://127.0.0.1:1'}\n"
    )
    merged = merge.merge_snapshots([yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")])
    rendered = render_tree.render_files(merged, ENVIRONMENT)["sites/s.test.conf"].decode()
    assert "deny all;" in rendered
    assert "auth_request" not in rendered


def test_no_container_takes_its_host() -> None:
    page = status_page_option.OPTION.set(StatusPage(host="s.test", sites=()))
    settings = model.Globals(options=(page,))
    route = model.Route(path="/", action=model.Redirect(to="https://a.test/"))
    container = model.Site(host="s.test", routes=(route,), origin=model.Origin(source=model.CONTAINERS))
    merged = merge.merge_snapshots(
        [model.Snapshot(source="file", globals=settings), model.Snapshot(source="docker", sites=(container,))]
    )
    assert [one.origin for one in merged.sites] == [status_page_option.ORIGIN]
    assert "is where the status page is (`status_page` in daemun.yaml)" in merged.problems[0].message


# --- what it shows ---------------------------------------------------------------------------------------------


def days(*down_s: float) -> tuple[uptime_sums.DayUptime, ...]:
    first = MADE.date() - datetime.timedelta(days=len(down_s) - 1)
    return tuple(
        uptime_sums.make_day(first + datetime.timedelta(days=index), 86400.0, down_s=one)
        for index, one in enumerate(down_s)
    )


def incident(number: int, host: str, *, minutes: float | None, began: datetime.datetime = MADE) -> uptime_sums.Incident:
    ended = None if minutes is None else began + datetime.timedelta(minutes=minutes)
    return uptime_sums.Incident(
        number=number,
        site=host,
        condition=Condition.DOWN,
        began=began,
        ended=ended,
        seconds=60.0,
        cause="10.9.8.7:8080 refuses connections",
    )


SHOP = uptime_sums.SiteUptime(
    site="shop.test",
    condition=Condition.DOWN,
    days=days(0.0, 864.0, 0.0),
    incidents=(
        incident(2, "shop.test", minutes=None),
        incident(1, "shop.test", minutes=150),
        incident(3, "shop.test", minutes=0.5),
    ),
)
HIDDEN = dataclasses.replace(SHOP, site="hidden.test", incidents=(incident(9, "hidden.test", minutes=5),))
PAGE = StatusPage(
    host="s.test",
    sites=(ShownEntry(host="shop.test", name="Shop"), ShownEntry(title="Inside", sites=(ShownSite(host="new.test"),))),
    days=3,
)


def report(page: StatusPage = PAGE) -> status_report.StatusReport:
    uptime = uptime_sums.Uptime(seen_at=MADE, sites=(HIDDEN, SHOP))
    return status_report.make(page, status_report.choose(page, ()), uptime, (), MADE)


def files(page: StatusPage = PAGE) -> dict[str, str]:
    return {name: content.decode() for name, content in status_page_files.render(report(page), page.language).items()}


def test_nothing_of_others_and_no_cause_is_in_any_file() -> None:
    for name, text in files().items():
        assert not re.search(r"hidden\.test|shop\.test|10\.9\.8\.7|8080|refuses", text), name


def test_the_page_in_two_languages() -> None:
    made = files()
    assert '<html lang="en">' in made["en.html"]
    assert "Not reachable: Shop" in made["en.html"]
    assert "As of 30 Nov 2026, 09:41 (UTC+09:00)" in made["en.html"]
    assert "99.66 % in 3 days; days with an outage: 29 Nov" in made["en.html"]
    assert "30 Nov 2026, 09:41, for 2 h 30 min" in made["en.html"]
    assert '<html lang="ko">' in made["ko.html"]
    assert "접속할 수 없는 서비스: Shop" in made["ko.html"]
    assert "2026년 11월 30일 09:41 (UTC+09:00) 기준" in made["ko.html"]
    assert "2026년 11월 30일 09:41, 2시간 30분 동안" in made["ko.html"]
    assert made["en.html"].count("<li>") == 2 + 2  # half a minute is no incident


def test_hostile_texts_are_texts() -> None:
    hostile = StatusPage(
        host="s.test",
        title=HOSTILE[:100],
        notice=HOSTILE,
        sites=(ShownEntry(title=HOSTILE, sites=(ShownSite(host="shop.test", name=HOSTILE),)),),
        days=3,
    )
    plain = dataclasses.replace(
        hostile, title="t", notice="n", sites=(ShownEntry(title="g", sites=(ShownSite(host="shop.test", name="s"),)),)
    )
    for name, text in files(hostile).items():
        if name.endswith(".html"):
            tags = [(tag, sorted(attributes)) for tag, attributes in page_elements.Elements(text).found]
            assert tags == [
                (tag, sorted(attributes)) for tag, attributes in page_elements.Elements(files(plain)[name]).found
            ]
            assert "\u202e" not in text
            assert "\x1b" not in text
        elif name.endswith(".atom"):
            titles = ET.fromstring(text).findall("{*}entry/{*}title")
            assert titles[0].text is not None
            assert '<script src="https://evil.test/x.js">' in titles[0].text
        elif name.endswith(".json"):
            assert json.loads(text)["groups"][0]["sites"][0]["name"] == HOSTILE


def test_a_page_needs_nothing_from_elsewhere_and_nothing_inline() -> None:
    for name in ("en.html", "ko.html"):
        found = page_elements.Elements(files()[name]).found
        assert not [tag for tag, attributes in found if {"style", "onclick", "onload"} & attributes.keys()]
        assert {tag for tag, _ in found} & {"style", "iframe", "img", "form"} == set()
        links = [attributes[key] for _, attributes in found for key in ("href", "src") if key in attributes]
        assert all(one is not None and one.startswith("/") for one in links)
        assert [tag for tag, _ in found].count("h1") == 1


def test_the_feed_is_atom() -> None:
    feed = ET.fromstring(files()["incidents.atom"])
    assert feed.tag == "{http://www.w3.org/2005/Atom}feed"
    entries = feed.findall("{*}entry")
    assert [one.findtext("{*}id") for one in entries] == [
        "tag:s.test,2026-11-30:incident/2",
        "tag:s.test,2026-11-30:incident/1",
    ]
    assert feed.findtext("{*}updated") == "2026-11-30T03:11:00Z"
    assert entries[1].findtext("{*}title") == "Shop: not reachable"


def test_the_data() -> None:
    found = json.loads(files()["status.json"])
    assert found["as_of"] == "2026-11-30T00:41:00Z"
    assert found["state"] == "down"
    (shop,), (new,) = (group["sites"] for group in found["groups"])
    assert shop == {
        "name": "Shop",
        "state": "down",
        "uptime_percent": 99.66,
        "maintenance_until": None,
        "from_day": "2026-11-28",
        "bars": "|X|",
    }
    assert (new["name"], new["state"], new["bars"]) == ("new.test", "not watched", "...")


def test_all_are_those_of_the_gate_without_its_own() -> None:
    page = StatusPage(host="s.test", sites=())
    statuses = tuple(
        model.SiteStatus(site=model.Site(host=host, routes=(), origin=origin), state=state)
        for host, origin, state in (
            ("b.test", model.Origin(source="file"), model.SiteState.LIVE),
            ("a.test", model.Origin(source="file"), model.SiteState.UNREACHABLE),
            ("off.test", model.Origin(source="file"), model.SiteState.DISABLED),
            ("s.test", status_page_option.ORIGIN, model.SiteState.LIVE),
        )
    )
    assert status_report.choose(page, statuses) == ((None, (ShownSite(host="a.test"), ShownSite(host="b.test"))),)
