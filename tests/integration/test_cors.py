"""`cors`: what browsers receive for another site's script, as the Fetch standard has it (fetch.spec.whatwg.org)."""

import collections.abc
import contextlib

import httpx
import pytest

from daemun.core import model
from daemun.core.options import access_option, catalogue, cors_option
from daemun.core.options.access_option import Access
from daemun.core.options.cors_option import Cors
from daemun.core.options.forward_auth_forms import ForwardAuth, ForwardAuthKind
from tests.support import echo, header_server, judges, rendered
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

APP = "https://app.test"
NAMED = Cors(
    origins=(APP, "https://*.apps.test", "http://localhost:3000"),
    methods=("GET", "PUT"),
    headers=("X-Own", "Content-Type"),
    expose=("X-Total",),
    credentials=True,
    max_age_s=5,
)
ALL = Cors()
PREFIX = "access-control-"


def _access(**given: object) -> model.OptionValues:
    return catalogue.values(access_option.OPTION.set(Access(**given)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def judge() -> collections.abc.Iterator[judges.Judge]:
    with judges.running(judges.authelia) as running:
        yield running


@pytest.fixture(scope="module")
def gate(
    one: echo.EchoServer, judge: judges.Judge, tmp_path_factory: pytest.TempPathFactory
) -> collections.abc.Iterator[rendered.Running]:
    folder = tmp_path_factory.mktemp("files")
    for path in (folder, *folder.parents[:-1]):
        with contextlib.suppress(PermissionError):
            path.chmod(path.stat().st_mode | 0o055)
    (folder / "font.woff2").write_text("font")
    auth = ForwardAuth(kind=ForwardAuthKind.AUTHELIA, url=judge.url)
    with header_server.running() as sending:
        own = site(
            "api.test",
            route("/", one.url),
            route("/sends/", sending, response_headers=(("Vary", "X-Mine"),)),
            route("/all/", sending, cors=ALL),
            route("/none/", sending, cors=cors_option.OFF),
            route("/files/", model.Files(folder=str(folder))),
            route("/moved/", model.Redirect(to="/new/")),
            route("/denied/", model.Respond(status=403)),
            cors=NAMED,
        )
        guarded = site(
            "guarded.test",
            route("/", one.url),
            route("/moved/", model.Redirect(to="/new/")),
            route("/inside/", one.url, options=_access(allow=("203.0.113.0/24",))),
            route("/here/", one.url, options=_access(allow=("127.0.0.0/8",), forward_auth=auth)),
            route("/either/", one.url, options=_access(allow=("203.0.113.0/24",), forward_auth=auth, any=True)),
            cors=NAMED,
            options=_access(forward_auth=auth),
        )
        further = site("further.test", sending)
        settings = model.Globals(options=catalogue.values_of({"cors": ALL}))
        with rendered.running(own, guarded, further, settings=settings) as running:
            yield running


def _preflight(gate: rendered.Running, url: str, origin: str = APP, **more: str) -> httpx.Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": "PUT", **more}
    return gate.ask("OPTIONS", url, headers=headers)


def _seen(answer: httpx.Response) -> dict[str, list[str]]:
    names = dict.fromkeys(name for name in answer.headers if name.startswith(PREFIX))
    return {name.removeprefix(PREFIX): answer.headers.get_list(name) for name in names}


ALLOWED = {
    "allow-origin": [APP],
    "allow-credentials": ["true"],
    "allow-methods": ["GET, PUT"],
    "allow-headers": ["X-Own, Content-Type"],
    "max-age": ["5"],
}


@pytest.mark.parametrize("path", ["/", "/sends/", "/files/font.woff2", "/moved/"])
def test_a_preflight_is_answered_by_the_gate(gate: rendered.Running, path: str) -> None:
    answer = _preflight(gate, f"https://api.test{path}")
    assert (answer.status_code, answer.content, _seen(answer)) == (204, b"", ALLOWED)
    assert "Origin" in answer.headers.get_list("Vary")


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        (APP, True),
        ("https://a.apps.test", True),
        ("https://a.b.apps.test", True),
        ("http://localhost:3000", True),
        ("https://apps.test", False),
        ("https://evilapps.test", False),
        ("http://app.test", False),
        ("https://app.test:8443", False),
        ("https://app.test.evil.test", False),
        ("https://appxtest", False),
        ("https://evil.test/.apps.test", False),
        ("null", False),
    ],
)
def test_sites_that_are_named(gate: rendered.Running, origin: str, is_allowed: bool) -> None:
    expected = {**ALLOWED, "allow-origin": [origin]} if is_allowed else {}
    answer = _preflight(gate, "https://api.test/", origin)
    assert (answer.status_code, _seen(answer)) == (204, expected)
    answer = gate.get("https://api.test/", Origin=origin)
    known = {"allow-origin": [origin], "allow-credentials": ["true"], "expose-headers": ["X-Total"]}
    assert (answer.status_code, _seen(answer)) == (200, known if is_allowed else {})
    assert answer.headers.get_list("Vary") == ["Origin"]


