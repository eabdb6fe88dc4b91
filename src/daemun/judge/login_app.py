"""The pages of the sign-in, and the ways from a site to it and back, over HTTP: nginx passes them on.

/pages/...  on the host of the sign-in: its page, and /pages/sign-out; /pages/account is of `account_app`,
            /pages/invitation of `invitation_app`
/site/...   on a site: /site/start and /site/return

What nginx sends besides: X-Real-IP, X-Forwarded-Host (with the port that was named), X-Forwarded-Proto, X-Daemun-Port
(where the sign-in's host is reached, with its colon), X-Daemun-Site-Port (of HTTPS, of a site with one of its own).
"""

import collections.abc
import dataclasses
import re
import urllib.parse

from aiohttp import web

from daemun.core.access import login_url
from daemun.judge import login_http, login_judge, login_pages, passkey_pages, passkeys, provider_pages

_CHALLENGE = re.compile(r"[0-9a-f]{64}\Z")
_BROWSER_S = 3600
_REFUSALS = {login_judge.SignInStep.AGAIN: ("again", 401), login_judge.SignInStep.UNSAVED: ("unsaved", 503)}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """A request of the page of the sign-in. sent: the fields of its form, or its query. given: those that name where
    it leads afterwards. goal: the same, once it is known to be ours; None: to the page itself."""

    request: web.BaseRequest
    words: login_pages.Words
    sent: dict[str, str]
    given: dict[str, str]
    goal: login_judge.Goal | None

    @property
    def is_foreign(self) -> bool:
        """Whether it would lead to what is none of our sites."""
        return self.goal is None and any(self.given.values())


Form = collections.abc.Callable[[PageRequest], collections.abc.Awaitable[web.Response]]


