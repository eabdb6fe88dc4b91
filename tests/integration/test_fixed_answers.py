"""What clients receive where the gate itself answers: `respond` and `deny`, in the open and behind `access`."""

import collections.abc
import os

import httpx
import pytest

from daemun.core import model
from daemun.core.options import access_option, catalogue, respond_form, trusted_proxies_option
from daemun.sources import yaml_file
from tests.support import rendered
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

HOME, STRANGER = "192.168.1.7", "198.51.100.7"
BODY = 'first "line" \\ $host ${uri} {x;}\n\tsecond: 한글 $1\n'


METHODS = """
sites:
  methods.test:
    /upload/:
      - {when: {method: PUT}, respond: 204}
      - {respond: 405, response_headers: {Allow: PUT}}
"""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> collections.abc.Iterator[rendered.Running]:
    folder = tmp_path_factory.mktemp("answers")
    for part in (folder, *folder.parents):
        if part.owner() == folder.owner():
            part.chmod(part.stat().st_mode | 0o055)
    page = folder / "sor$ry 1.html"
    page.write_text("<p>closed")
    page.chmod(0o644)
    link = folder / "link.html"
    link.symlink_to("/etc/hostname")
    if os.geteuid() == 0:
        os.lchown(link, 65534, 65534)
    routes = (
        route("/none", model.Respond(status=204)),
        route("/text", model.Respond(body=BODY), response_headers=(("X-Own", "1"),)),
        route("/json", model.Respond(status=201, body="{}", media_type="application/json")),
        route("/html", model.Respond(status=404, body="<p>", media_type="text/html")),
        route("/file/", model.Respond(status=503, file=str(page)), response_headers=(("X-Own", "1"),)),
        route("/typed/", model.Respond(file=str(page), media_type="text/x-own")),
        route("/link/", model.Respond(file=f"{folder}/link.html", trusted=str(folder))),
        route("/missing/", model.Respond(file=f"{folder}/none.html")),
        route("/denied/", respond_form.DENIAL),
        route("/denied/but/", model.Respond(body="in")),
        route("/gone", model.Respond(status=410)),
        route("/closed/", model.Respond(status=503), response_headers=(("Retry-After", "3600"), ("X-Site", ""))),
        route("/teapot/", model.Respond(status=418), response_headers=(("X-Own", "1"),)),
        *(route(f"/status/{one}/", model.Respond(status=one)) for one in (400, 401, 404, 414, 418, 451, 501, 599)),
    )
    private = catalogue.values(access_option.OPTION.set(access_option.Access(allow=("private",))))
    trusted = model.Globals(options=catalogue.values(trusted_proxies_option.OPTION.set(("127.0.0.1",))))
    more = {"response_headers": (("X-Site", "1"),)}
    (chosen,) = yaml_file.parse(METHODS, file_name="daemun.yaml", base_dir="/").sites
    sites = (site("open.test", *routes, **more), site("home.test", *routes, options=private, **more), chosen)
    with rendered.running(*sites, settings=trusted) as nginx:
        yield nginx


def fetch(gate: rendered.Running, url: str, visitor: str, **headers: str) -> httpx.Response:
    return gate.ask("GET", url, headers={"X-Forwarded-For": visitor, **headers})


@pytest.mark.parametrize(
    ("path", "status", "kind", "body"),
    [
        ("/none", 204, None, ""),
        ("/text", 200, "text/plain; charset=utf-8", BODY),
        ("/text/under?x=1", 200, "text/plain; charset=utf-8", BODY),
        ("/json", 201, "application/json", "{}"),
        ("/html", 404, "text/html; charset=utf-8", "<p>"),
        ("/file/any/thing.txt", 503, "text/html", "<p>closed"),
        ("/typed/", 200, "text/x-own", "<p>closed"),
        ("/denied/but/", 200, "text/plain; charset=utf-8", "in"),
    ],
)
@pytest.mark.parametrize("host", ["open.test", "home.test"])
def test_an_answer_is_as_written_for_whom_access_lets_in(
    gate: rendered.Running, host: str, path: str, status: int, kind: str | None, body: str
) -> None:
    answer = fetch(gate, f"https://{host}{path}", HOME)
    assert (answer.status_code, answer.headers.get("Content-Type"), answer.text) == (status, kind, body)
    if path in {"/text", "/file/any/thing.txt"}:
        assert answer.headers["X-Own"] == "1"
    if host == "home.test":
        refused = fetch(gate, f"https://{host}{path}", STRANGER)
        assert refused.status_code == 403
        assert not body or body not in refused.text


