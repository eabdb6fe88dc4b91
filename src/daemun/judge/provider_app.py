"""Signing in at identity providers, over HTTP: nginx passes the sign-in's host on.

POST /pages/begin           a button of the page: leads to the provider
GET /pages/callback/KEY     the provider leads back
"""

import re

from aiohttp import web

from daemun.core.access import login_url
from daemun.core.options import login_provider_form
from daemun.judge import login_app, login_http, login_judge, login_pages, provider_pages, provider_sign_in
from daemun.judge.providers.provider_error import ProviderError, ProviderFault

BROWSER = "__Host-daemun-provider"
_BROWSER_S = 3600
_CALLBACK = re.compile(r"/pages/callback/(?P<key>[a-z0-9.-]{1,255})\Z")
_STATUS = {
    ProviderFault.AWAY: 503,
    ProviderFault.SETTINGS: 502,
    ProviderFault.REFUSED: 403,
    ProviderFault.UNPROVEN: 502,
}


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
            return await self._pages.taking(self._begin)(request, words)
        if match is not None and request.method == "GET" and self._providers.find_name(match["key"]) is not None:
            return await self._finish(request, words, match["key"])
        return web.Response(status=404)

    async def _begin(self, page_request: login_app.PageRequest) -> web.Response:
        key = page_request.sent.get("provider", "")
        name = self._providers.find_name(key)
        if name is None:
            return self._pages.show_form(page_request, problem=page_request.words["again"], status=404)
        browser, visitor = login_http.secret(page_request.request, BROWSER), login_http.visitor(page_request.request)
        try:
            url = await self._providers.begin(key, browser, self._find_callback(key), visitor, **page_request.given)
        except provider_sign_in.WaitError as error:
            return self._pages.refuse_for_now(page_request, error.retry_after_s)
        except ProviderError as error:
            return self._fail(page_request, key, error)
        page = login_http.page(provider_pages.leaving(page_request.words, url=url, name=name))
        return login_http.keep(page, BROWSER, browser, max_age_s=_BROWSER_S)

    async def _finish(self, request: web.BaseRequest, words: login_pages.Words, key: str) -> web.Response:
        name, query = self._providers.find_name(key) or key, dict(request.query)
        browser, visitor = login_http.cookie(request, BROWSER), login_http.visitor(request)
        page_request = self._pages.make_page_request(request, words, {})
        try:
            found = await self._providers.finish(key, query, browser, visitor)
        except provider_sign_in.WaitError as error:
            return self._pages.refuse_for_now(page_request, error.retry_after_s)
        except provider_sign_in.StaleError:
            return login_http.page(login_pages.message(words, "over_title", "over", link="/"), 400)
        except provider_sign_in.NotAdmittedError as error:
            page = provider_pages.stranger(words, name=name, user=error.name, again="/")
            return login_http.page(page, 403)
        except ProviderError as error:
            return self._fail(page_request, key, error)
        page_request = self._pages.make_page_request(request, words, {"to": found.to, "challenge": found.challenge})
        return await self._pages.enter(page_request, found.secret)

    def _fail(self, page_request: login_app.PageRequest, key: str, error: ProviderError) -> web.Response:
        uri = self._find_callback(key)
        page = provider_pages.failed(
            page_request.words,
            name=self._providers.find_name(key) or key,
            error=error,
            uri=uri,
            again=provider_pages.find_again(page_request.given),
        )
        return login_http.page(page, _STATUS[error.fault])

    def _find_callback(self, key: str) -> str:
        """As `login_providers.find_callbacks`, which is what people register."""
        host = self._login.host
        assert host is not None
        return login_provider_form.callback(host.host, key, login_url.write_port(host.port))
