"""What the pages of the sign-in share: their cookies, their forms, and the headers of their answers.

Forms are taken from the page itself alone: by `Origin`, which every browser sends beside a form, and by a secret in a
cookie that the form repeats.
"""

import collections.abc
import hmac
import re
import urllib.parse

from aiohttp import web

from daemun.judge import login_judge, login_pages, session_table

Handler = collections.abc.Callable[[web.BaseRequest, login_pages.Words], collections.abc.Awaitable[web.Response]]
"""Of a request that nginx passed on, in the words of its language."""

SESSION, FORM, BROWSER = "__Host-daemun-session", "__Host-daemun-form", "__Host-daemun-browser"
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_LARGEST_FORM = 16 * 1024


# --- requests ------------------------------------------------------------------------------------------------------


def cookie(request: web.BaseRequest, name: str) -> str:
    """A secret of ours; "" where there is none."""
    for part in request.headers.get("Cookie", "").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name and _SECRET.match(value):
            return value
    return ""


def visitor(request: web.BaseRequest) -> login_judge.SessionVisitor:
    return login_judge.SessionVisitor(
        address=request.headers.get("X-Real-IP", ""), agent=request.headers.get("User-Agent", "")
    )


def secret(request: web.BaseRequest, name: str) -> str:
    """The one that the browser has, or a new one: several tabs share it."""
    return cookie(request, name) or session_table.draw()


def port(place: str) -> str:
    match = re.search(r":[0-9]{1,5}\Z", place)
    return "" if match is None else match[0]


async def read_form(request: web.BaseRequest) -> dict[str, str]:
    """Empty when it is none."""
    if (request.content_length or 0) > _LARGEST_FORM or request.content_type != "application/x-www-form-urlencoded":
        return {}
    try:
        pairs = urllib.parse.parse_qsl((await request.read()).decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError:  # UnicodeDecodeError is one
        return {}
    return dict(pairs)


def is_own(request: web.BaseRequest, sent: dict[str, str]) -> bool:
    form = cookie(request, FORM)
    place = request.headers.get("X-Forwarded-Host", "")
    has_secret = bool(form) and hmac.compare_digest(form, sent.get("form", "").encode("ascii", "replace").decode())
    return has_secret and request.headers.get("Origin") == f"https://{place}"


# --- answers -------------------------------------------------------------------------------------------------------


def page(text: str, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=text.encode(), headers={**login_pages.HEADERS, **(headers or {})})


def redirect(there: str) -> web.Response:
    """302 and 303 say the same to browsers; forms are answered with pages, but for those that lead home."""
    return web.Response(status=303, headers={"Location": there, "Cache-Control": "no-store"})


def keep(answer: web.Response, name: str, value: str, *, max_age_s: float | None = None) -> web.Response:
    age = "" if max_age_s is None else f"; Max-Age={max_age_s:.0f}"
    answer.headers.add("Set-Cookie", f"{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}")
    return answer


def drop(answer: web.Response, name: str) -> web.Response:
    return keep(answer, name, "", max_age_s=0)
