"""The switch of the language, as a browser sends it."""

import httpx
import pytest
from starlette import applications

from daemun.dashboard import api_client, form_body, page_texts, pages_app
from daemun.dashboard.pages import language_pages

_TYPE = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://daemun.localhost"}


async def _send(body: str | bytes, **headers: str) -> httpx.Response:
    pages = pages_app.PagesApp(api_client.ApiClient("nowhere"))
    app = httpx.ASGITransport(app=applications.Starlette(routes=language_pages.routes(pages)))
    async with httpx.AsyncClient(transport=app, base_url="https://daemun.localhost", timeout=60) as client:
        return await client.post("/language", content=body, headers=_TYPE | headers)


async def test_a_choice_is_kept_and_leads_back() -> None:
    answer = await _send("language=ko&back=/sites?q=a")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sites?q=a")
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith(f"{page_texts.COOKIE.lower()}=ko;")
    assert {"secure", "httponly", "path=/", "samesite=lax"} <= {part.strip() for part in cookie.split(";")}
    assert "domain" not in cookie


@pytest.mark.parametrize(
    "body",
    ["language=xx&back=//a.test", "language=ko%0d%0aSet-Cookie:+a=b&back=https://a.test/", "", "back=" + "a" * 20_000],
)  # fmt: skip
async def test_anything_else_sets_nothing_and_leads_home(body: str | bytes) -> None:
    answer = await _send(body)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"language=ko&back=\xff\xfe", "application/x-www-form-urlencoded", 400),
        ("a=1&" * (form_body.MOST_FIELDS + 1), "application/x-www-form-urlencoded", 400),
        ('{"language": "ko"}', "application/json", 400),
        ("language=ko", "", 400),
        ("language=ko&back=" + "a" * form_body.LARGEST, "application/x-www-form-urlencoded", 413),
    ],
)
async def test_what_is_no_form_changes_nothing(body: str | bytes, kind: str, status: int) -> None:
    answer = await _send(body, **{"Content-Type": kind})
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers


async def test_a_page_of_another_host_sets_nothing() -> None:
    answer = await _send("language=ko&back=/sites", Origin="https://a.test")
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