def test_caches_learn_that_answers_depend_on_the_site(gate: rendered.Running) -> None:
    assert gate.get("https://api.test/").headers.get_list("Vary") == ["Origin"]
    assert sorted(gate.get("https://api.test/sends/").headers.get_list("Vary")) == ["Origin", "X-Mine"]
    assert "Vary" not in gate.get("https://api.test/all/", Origin=APP).headers


@pytest.mark.parametrize("url", ["https://api.test/all/", "https://further.test/"])
def test_everybody_may_without_credentials(gate: rendered.Running, url: str) -> None:
    answer = _preflight(gate, url, "https://any.test", **{"Access-Control-Request-Headers": "x-one, x-two"})
    assert answer.status_code == 204
    assert _seen(answer) == {
        "allow-origin": ["*"],
        "allow-methods": ["GET, HEAD, POST, PUT, PATCH, DELETE"],
        "allow-headers": ["x-one, x-two"],
        "max-age": ["600"],
    }
    assert _seen(gate.get(url)) == {"allow-origin": ["*"]}


def test_headers_of_a_server_give_way_and_none_are_two(gate: rendered.Running) -> None:
    sent = "?Access-Control-Allow-Origin=https://other.test&Access-Control-Allow-Credentials=true"
    assert _seen(gate.get(f"https://api.test/all/{sent}", Origin=APP)) == {"allow-origin": ["*"]}
    assert _seen(gate.get(f"https://api.test/none/{sent}", Origin=APP)) == {
        "allow-origin": ["https://other.test"],
        "allow-credentials": ["true"],
    }


def test_errors_are_readable_too(gate: rendered.Running) -> None:
    assert _seen(gate.get("https://api.test/sends/missing", Origin=APP))["allow-origin"] == [APP]
    missing = gate.get("https://api.test/files/none", Origin=APP)
    assert (missing.status_code, _seen(missing)["allow-origin"]) == (404, [APP])


def test_other_options_requests_reach_the_server(gate: rendered.Running) -> None:
    for headers in ({}, {"Origin": APP}, {"Access-Control-Request-Method": "PUT"}):
        assert gate.ask("OPTIONS", "https://api.test/", headers=headers).status_code == 501
    assert _preflight(gate, "https://api.test/none/").status_code == 501


@pytest.mark.parametrize("path", ["/", "/moved/", "/here/", "/either/"])
def test_a_preflight_passes_the_judge_and_no_more_does(gate: rendered.Running, judge: judges.Judge, path: str) -> None:
    before = len(judge.seen)
    answer = _preflight(gate, f"https://guarded.test{path}")
    assert (answer.status_code, answer.content, _seen(answer)) == (204, b"", ALLOWED)
    assert len(judge.seen) == before
    for headers in ({}, {"Origin": APP}, {"Access-Control-Request-Method": "PUT"}):
        assert gate.ask("OPTIONS", f"https://guarded.test{path}", headers=headers).status_code not in {200, 204}
    refused = gate.ask("PUT", f"https://guarded.test{path}", headers={"Origin": APP})
    assert refused.status_code not in {200, 204, 501}


def test_a_preflight_of_an_address_that_is_refused_is_refused(gate: rendered.Running) -> None:
    answer = _preflight(gate, "https://guarded.test/inside/")
    assert answer.status_code == 403
    assert gate.get("https://guarded.test/.daemun/preflight/").status_code != 204


def test_what_is_denied_stays_denied(gate: rendered.Running) -> None:
    assert _preflight(gate, "https://api.test/denied/").status_code == 403


def test_sites_that_share_their_blocks(one: echo.EchoServer) -> None:
    settings = model.Globals(options=catalogue.values_of({"cors": NAMED}))
    sites = (site("first.test", one.url), site("second.test", one.url))
    with rendered.running(*sites, settings=settings, own_blocks=0) as running:
        for host in ("first.test", "second.test"):
            assert _seen(_preflight(running, f"https://{host}/")) == ALLOWED
