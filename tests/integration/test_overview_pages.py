"""The first screen and the list of sites as browsers get them, of values as the daemon's API has them."""

import collections.abc
import re

import httpx
import pytest
from starlette import applications

from daemun.dashboard import api_client, page_application, page_texts, visit
from tests.support import overview_api, overview_values, page_elements


@pytest.fixture(scope="module", name="pages")
def make_pages() -> tuple[overview_api.OverviewApi, applications.Starlette]:
    api = overview_api.OverviewApi()
    return api, page_application.create_app(api)


@pytest.fixture(name="api")
def find_api(pages: tuple[overview_api.OverviewApi, applications.Starlette]) -> overview_api.OverviewApi:
    api, _ = pages
    api.role, api.count, api.is_hurt, api.trial, api.same = "own", 120, True, None, 0
    return api


@pytest.fixture(name="visitor")
async def make_visitor(
    pages: tuple[overview_api.OverviewApi, applications.Starlette], api: overview_api.OverviewApi
) -> collections.abc.AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=pages[1])
    headers = {"Cookie": f"{visit.SESSION_COOKIE}=s", "Origin": "https://gate.test"}
    async with httpx.AsyncClient(
        transport=transport, base_url="https://gate.test", headers=headers, timeout=60
    ) as client:
        yield client


def _names(text: str) -> list[str]:
    """Of the sites in the list."""
    return re.findall(r'<th role="rowheader"[^>]*>.*?<a href="/sites/([^"]+)">', text, re.S)


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_home_has_the_worst_first_with_causes_cures_and_buttons(
    visitor: httpx.AsyncClient, language: str
) -> None:
    answer = await visitor.get("/", headers={"Accept-Language": language})
    assert answer.status_code == 200
    texts = page_texts.Texts(language)
    text = answer.text
    assert texts("overview.needs", n=4) in text
    assert text.index("wiki.example.com") < text.index("late.example.com") < text.index("web-7")
    for expected in ("10.0.0.9:80 refuses connections", "start the server", "daemun status wiki.example.com --probe"):
        assert expected in text
    forms = [
        values for tag, values in page_elements.Elements(text).found if tag == "form" and values.get("method") == "post"
    ]
    assert {"/do/probe", "/do/renew", "/do/apply", "/do/maintenance"} <= {str(one["action"]) for one in forms}
    assert "daemun.yaml:77:3" in text
    assert ("인증서가 설정한 것과 다릅니다: DNS points elsewhere" in text) is (language == "ko")
    assert texts("overview.next_renewals") in text


@pytest.mark.parametrize("role", ["look", "change"])
async def test_home_shows_what_is_on_trial(
    visitor: httpx.AsyncClient, api: overview_api.OverviewApi, role: str
) -> None:
    """With its end for who may, and back to here."""
    texts = page_texts.Texts("en")
    assert texts("draft.trial") not in (await visitor.get("/")).text
    api.role, api.trial = role, {"number": 7, "until": "2026-11-30T09:10:11Z", "taken": []}
    text = (await visitor.get("/")).text
    assert texts("draft.trial") in text
    assert 'until="2026-11-30T09:10:11Z" then="/"' in text
    forms = {str(values.get("action")) for tag, values in page_elements.Elements(text).found if tag == "form"}
    assert ({"/changes/confirm", "/changes/undo"} <= forms) is (role == "change")
    for what in ("confirm", "undo") if role == "change" else ():
        answer = await visitor.post(f"/changes/{what}", data={"back": "/"})
        assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, "/")
        assert (api.requests[-1].method, api.requests[-1].path) == ("POST", f"/trial/{what}")


@pytest.mark.parametrize("path", ["/", "/sites"])
async def test_what_comes_from_outside_is_text(visitor: httpx.AsyncClient, path: str) -> None:
    text = (await visitor.get(path, params={"q": overview_values.HOSTILE} if path == "/sites" else {})).text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert not [tag for tag, _ in page_elements.Elements(text).found if tag in {"img", "iframe", "object"}]
    assert "49" not in re.findall(r"\{\{|\b49\b", text)


