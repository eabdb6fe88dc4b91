"""The pages of the sign-in, and the ways from a site to it and back, over HTTP: nginx passes them on.

/pages/...  on the host of the sign-in: its page, and /pages/sign-out
/site/...   on a site: /site/start and /site/return

What nginx sends besides: X-Real-IP, X-Forwarded-Host (with the port that was named), X-Forwarded-Proto, X-Daemun-Port
(where the sign-in's host is reached). Forms are taken from the page itself alone: by `Origin`, which every browser
sends beside a form, and by a secret in a cookie that the form repeats.
"""

import hmac
import re
import urllib.parse

from aiohttp import web

from daemun.judge import login_judge, login_pages, session_book

SESSION, _FORM, _BROWSER = "__Host-daemun-session", "__Host-daemun-form", "__Host-daemun-browser"
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_CHALLENGE = re.compile(r"[0-9a-f]{64}\Z")
_LARGEST_FORM = 16 * 1024
_BROWSER_S = 3600


class LoginApp:
    def __init__(self, judge: login_judge.LoginJudge) -> None:
        self._judge = judge

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        method = "GET" if request.method == "HEAD" else request.method
        handle = {
            ("GET", "/pages/"): self._show,
            ("POST", "/pages/"): self._take,
            ("GET", "/pages/sign-out"): self._go_home,
            ("POST", "/pages/sign-out"): self._sign_out,
            ("GET", "/site/start"): self._start,
            ("GET", "/site/return"): self._return,
        }.get((method, request.path))
        if handle is None:
            return web.Response(status=404)
        words = login_pages.choose_words(request.headers.get("Accept-Language", ""))
        if self._judge.host is None:
            return _page(login_pages.message(words, "closed_title", "closed"), 503)
        return await handle(request, words)

    # --- on the host of the sign-in ----------------------------------------------------------------------------

    async def _show(self, request: web.BaseRequest, words: login_pages.Words) -> web.Response:
        given = {key: request.query.get(key, "") for key in ("to", "challenge")}
        goal = self._goal(request, given)
        if goal is None and any(given.values()):
            return _page(login_pages.message(words, "foreign_title", "foreign"), 400)
        found = await self._judge.find_signed_in(_cookie(request, SESSION))
        if found is not None and goal is not None:
            return _redirect(self._way_back(found[0], goal, given["challenge"]))
        if found is not None:
            form = _secret(request, _FORM)
            return _keep(_page(login_pages.signed_in(words, hidden={"form": form}, user=found[1].name)), _FORM, form)
        return self._ask(request, words, given, goal)

    async def _take(self, request: web.BaseRequest, words: login_pages.Words) -> web.Response:
        sent = await _read_form(request)
        given = {key: sent.get(key, "") for key in ("to", "challenge")}
        goal = self._goal(request, given)
        if goal is None and any(given.values()):
            return _page(login_pages.message(words, "foreign_title", "foreign"), 400)
        if not _is_own(request, sent):
            return self._ask(request, words, given, goal, problem=words["stale"], status=403)
        visitor = login_judge.Visitor(
            address=request.headers.get("X-Real-IP", ""), agent=request.headers.get("User-Agent", "")
        )
        if "pending" in sent:
            outcome = await self._judge.check_code(sent["pending"], sent.get("code", ""), visitor)
        else:
            outcome = await self._judge.sign_in(sent.get("user", ""), sent.get("password", ""), visitor)
        return await self._respond(request, words, sent, goal, outcome)

    async def _respond(
        self,
        request: web.BaseRequest,
        words: login_pages.Words,
        sent: dict[str, str],
        goal: login_judge.Goal | None,
        outcome: login_judge.Outcome,
    ) -> web.Response:
        given = {key: sent.get(key, "") for key in ("to", "challenge")}
        retry = {"Retry-After": str(outcome.retry_after_s)}
        user = sent.get("user", "")
        match outcome.step:
            case login_judge.Step.SIGNED_IN:
                return await self._enter(request, words, given, goal, outcome.secret)
            case login_judge.Step.CODE:
                form = _secret(request, _FORM)
                problem = words["wrong_code"] if outcome.is_wrong else ""
                hidden = {**given, "form": form, "pending": outcome.pending}
                page = login_pages.code(words, hidden=hidden, problem=problem)
                return _keep(_page(page, 401 if outcome.is_wrong else 200), _FORM, form)
            case login_judge.Step.WAIT:
                problem = words["wait"].format(seconds=outcome.retry_after_s)
                return self._ask(request, words, given, goal, user=user, problem=problem, status=429, headers=retry)
            case login_judge.Step.BUSY:
                problem = words["busy"]
                return self._ask(request, words, given, goal, user=user, problem=problem, status=503, headers=retry)
            case login_judge.Step.AGAIN:
                return self._ask(request, words, given, goal, problem=words["again"], status=401)
        return self._ask(request, words, given, goal, user=user, problem=words["wrong"], status=401)

    async def _enter(
        self,
        request: web.BaseRequest,
        words: login_pages.Words,
        given: dict[str, str],
        goal: login_judge.Goal | None,
        secret: str,
    ) -> web.Response:
        """A new session, in the place of the one that the browser had."""
        await self._judge.sign_out(_cookie(request, SESSION))
        found = await self._judge.find_signed_in(secret)
        if found is None or self._judge.host is None:
            return self._ask(request, words, given, goal, problem=words["again"], status=401)
        if goal is None:
            answer = _redirect("/")
        else:
            url = self._way_back(found[0], goal, given["challenge"])
            answer = _page(login_pages.going(words, url=url, host=goal.place))
        _keep(answer, SESSION, secret, max_age_s=self._judge.host.lifetime_s)
        return _drop(answer, _FORM)

    async def _go_home(self, _: web.BaseRequest, __: login_pages.Words) -> web.Response:
        """Nobody is signed out by a link."""
        return _redirect("/")

    async def _sign_out(self, request: web.BaseRequest, words: login_pages.Words) -> web.Response:
        sent = await _read_form(request)
        if not _is_own(request, sent):
            return _page(login_pages.message(words, "over_title", "stale", link="/"), 403)
        await self._judge.sign_out(_cookie(request, SESSION))
        return _drop(_page(login_pages.message(words, "title", "left", link="/")), SESSION)

    def _ask(
        self,
        request: web.BaseRequest,
        words: login_pages.Words,
        given: dict[str, str],
        goal: login_judge.Goal | None,
        *,
        user: str = "",
        problem: str = "",
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> web.Response:
        form = _secret(request, _FORM)
        hidden = {**given, "form": form}
        host = goal.place if goal is not None else ""
        page = login_pages.sign_in(words, hidden=hidden, host=host, user=user, problem=problem)
        return _keep(_page(page, status, headers), _FORM, form)

    def _goal(self, request: web.BaseRequest, given: dict[str, str]) -> login_judge.Goal | None:
        if not _CHALLENGE.match(given["challenge"]):
            return None
        return self._judge.read_goal(given["to"], _port(request.headers.get("X-Forwarded-Host", "")))

    def _way_back(self, session: str, goal: login_judge.Goal, challenge: str) -> str:
        code = self._judge.draw_code(session, goal, challenge)
        return f"https://{goal.place}/.daemun/login/return?{urllib.parse.urlencode({'code': code})}"

    # --- on a site ---------------------------------------------------------------------------------------------

    async def _start(self, request: web.BaseRequest, _: login_pages.Words) -> web.Response:
        """Behind the question mark: the path that was requested, as it came."""
        place = request.headers.get("X-Forwarded-Host", "")
        path = login_judge.encode_path(request.raw_path.partition("?")[2])
        assert self._judge.host is not None
        if request.headers.get("X-Forwarded-Proto") != "https":
            port = (
                "" if 443 in self._judge.host.ports or not self._judge.host.ports else f":{self._judge.host.ports[0]}"
            )
            return _redirect(f"https://{place.removesuffix(_port(place))}{port}/.daemun/login/start?{path}")
        browser = _secret(request, _BROWSER)
        to = f"https://{place}{path if path.startswith('/') else '/'}"
        query = urllib.parse.urlencode({"to": to, "challenge": login_judge.make_challenge(browser)})
        there = f"https://{self._judge.host.host}{request.headers.get('X-Daemun-Port', '')}/?{query}"
        return _keep(_redirect(there), _BROWSER, browser, max_age_s=_BROWSER_S)

    async def _return(self, request: web.BaseRequest, words: login_pages.Words) -> web.Response:
        place = request.headers.get("X-Forwarded-Host", "")
        found = await self._judge.redeem(request.query.get("code", ""), place, _cookie(request, _BROWSER))
        if found is None or self._judge.host is None:
            return _page(login_pages.message(words, "over_title", "over", link="/"), 400)
        secret, goal = found
        answer = _redirect(goal.url)
        _keep(answer, SESSION, secret, max_age_s=self._judge.host.lifetime_s)
        return _drop(answer, _BROWSER)


# --- requests ------------------------------------------------------------------------------------------------------


def _cookie(request: web.BaseRequest, name: str) -> str:
    """A secret of ours; "" where there is none."""
    for part in request.headers.get("Cookie", "").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name and _SECRET.match(value):
            return value
    return ""


def _secret(request: web.BaseRequest, name: str) -> str:
    """The one that the browser has, or a new one: several tabs share it."""
    return _cookie(request, name) or session_book.draw()


def _port(place: str) -> str:
    match = re.search(r":[0-9]{1,5}\Z", place)
    return "" if match is None else match[0]


async def _read_form(request: web.BaseRequest) -> dict[str, str]:
    """Empty when it is none."""
    if (request.content_length or 0) > _LARGEST_FORM or request.content_type != "application/x-www-form-urlencoded":
        return {}
    try:
        pairs = urllib.parse.parse_qsl((await request.read()).decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError:  # UnicodeDecodeError is one
        return {}
    return dict(pairs)


def _is_own(request: web.BaseRequest, sent: dict[str, str]) -> bool:
    form = _cookie(request, _FORM)
    place = request.headers.get("X-Forwarded-Host", "")
    has_secret = bool(form) and hmac.compare_digest(form, sent.get("form", "").encode("ascii", "replace").decode())
    return has_secret and request.headers.get("Origin") == f"https://{place}"


# --- answers -------------------------------------------------------------------------------------------------------


def _page(text: str, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=text.encode(), headers={**login_pages.HEADERS, **(headers or {})})


def _redirect(there: str) -> web.Response:
    """302 and 303 say the same to browsers; forms are answered with pages, but for those that lead home."""
    return web.Response(status=303, headers={"Location": there, "Cache-Control": "no-store"})


def _keep(answer: web.Response, name: str, value: str, *, max_age_s: float | None = None) -> web.Response:
    age = "" if max_age_s is None else f"; Max-Age={max_age_s:.0f}"
    answer.headers.add("Set-Cookie", f"{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}")
    return answer


def _drop(answer: web.Response, name: str) -> web.Response:
    return _keep(answer, name, "", max_age_s=0)
