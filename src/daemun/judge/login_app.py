"""The pages of the sign-in, and the ways from a site to it and back, over HTTP: nginx passes them on.

/pages/...  on the host of the sign-in: its page, and /pages/sign-out; /pages/account is of `account_app`,
            /pages/invitation of `invitation_app`
/site/...   on a site: /site/start and /site/return

What nginx sends besides: X-Real-IP, X-Forwarded-Host (with the port that was named), X-Forwarded-Proto, X-Daemun-Port
(where the sign-in's host is reached, with its colon), X-Daemun-Site-Port (of HTTPS, of a site with one of its own).
"""

import re
import urllib.parse

from aiohttp import web

from daemun.core.access import login_url
from daemun.judge import login_http, login_judge, login_pages, passkey_pages, passkeys, provider_pages

_CHALLENGE = re.compile(r"[0-9a-f]{64}\Z")
_BROWSER_S = 3600
_REFUSALS = {login_judge.Step.AGAIN: ("again", 401), login_judge.Step.UNSAVED: ("unsaved", 503)}


class LoginApp:
    """further: handlers of other pages of the host, by method and path."""

    def __init__(self, judge: login_judge.LoginJudge, own_passkeys: passkeys.Passkeys | None) -> None:
        """own_passkeys: None: nobody can sign in by one."""
        self._judge = judge
        self._passkeys = own_passkeys
        self.further: dict[tuple[str, str], login_http.Handler] = {}

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        method = "GET" if request.method == "HEAD" else request.method
        handle = {
            ("GET", "/pages/"): self._show,
            ("POST", "/pages/"): self._take,
            ("GET", "/pages/sign-out"): self._go_home,
            ("POST", "/pages/sign-out"): self._sign_out,
            ("GET", "/site/start"): self._start,
            ("GET", "/site/return"): self._return,
            **self.further,
        }.get((method, request.path))
        if handle is None:
            return web.Response(status=404)
        words = login_pages.choose_words(request.headers.get("Accept-Language", ""))
        if self._judge.host is None:
            return login_http.page(login_pages.message(words, "closed_title", "closed"), 503)
        return await handle(request, words)

    # --- on the host of the sign-in ----------------------------------------------------------------------------

    async def _show(self, request: web.BaseRequest, words: login_pages.Words) -> web.Response:
        given = {key: request.query.get(key, "") for key in ("to", "challenge")}
        goal = self.find_goal(request, given)
        if goal is None and any(given.values()):
            return login_http.page(login_pages.message(words, "foreign_title", "foreign"), 400)
        found = await self._judge.find_signed_in(login_http.cookie(request, login_http.SESSION))
        if found is not None and goal is not None:
            return login_http.redirect(self._way_back(found[0], goal, given["challenge"]))
        if found is not None:
            form = login_http.secret(request, login_http.FORM)
            return login_http.keep(
                login_http.page(login_pages.signed_in(words, hidden={"form": form}, user=found[1].name)),
                login_http.FORM,
                form,
            )
        return self.ask(request, words, given, goal)

    async def _take(self, request: web.BaseRequest, words: login_pages.Words) -> web.Response:
        sent = await login_http.read_form(request)
        given = {key: sent.get(key, "") for key in ("to", "challenge")}
        goal = self.find_goal(request, given)
        if goal is None and any(given.values()):
            return login_http.page(login_pages.message(words, "foreign_title", "foreign"), 400)
        if not login_http.is_own(request, sent):
            return self.ask(request, words, given, goal, problem=words["stale"], status=403)
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
                return await self.enter(request, words, given, goal, outcome.secret)
            case login_judge.Step.CODE:
                form = login_http.secret(request, login_http.FORM)
                problem = words["wrong_code"] if outcome.is_wrong else ""
                hidden = {**given, "form": form, "pending": outcome.pending}
                page = login_pages.code(words, hidden=hidden, problem=problem)
                return login_http.keep(login_http.page(page, 401 if outcome.is_wrong else 200), login_http.FORM, form)
            case login_judge.Step.WAIT:
                problem = words["wait"].format(seconds=outcome.retry_after_s)
                return self.ask(request, words, given, goal, user=user, problem=problem, status=429, headers=retry)
            case login_judge.Step.BUSY:
                problem = words["busy"]
                return self.ask(request, words, given, goal, user=user, problem=problem, status=503, headers=retry)
        word, status = _REFUSALS.get(outcome.step, ("wrong", 401))
        return self.ask(request, words, given, goal, user=user, problem=words[word], status=status)

    async def enter(
        self,
        request: web.BaseRequest,
        words: login_pages.Words,
        given: dict[str, str],
        goal: login_judge.Goal | None,
        secret: str,
    ) -> web.Response:
        """A new session, in the place of the one that the browser had."""
        await self._judge.sign_out(login_http.cookie(request, login_http.SESSION))
        found = await self._judge.find_signed_in(secret)
        if found is None or self._judge.host is None:
            return self.ask(request, words, given, goal, problem=words["again"], status=401)
        if goal is None:
            answer = login_http.redirect("/")
        else:
            url = self._way_back(found[0], goal, given["challenge"])
            answer = login_http.page(login_pages.going(words, url=url, host=goal.place))
        login_http.keep(answer, login_http.SESSION, secret, max_age_s=self._judge.host.lifetime_s)
        return login_http.drop(answer, login_http.FORM)

    async def _go_home(self, _: web.BaseRequest, __: login_pages.Words) -> web.Response:
        """Nobody is signed out by a link."""
        return login_http.redirect("/")

    async def _sign_out(self, request: web.BaseRequest, words: login_pages.Words) -> web.Response:
        sent = await login_http.read_form(request)
        if not login_http.is_own(request, sent):
            return login_http.page(login_pages.message(words, "over_title", "stale", link="/"), 403)
        is_saved = await self._judge.sign_out(login_http.cookie(request, login_http.SESSION))
        page = login_pages.message(words, "title", "left" if is_saved else "left_unsaved", link="/")
        return login_http.drop(login_http.page(page, 200 if is_saved else 503), login_http.SESSION)

    def ask(
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
        form = login_http.secret(request, login_http.FORM)
        hidden = {**given, "form": form}
        host = goal.place if goal is not None else ""
        providers = self._judge.host.providers if self._judge.host is not None else ()
        buttons = provider_pages.buttons(words, hidden, providers)
        has_form = self._judge.has_users or not buttons
        if self._passkeys is not None and self._passkeys.is_any:
            buttons += passkey_pages.button(words, hidden)
            headers = {**(headers or {}), **login_pages.WITH_SCRIPT}
        page = login_pages.sign_in(
            words, hidden=hidden, host=host, user=user, problem=problem, below=buttons, has_form=has_form
        )
        return login_http.keep(login_http.page(page, status, headers), login_http.FORM, form)

    def find_goal(self, request: web.BaseRequest, given: dict[str, str]) -> login_judge.Goal | None:
        if not _CHALLENGE.match(given["challenge"]):
            return None
        return self._judge.read_goal(given["to"], login_http.port(request.headers.get("X-Forwarded-Host", "")))

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
            own = request.headers.get("X-Daemun-Site-Port")
            port = login_url.write_port(self._judge.host.port if own is None else int(own))
            return login_http.redirect(
                f"https://{place.removesuffix(login_http.port(place))}{port}/.daemun/login/start?{path}"
            )
        browser = login_http.secret(request, login_http.BROWSER)
        to = f"https://{place}{path if path.startswith('/') else '/'}"
        query = urllib.parse.urlencode({"to": to, "challenge": login_judge.make_challenge(browser)})
        there = f"https://{self._judge.host.host}{request.headers.get('X-Daemun-Port', '')}/?{query}"
        return login_http.keep(login_http.redirect(there), login_http.BROWSER, browser, max_age_s=_BROWSER_S)

    async def _return(self, request: web.BaseRequest, words: login_pages.Words) -> web.Response:
        place = request.headers.get("X-Forwarded-Host", "")
        found = await self._judge.redeem(
            request.query.get("code", ""), place, login_http.cookie(request, login_http.BROWSER)
        )
        if found is None or self._judge.host is None:
            return login_http.page(login_pages.message(words, "over_title", "over", link="/"), 400)
        secret, goal = found
        answer = login_http.redirect(goal.url)
        login_http.keep(answer, login_http.SESSION, secret, max_age_s=self._judge.host.lifetime_s)
        return login_http.drop(answer, login_http.BROWSER)