async def test_who_may_only_look_gets_no_buttons(visitor: httpx.AsyncClient, api: overview_api.OverviewApi) -> None:
    api.role = "look"
    for path in ("/", "/sites"):
        elements = page_elements.Elements((await visitor.get(path)).text).found
        posts = {str(one["action"]) for tag, one in elements if tag == "form" and one.get("method") == "post"}
        assert posts <= {"/language", "/sign-out", "/sites/selected"}
        assert not [one for tag, one in elements if tag == "button" and one.get("name") == "what"]


async def test_the_list_is_searched_sorted_and_paged_by_its_address(
    visitor: httpx.AsyncClient, api: overview_api.OverviewApi
) -> None:
    first = (await visitor.get("/sites")).text
    assert len(_names(first)) == 49, "fifty rows, of which one is a stream"
    assert 'rel="next" href="/sites?page=2"' in first
    found = (await visitor.get("/sites?q=s00042&state=live")).text
    assert _names(found) == ["s00042.d2.example.com"]
    assert 'value="s00042"' in found
    assert 'href="/sites?state=live"' in found, "each filter can be taken away"
    await visitor.get("/sites?sort=-requests&page=2&origin=docker&group=domain")
    assert api.requests[-1].query == {
        "origin": "docker",
        "group": "domain",
        "sort": "requests",
        "order": "desc",
        "page": "2",
        "size": "50",
    }
    assert "daemun sites --numbers --search &#39;a b&#39;" in (await visitor.get("/sites?q=a+b")).text


async def test_a_list_without_rows(visitor: httpx.AsyncClient, api: overview_api.OverviewApi) -> None:
    text = (await visitor.get("/sites?q=nothing-is-named-so")).text
    assert page_texts.Texts("en")("overview.none_found") in text
    api.count, api.is_hurt = 0, False
    for path in ("/", "/sites"):
        assert "daemun add shop.example.com" in (await visitor.get(path)).text


async def test_what_a_button_does(visitor: httpx.AsyncClient, api: overview_api.OverviewApi) -> None:
    async def press(action: str, host: str = "a.test", back: str = "/sites?q=a") -> str:
        answer = await visitor.post(f"/do/{action}", data={"host": host, "back": back})
        assert answer.status_code == 303
        return answer.headers["location"]

    assert (await press("probe")).startswith("/sites?q=a&done=")
    assert api.requests[-1].path == "/sites/a.test/probe"
    there = await press("renew", host="*.a/b.test")
    assert api.requests[-1].path == "/certificates/%2A.a%2Fb.test/renew"
    assert page_texts.Texts("en")("overview.renewing", host="*.a/b.test") in (await visitor.get(there)).text
    assert (await press("apply", back="//evil.test/")).startswith("/?done=")
    assert api.requests[-1].path == "/apply"
    assert (await press("maintenance")).startswith("/changes?done=")
    edits = [{"what": "maintenance_on", "host": "a.test"}]
    assert (api.requests[-1].path, api.requests[-1].body) == ("/draft/edits", {"edits": edits})
    assert (await visitor.post("/do/stop", data={"host": "a.test"})).status_code == 404


async def test_what_is_not_live_is_not_reported_as_live(
    visitor: httpx.AsyncClient, api: overview_api.OverviewApi
) -> None:
    problem = {"severity": "error", "message": overview_values.HOSTILE}
    api.apply = {"ok": False, "error": None, "waits": None, "problems": [problem]}
    there = (await visitor.post("/do/apply", data={"back": "/"})).headers["location"]
    text = (await visitor.get(there)).text
    assert page_texts.Texts("en")("overview.not_applied") in text
    assert page_texts.Texts("en")("overview.applied") not in text


async def test_sites_that_were_selected_are_changed_in_the_draft(
    visitor: httpx.AsyncClient, api: overview_api.OverviewApi
) -> None:
    form = {"host": ["a.test", "b.test"], "what": "disable", "back": "/sites?page=2"}
    answer = await visitor.post("/sites/selected", data=form)
    assert answer.headers["location"].startswith("/changes?done=")
    assert api.requests[-1].body == {"edits": [{"what": "disable", "hosts": ["a.test", "b.test"]}]}
    nobody = await visitor.post("/sites/selected", data={"what": "enable", "back": "/sites?page=2"})
    assert nobody.headers["location"].startswith("/sites?page=2&done=")
    assert (await visitor.post("/sites/selected", data={"what": "rm", "host": "a.test"})).status_code == 404
    foreign = await visitor.post("/sites/selected", data=form, headers={"Origin": "https://evil.test"})
    assert foreign.status_code == 403


