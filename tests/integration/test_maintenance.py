"""`maintenance`: what visitors of a closed site receive, and who comes in all the same."""

import collections.abc
import datetime
import pathlib
import re
import tempfile

import pytest

from daemun.core import model
from daemun.core.options import access_option, catalogue
from daemun.core.options.access_option import Access
from daemun.core.options.errors_option import ErrorPages
from daemun.core.options.maintenance_option import Maintenance
from daemun.core.options.page_file import PageFile
from tests.support import echo, rendered, until
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

UNTIL = datetime.datetime(2099, 12, 31, 9, tzinfo=datetime.UTC)
PAST = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
TOKEN = "a" * 43


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@pytest.fixture(scope="module")
def gate(one: echo.EchoServer) -> collections.abc.Iterator[rendered.Running]:
    with tempfile.TemporaryDirectory(prefix="dm-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        (folder / "soon.html").write_text("back soon")
        (folder / "sorry.html").write_text("sorry")
        page = PageFile(path=str(folder / "soon.html"))
        sorry = ErrorPages(pages=(("5xx", PageFile(path=str(folder / "sorry.html"))),))
        inside = catalogue.values(access_option.OPTION.set(Access(allow=("203.0.113.0/24",))))
        routes = (
            route("/", one.url),
            route("/files/", model.Files(folder=name)),
            route("/moved/", model.Redirect(to="/")),
            route("/inside/", one.url, options=inside),
        )
        sites = (
            site("closed.test", *routes, maintenance=Maintenance(until=UNTIL), response_headers=(("X-Site", "1"),)),
            site("over.test", *routes, maintenance=Maintenance(until=PAST, page=page)),
            site("ending.test", *routes, maintenance=Maintenance(until=_now() + datetime.timedelta(seconds=2))),
            site("page.test", *routes, maintenance=Maintenance(page=page), errors=sorry),
            site("sorry.test", *routes, maintenance=Maintenance(), errors=sorry, http=model.HttpMode.SERVE),
            site("others.test", *routes, maintenance=Maintenance(allow=("203.0.113.0/24", "::1"))),
            site("allowed.test", *routes, maintenance=Maintenance(page=page, allow=("127.0.0.0/8",))),
            site("open.test", *routes, maintenance=Maintenance(on=False, page=page)),
        )
        with rendered.running(*sites) as running:
            yield running


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/files/soon.html", "/moved/", "/inside/", "/none"])
def test_a_closed_site(gate: rendered.Running, method: str, path: str) -> None:
    answer = gate.ask(method, f"https://closed.test{path}", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["status"]) == (503, 503)
    assert answer.headers["Retry-After"] == "Thu, 31 Dec 2099 09:00:00 GMT"
    assert (answer.headers["Cache-Control"], answer.headers["X-Site"]) == ("no-store", "1")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://page.test/", "back soon"),
        ("https://page.test/files/soon.html", "back soon"),
        ("https://page.test/inside/", "back soon"),
        ("https://sorry.test/", "sorry"),
        ("http://sorry.test/", "sorry"),
    ],
)
def test_a_page_of_the_owner(gate: rendered.Running, method: str, url: str, text: str) -> None:
    answer = gate.ask(method, url)
    assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (503, text, "300")
    assert answer.headers["Cache-Control"] == "no-store"


def test_plain_http_leads_to_https_as_ever(gate: rendered.Running) -> None:
    assert gate.get("http://closed.test/").status_code == 301


def test_who_is_allowed_comes_in(gate: rendered.Running) -> None:
    assert gate.get("https://others.test/").status_code == 503
    assert gate.said("https://allowed.test/").path == "/"
    answer = gate.get("https://allowed.test/files/none")
    assert (answer.status_code, "Retry-After" in answer.headers) == (404, False)
    assert gate.get("https://allowed.test/inside/").status_code == 403


def test_one_that_is_off_is_open(gate: rendered.Running) -> None:
    assert gate.said("https://open.test/").path == "/"


def test_it_ends_by_itself(gate: rendered.Running) -> None:
    """Without a reload."""
    answer = gate.get("https://over.test/")
    assert (answer.status_code, "Retry-After" in answer.headers) == (200, False)
    until.true(lambda: gate.get("https://ending.test/").status_code == 200)
    assert gate.get("https://closed.test/").status_code == 503


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_challenges_are_answered(gate: rendered.Running, scheme: str) -> None:
    answer = gate.get(f"{scheme}://closed.test/.well-known/acme-challenge/{TOKEN}")
    assert answer.text == f"{TOKEN}.{rendered.THUMBPRINT}"


def test_the_path_of_the_page_opens_nothing(gate: rendered.Running) -> None:
    found = re.findall(r"location = (/.daemun-page-\w+)", gate.files["sites/page.test.conf"].decode())
    assert len(set(found)) == 2
    for place in found:
        assert gate.get(f"https://page.test{place}").status_code == 404
        assert gate.get(f"https://page.test{place}/x").status_code == 503
