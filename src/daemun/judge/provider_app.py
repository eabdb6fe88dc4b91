"""Signing in at identity providers, over HTTP: nginx passes the sign-in's host on.

POST /pages/begin           a button of the page: leads to the provider
GET /pages/callback/KEY     the provider leads back
"""

import re

from aiohttp import web

from daemun.core.access import login_url
from daemun.core.options import login_provider_form
from daemun.judge import login_app, login_http, login_judge, login_pages, provider_pages, provider_sign_in
from daemun.judge.providers.provider_error import Fault, ProviderError

BROWSER = "__Host-daemun-provider"
_BROWSER_S = 3600
_CALLBACK = re.compile(r"/pages/callback/(?P<key>[a-z0-9.-]{1,255})\Z")
_STATUS = {Fault.AWAY: 503, Fault.SETTINGS: 502, Fault.REFUSED: 403, Fault.UNPROVEN: 502}
_NOWHERE = {"to": "", "challenge": ""}


class ProviderApp:
    def __init__(
        self, login: login_judge.LoginJudge, pages: login_app.LoginApp, providers: provider_sign_in.ProviderSignIn
    ) -> None:
        self._login = login
        self._pages = pages
        self._providers = providers

    def takes(self, path: str) -> bool:
        return path == "/pages/begin" or _CALLBACK.match(path) is not None

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        words = login_pages.choose_words(request.headers.get("Accept-Language", ""))
        if self._login.host is None:
            return login_http.page(login_pages.message(words, "closed_title", "closed"), 503)
        match = _CALLBACK.match(request.path)
        if match is None and request.method == "POST":
            return await self._begin(request, words)
        if match is not None and request.method == "GET" and self._providers.find_name(match["key"]) is not None:
            return await self._finish(request, words, match["key"])
        return web.Response(status=404)

    async def _begin(self, request: web.BaseRequest, words: login_pages.Words) -> web.Response:
        sent = await login_http.read_form(request)
        given = {key: sent.get(key, "") for key in _NOWHERE}
        goal = self._pages.find_goal(request, given)
        if goal is None and any(given.values()):
            return login_http.page(login_pages.message(words, "foreign_title", "foreign"), 400)
        if not login_http.is_own(request, sent):
            return self._pages.ask(request, words, given, goal, problem=words["stale"], status=403)
        key = sent.get("provider", "")
        name = self._providers.find_name(key)
        if name is None:
            return self._pages.ask(request, words, given, goal, problem=words["again"], status=404)
        browser = login_http.secret(request, BROWSER)
        try:
            url = await self._providers.begin(key, browser, self._find_callback(key), _visitor(request), **given)
        except provider_sign_in.WaitError as error:
            return self._wait(request, words, given, error)
        except ProviderError as error:
            return self._fail(request, words, key, error, given)
        page = login_http.page(provider_pages.leaving(words, url=url, name=name))
        return login_http.keep(page, BROWSER, browser, max_age_s=_BROWSER_S)

    async def _finish(self, request: web.BaseRequest, words: login_pages.Words, key: str) -> web.Response:
        name, query = self._providers.find_name(key) or key, dict(request.query)
        try:
            found = await self._providers.finish(key, query, login_http.cookie(request, BROWSER), _visitor(request))
        except provider_sign_in.WaitError as error:
            return self._wait(request, words, _NOWHERE, error)
        except provider_sign_in.StaleError:
            return login_http.page(login_pages.message(words, "over_title", "over", link="/"), 400)
        except provider_sign_in.NotAdmittedError as error:
            page = provider_pages.stranger(words, name=name, user=error.name, again="/")
            return login_http.page(page, 403)
        except ProviderError as error:
            return self._fail(request, words, key, error, _NOWHERE)
        given = {"to": found.to, "challenge": found.challenge}
        goal = self._pages.find_goal(request, given)
        return await self._pages.enter(request, words, given, goal, found.secret)

    def _wait(
        self,
        request: web.BaseRequest,
        words: login_pages.Words,
        given: dict[str, str],
        error: provider_sign_in.WaitError,
    ) -> web.Response:
        problem = words["wait"].format(seconds=error.retry_after_s)
        retry, goal = {"Retry-After": str(error.retry_after_s)}, self._pages.find_goal(request, given)
        return self._pages.ask(request, words, given, goal, problem=problem, status=429, headers=retry)

    def _fail(
        self,
        request: web.BaseRequest,
        words: login_pages.Words,
        key: str,
        error: ProviderError,
        given: dict[str, str],
    ) -> web.Response:
        uri = self._find_callback(key)
        page = provider_pages.failed(
            words,
            name=self._providers.find_name(key) or key,
            error=error,
            uri=uri,
            again=provider_pages.find_again(given),
        )
        return login_http.page(page, _STATUS[error.fault])

    def _find_callback(self, key: str) -> str:
        """As `login_providers.find_callbacks`, which is what people register."""
        host = self._login.host
        assert host is not None
        return login_provider_form.callback(host.host, key, login_url.write_port(host.port))


def _visitor(request: web.BaseRequest) -> login_judge.Visitor:
    return login_judge.Visitor(
        address=request.headers.get("X-Real-IP", ""), agent=request.headers.get("User-Agent", "")
    )