async def test_all_that_match_the_filter_are_changed_at_once(
    visitor: httpx.AsyncClient, api: overview_api.OverviewApi
) -> None:
    """Also those of other pages; what containers have is left out, as it has no box."""
    texts = page_texts.Texts("en")
    page = (await visitor.get("/sites?q=example.com")).text
    found = await api.request("GET", "/sites", api_client.VisitorCredentials(), query={"q": "example.com"})
    assert found["total"] > found["of_files"] > 50
    assert texts("overview.all_matching", n=found["of_files"]) in page
    assert '<input type="hidden" name="filter.q" value="example.com">' in page
    assert texts("overview.all_matching", n=1) not in (await visitor.get("/sites?q=s00042")).text
    form = {"what": "disable", "all": "true", "filter.q": "example.com", "host": "a.test"}
    assert (await visitor.post("/sites/selected", data=form)).headers["location"].startswith("/changes?done=")
    asked, edited = api.requests[-2:]
    assert asked.query == {"q": "example.com", "only": "names"}
    (edit,) = edited.body["edits"]
    assert len(edit["hosts"]) == found["of_files"]
    assert (edit["what"], len(edit["hosts"]) > 50) == ("disable", True)
    assert not [host for host in edit["hosts"] if not host.endswith("example.com")]
    nothing = {**form, "filter.q": "no-such-site"}
    assert (await visitor.post("/sites/selected", data=nothing)).headers["location"].startswith("/sites?done=")


async def test_the_number_of_changed_sites_is_of_those_that_were_not_so_already(
    visitor: httpx.AsyncClient, api: overview_api.OverviewApi
) -> None:
    texts = page_texts.Texts("en")
    form = {"what": "disable", "host": ["s00001.d1.example.com", "s00002.d2.example.com", "s00003.d3.example.com"]}
    for api.same, then, shown in (
        (1, "/changes", texts("overview.in_draft", n=2)),
        (3, "/sites", texts("overview.are_so", n=3)),
    ):
        answer = await visitor.post("/sites/selected", data=form)
        assert answer.headers["location"].startswith(f"{then}?done=")
        if then == "/sites":
            assert shown in (await visitor.get(answer.headers["location"])).text


async def test_a_page_of_thousands_of_sites(visitor: httpx.AsyncClient, api: overview_api.OverviewApi) -> None:
    api.count = 2000
    answer = await visitor.get("/sites?q=d7.example.com&sort=-errors")
    assert len(_names(answer.text)) == 50
    assert len(answer.content) < 250_000


async def test_the_search_of_every_page(visitor: httpx.AsyncClient) -> None:
    found = (await visitor.get("/search?q=mail")).text
    assert 'href="/certificates/mail.example.com"' in found
    assert 'value="mail"' in found
    many = (await visitor.get("/search?q=example.com")).text
    assert 'href="/sites?q=example.com"' in many
    assert 'href="/settings/bans"' in (await visitor.get("/search?q=bans")).text
    options = (await visitor.get("/search?q=hsts")).text
    assert '<code>hsts</code> <small>(<a href="/sites">in the form of a site</a>)</small>' in options
    assert "/changes/form?key=" not in options
    of_route = (await visitor.get("/search?q=rewrite")).text
    assert '<code>rewrite</code> <small>(<a href="/sites">in the form of a route</a>)</small>' in of_route
    assert (
        'href="/changes/form?key=trusted_proxies#field-key-trusted_proxies"'
        in (await visitor.get("/search?q=trusted-proxies")).text
    )
    exact = await visitor.get("/search?q=Wiki.example.com")
    assert exact.headers["location"] == "/sites/wiki.example.com"
    assert (await visitor.get("/search?q=+")).headers["location"] == "/sites"
    nothing = (await visitor.get("/search", params={"q": overview_values.HOSTILE})).text
    assert page_texts.Texts("en")("search.nothing") in nothing
    assert "&lt;img src=x onerror=alert(1)&gt;" in nothing