@pytest.mark.parametrize("host", ["open.test", "home.test"])
def test_what_is_denied_is_for_nobody_whatever_the_method(gate: rendered.Running, host: str) -> None:
    for path, status in (("/denied/", 403), ("/denied/x", 403), ("/gone", 410)):
        for method in ("GET", "POST", "PUT"):
            answer = gate.ask(method, f"https://{host}{path}", headers={"X-Forwarded-For": HOME})
            assert answer.status_code == status, (path, method)
    page = fetch(gate, f"https://{host}/denied/", HOME, Accept="text/html")
    assert "Not allowed" in page.text


def test_a_body_is_sent_to_whoever_sends_one(gate: rendered.Running) -> None:
    answer = gate.ask("POST", "https://open.test/text", body=b"x" * 5000)
    assert (answer.status_code, answer.text) == (200, BODY)
    assert gate.ask("HEAD", "https://open.test/file/").status_code == 503
    assert gate.ask("POST", "https://open.test/file/", body=b"x").text == "<p>closed"


def test_a_file_comes_from_nowhere_else(gate: rendered.Running) -> None:
    """A link that another account could have made leads nowhere, and what is missing is 404."""
    assert gate.get("https://open.test/link/").status_code == 404
    assert gate.get("https://open.test/missing/").status_code == 404
    found = [line for line in gate.files["sites/open.test.conf"].decode().split() if line.startswith("/.daemun-answer")]
    assert found
    for place in found:
        assert gate.get(f"https://open.test{place.rstrip(';')}").status_code == 404


@pytest.mark.parametrize("host", ["open.test", "home.test"])
@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/gone", "Gone"),
        ("/status/400/", "Not possible here"),
        ("/status/401/", "Please sign in"),
        ("/status/404/", "Not found"),
        ("/status/414/", "Not possible here"),
        ("/status/418/", "Not possible here"),
        ("/status/451/", "Not available here"),
        ("/status/501/", "Something went wrong"),
        ("/status/599/", "Something went wrong"),
    ],
)
def test_a_status_alone_has_a_page_of_the_gate(gate: rendered.Running, host: str, path: str, title: str) -> None:
    answer = fetch(gate, f"https://{host}{path}", HOME, Accept="application/json")
    assert (answer.json()["status"], answer.json()["error"]) == (answer.status_code, title)
    assert title in fetch(gate, f"https://{host}{path}", HOME, Accept="text/html").text
    assert "nginx" not in answer.text


@pytest.mark.parametrize("host", ["open.test", "home.test"])
def test_a_status_alone_has_the_headers_of_its_route(gate: rendered.Running, host: str) -> None:
    closed = fetch(gate, f"https://{host}/closed/x", HOME, Accept="text/html")
    assert (closed.status_code, closed.headers["Retry-After"]) == (503, "3600")
    assert "<h1>Temporarily not available</h1>" in closed.text
    assert "X-Site" not in closed.headers
    teapot = fetch(gate, f"https://{host}/teapot/", HOME, Accept="application/json")
    assert (teapot.json()["status"], teapot.headers["X-Own"], teapot.headers["X-Site"]) == (418, "1", "1")
    assert "X-Own" not in fetch(gate, f"https://{host}/status/404/", HOME).headers


def test_one_of_several_routes_says_which_methods_there_are(gate: rendered.Running) -> None:
    answer = gate.ask("POST", "https://methods.test/upload/x", headers={})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "PUT")
    assert gate.ask("PUT", "https://methods.test/upload/x", headers={}).status_code == 204
