"""`maintenance`: what may be written, what is refused, and how a command switches it in the file."""

import datetime
import pathlib
import re

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core.options import maintenance_option
from daemun.core.options.maintenance_option import Maintenance
from daemun.core.options.page_file import PageFile
from daemun.core.render import maintenance_lines
from daemun.errors import ConfigError
from daemun.sources import yaml_edit, yaml_file
from tests.support import sites

NINE = datetime.datetime(2026, 12, 31, 9, tzinfo=datetime.UTC)
PAGE = PageFile(path="/etc/daemun/soon.html")


def read(written: str) -> tuple[Maintenance, list[str]]:
    text = f"sites:\n  a.test:\n    maintenance: {written}\n    routes: {{/: http://127.0.0.1:1}}\n"
    snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")
    held = maintenance_option.OPTION.of(snapshot.sites[0]) if snapshot.sites else Maintenance()
    return held, [problem.message for problem in snapshot.problems]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", Maintenance()),
        ("false", Maintenance(on=False)),
        ("./soon.html", Maintenance(page=PAGE)),
        ("soon.html", Maintenance(page=PAGE)),
        ("back soon.html", Maintenance(page=PageFile(path="/etc/daemun/back soon.html"))),
        ("./we are closed", Maintenance(page=PageFile(path="/etc/daemun/we are closed"))),
        ("{page: soon.html, on: false}", Maintenance(on=False, page=PAGE)),
        ("{until: 2026-12-31T18:00+09:00}", Maintenance(until=NINE)),
        ("{until: '2026-12-31 09:00:00Z'}", Maintenance(until=NINE)),
        ("{allow: [private, 203.0.113.7]}", Maintenance(allow=("private", "203.0.113.7"))),
        ("{allow: 10.0.0.0/8}", Maintenance(allow=("10.0.0.0/8",))),
    ],
)
def test_forms(written: str, meant: Maintenance) -> None:
    assert read(written) == (meant, [])


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("{until: 2026-12-31 18:00}", "has no time zone; write it as"),
        ("{until: tomorrow}", "expected a time such as 2026-12-31T18:00+09:00"),
        ("{until: '9999-12-31T23:59:59-14:00'}", "expected a time of the years 1 to 9999 in UTC"),
        ("{until: 9999-12-31T23:59:59-14:00}", "expected a time of the years 1 to 9999 in UTC"),
        ("{until: 0001-01-01T00:00:00+14:00}", "expected a time of the years 1 to 9999 in UTC"),
        ("{allow: public}", "write `maintenance: false`"),
        ("{allow: 10.0.0.1/8}", 'write "10.0.0.0/8"'),
        ("{alow: private}", 'did you mean "allow"?'),
        ("off", 'expected true, false, a file or a map, found the text "off"; write false'),
        ("No", 'found the text "No"; write false'),
        ("on", 'found the text "on"; write true'),
        ("{page: off}", 'expected a file, found the text "off"; for the gate\'s own page, leave it out'),
        ("We are closed.", 'expected a file, found the text "We are closed."; put the text in one'),
        ("{page: Back at 9.30 tomorrow}", "put the text in one"),
        ("[true]", "expected true, false, a file or a map"),
    ],
)
def test_what_is_refused(written: str, words: str) -> None:
    _, found = read(written)
    assert len(found) == 1
    assert words in found[0]


@pytest.mark.parametrize(
    ("before", "closed", "opened"),
    [
        (
            "  a.test: http://a  # mine\n",
            "  a.test:  # mine\n    maintenance: true\n    routes:\n      /: http://a\n",
            "  a.test:  # mine\n    maintenance: false\n    routes:\n      /: http://a\n",
        ),
        (
            "  a.test:\n    # mine\n    /: http://a\n",
            "  a.test:\n    # mine\n    maintenance: true\n    routes:\n      /: http://a\n",
            "  a.test:\n    # mine\n    maintenance: false\n    routes:\n      /: http://a\n",
        ),
        (
            "  a.test: {routes: {/: http://a}, maintenance: {page: x.html, on: false}}\n",
            "  a.test: {routes: {/: http://a}, maintenance: {page: x.html, on: true}}\n",
            "  a.test: {routes: {/: http://a}, maintenance: {page: x.html, on: false}}\n",
        ),
        (
            "  a.test:\n    maintenance: false  # soon\n    routes: {/: http://a}\n",
            "  a.test:\n    maintenance: true  # soon\n    routes: {/: http://a}\n",
            "  a.test:\n    maintenance: false  # soon\n    routes: {/: http://a}\n",
        ),
    ],
)
def test_the_command_changes_that_alone(tmp_path: pathlib.Path, before: str, closed: str, opened: str) -> None:
    file = tmp_path / "daemun.yaml"
    file.write_text(f"sites:\n{before}")
    yaml_edit.set_maintenance(file, "a.test", is_on=False)
    assert file.read_text() == f"sites:\n{before}"
    for _ in range(2):
        yaml_edit.set_maintenance(file, "A.test", is_on=True)
        assert file.read_text() == f"sites:\n{closed}"
    yaml_edit.set_maintenance(file, "a.test", is_on=False)
    assert file.read_text() == f"sites:\n{opened}"