class LoginApp:
    def __init__(self, judge: login_judge.LoginJudge, own_passkeys: passkeys.Passkeys | None) -> None:
        """own_passkeys: None: nobody can sign in by one."""
        self._judge = judge
        self._passkeys = own_passkeys
        self._further: dict[tuple[str, str], login_http.Handler] = {}

    def add(self, handlers: dict[tuple[str, str], login_http.Handler]) -> None:
        """Of other pages of the host, by method and path."""
        self._further |= handlers

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        method = "GET" if request.method == "HEAD" else request.method
        handle = {
            ("GET", "/pages/"): self._show,
            ("POST", "/pages/"): self.taking(self._sign_in),
            ("GET", "/pages/sign-out"): self._go_home,
            ("POST", "/pages/sign-out"): self._sign_out,
            ("GET", "/site/start"): self._start,
            ("GET", "/site/return"): self._return,
            **self._further,
        }.get((method, request.path))
        if handle is None:
            return web.Response(status=404)
        words = login_pages.choose_words(request.headers.get("Accept-Language", ""))
        if self._judge.host is None:
            return login_http.page(login_pages.message(words, "closed_title", "closed"), 503)
        return await handle(request, words)

    # --- on the host of the sign-in ----------------------------------------------------------------------------

    async def _show(self, request: web.BaseRequest, words: login_pages.Words) -> web.Response:
        page_request = self.make_page_request(request, words, dict(request.query))
        if page_request.is_foreign:
            return login_http.page(login_pages.message(words, "foreign_title", "foreign"), 400)
        found = await self._judge.find_signed_in(login_http.cookie(request, login_http.SESSION))
        if found is not None and page_request.goal is not None:
            return login_http.redirect(self._way_back(found[0], page_request.goal, page_request.given["challenge"]))
        if found is not None:
            form = login_http.secret(request, login_http.FORM)
            return login_http.keep(
                login_http.page(login_pages.signed_in(words, hidden={"form": form}, user=found[1].name)),
                login_http.FORM,
                form,
            )
        return self.show_form(page_request)

    def taking(self, handle: Form) -> login_http.Handler:
        """A handler of a form of the sign-in: sent by the page itself, and leading to one of our sites."""

        async def take(request: web.BaseRequest, words: login_pages.Words) -> web.Response:
            sent = await login_http.read_form(request)
            page_request = self.make_page_request(request, words, sent)
            if page_request.is_foreign:
                return login_http.page(login_pages.message(words, "foreign_title", "foreign"), 400)
            if not login_http.is_own(request, sent):
                return self.show_form(page_request, problem=words["stale"], status=403)
            return await handle(page_request)

        return take

    def make_page_request(
        self, request: web.BaseRequest, words: login_pages.Words, sent: dict[str, str]
    ) -> PageRequest:
        given = {key: sent.get(key, "") for key in ("to", "challenge")}
        return PageRequest(request=request, words=words, sent=sent, given=given, goal=self._find_goal(request, given))

    async def _sign_in(self, page_request: PageRequest) -> web.Response:
        sent, visitor = page_request.sent, login_http.visitor(page_request.request)
        if "pending" in sent:
            outcome = await self._judge.check_code(sent["pending"], sent.get("code", ""), visitor)
        else:
            outcome = await self._judge.sign_in(sent.get("user", ""), sent.get("password", ""), visitor)
        return await self._respond(page_request, outcome)

    async def _respond(self, page_request: PageRequest, outcome: login_judge.SignInOutcome) -> web.Response:
        words, user = page_request.words, page_request.sent.get("user", "")
        match outcome.step:
            case login_judge.SignInStep.SIGNED_IN:
                return await self.enter(page_request, outcome.secret)
            case login_judge.SignInStep.CODE:
                form = login_http.secret(page_request.request, login_http.FORM)
                problem = words["wrong_code"] if outcome.is_wrong else ""
                hidden = {**page_request.given, "form": form, "pending": outcome.pending}
                page = login_pages.code(words, hidden=hidden, problem=problem)
                return login_http.keep(login_http.page(page, 401 if outcome.is_wrong else 200), login_http.FORM, form)
            case login_judge.SignInStep.WAIT:
                return self.refuse_for_now(page_request, outcome.retry_after_s)
            case login_judge.SignInStep.BUSY:
                retry = {"Retry-After": str(outcome.retry_after_s)}
                return self.show_form(page_request, user=user, problem=words["busy"], status=503, headers=retry)
        word, status = _REFUSALS.get(outcome.step, ("wrong", 401))
        return self.show_form(page_request, user=user, problem=words[word], status=status)

    def refuse_for_now(self, page_request: PageRequest, seconds: int) -> web.Response:
        """After too many guesses."""
        problem, retry = page_request.words["wait"].format(seconds=seconds), {"Retry-After": str(seconds)}
        return self.show_form(
            page_request, user=page_request.sent.get("user", ""), problem=problem, status=429, headers=retry
        )

    async def enter(self, page_request: PageRequest, secret: str) -> web.Response:
        """A new session, in the place of the one that the browser had."""
        await self._judge.sign_out(login_http.cookie(page_request.request, login_http.SESSION))
        found = await self._judge.find_signed_in(secret)
        if found is None or self._judge.host is None:
            return self.show_form(page_request, problem=page_request.words["again"], status=401)
        goal = page_request.goal
        if goal is None:
            answer = login_http.redirect("/")
        else:
            url = self._way_back(found[0], goal, page_request.given["challenge"])
            answer = login_http.page(login_pages.going(page_request.words, url=url, host=goal.place))
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

    def show_form(
        self,
        page_request: PageRequest,
        *,
        user: str = "",
        problem: str = "",
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> web.Response:
        words, form = page_request.words, login_http.secret(page_request.request, login_http.FORM)
        hidden = {**page_request.given, "form": form}
        host = page_request.goal.place if page_request.goal is not None else ""
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

    def _find_goal(self, request: web.BaseRequest, given: dict[str, str]) -> login_judge.Goal | None:
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