@pytest.mark.parametrize(
    ("written", "opened"),
    [
        ("./soon.html  # a page", '  # a page\n      on: false\n      page: "./soon.html"'),
        ("{allow: private, page: a.html}", " {on: false, allow: private, page: a.html}"),
        ("\n      allow: private\n      page: a.html", "\n      on: false\n      allow: private\n      page: a.html"),
    ],
)
def test_what_is_written_besides_stays(tmp_path: pathlib.Path, written: str, opened: str) -> None:
    file = tmp_path / "daemun.yaml"
    site = "sites:\n  a.test:\n    maintenance:{}\n    routes: {{/: http://a}}\n"
    file.write_text(site.format(f" {written}" if not written.startswith("\n") else written))
    yaml_edit.set_maintenance(file, "a.test", is_on=False)
    assert file.read_text() == site.format(opened)
    yaml_edit.set_maintenance(file, "a.test", is_on=True)
    assert file.read_text() == site.format(opened.replace("on: false", "on: true"))


def test_a_site_that_is_not_there(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "daemun.yaml"
    file.write_text("sites: {a.test: http://a}\n")
    with pytest.raises(ConfigError, match=r'^cannot close "b.test": there is no such site'):
        yaml_edit.set_maintenance(file, "b.test", is_on=True)


@pytest.mark.parametrize("written", ["off", "no", "on", '"off"'])
def test_a_command_replaces_a_word_of_yaml_1_1(tmp_path: pathlib.Path, written: str) -> None:
    file = tmp_path / "daemun.yaml"
    site = "sites:\n  a.test:\n    maintenance: {}\n    routes: {{/: http://a}}\n"
    file.write_text(site.format(written))
    yaml_edit.set_maintenance(file, "a.test", is_on=True)
    assert file.read_text() == site.format("true")


def test_a_list_is_for_a_person(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "daemun.yaml"
    text = "sites:\n  a.test:\n    maintenance: [private]\n    routes: {/: http://a}\n"
    file.write_text(text)
    yaml_edit.set_maintenance(file, "a.test", is_on=True)
    with pytest.raises(ConfigError, match=r'^cannot open "a.test": .* by hand'):
        yaml_edit.set_maintenance(file, "a.test", is_on=False)
    assert file.read_text() == text


@hypothesis.given(strategies.integers(0, 1 << 40), strategies.integers(-2000, 2000) | strategies.integers(0, 1 << 41))
def test_nginx_compares_times(until: int, more: int) -> None:
    """By a regular expression."""
    now = max(until + more, 0)
    found = re.match(rf"{maintenance_lines.at_least(until)}\.", f"{now}.123")
    assert (found is not None) is (now >= until)


def test_one_that_is_over(tmp_path: pathlib.Path) -> None:
    held, _ = read("{until: 2026-12-31T18:00+09:00}")
    assert [held.is_closed(NINE + datetime.timedelta(seconds=one)) for one in (-1, 0, 1)] == [True, False, False]
    assert not Maintenance(on=False).is_closed(NINE)
    site = sites.site("a.test", "http://127.0.0.1:1", maintenance=held)
    assert maintenance_option.find_over(site, NINE - datetime.timedelta(seconds=1)) is None
    assert "ended at 2026-12-31 09:00 UTC, so the site is open" in (maintenance_option.find_over(site, NINE) or "")
    file = tmp_path / "daemun.yaml"
    file.write_text(
        "sites: {a.test: {maintenance: {until: 2026-01-01T00:00Z, on: false}, routes: {/: 'http://127.0.0.1:1'}}}\n"
    )
    with pytest.raises(ConfigError, match=r'^cannot close "a.test": `until` of its `maintenance` has passed'):
        yaml_edit.set_maintenance(file, "a.test", is_on=True)


@hypothesis.given(moment=strategies.datetimes(timezones=strategies.timezones()))
def test_any_time_is_read_or_refused(moment: datetime.datetime) -> None:
    held, problems = read(f"{{until: '{moment.isoformat()}'}}")
    assert (held.until is None) is bool(problems)
    if held.until is not None:
        assert re.search(maintenance_lines.at_least(int(held.until.timestamp())), "9" * 12)
