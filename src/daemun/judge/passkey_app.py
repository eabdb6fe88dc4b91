"""Passkeys over HTTP, on the host of the sign-in, and their script.

POST /pages/passkey/begin, /pages/account/passkeys/begin    what a browser needs, as JSON, for the script
POST /pages/passkey                                         signs in
POST /pages/account/passkeys, /pages/account/passkeys/remove
"""

from aiohttp import web

from daemun.core.access import login_passkeys
from daemun.judge import account, account_app, login_app, login_http, login_judge, login_pages, passkey_pages, passkeys

Words = login_pages.Words
_JSON = {"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class PasskeyApp:
    """handlers: by method and path, for requests that nginx passes on."""

    def __init__(
        self,
        login: login_judge.LoginJudge,
        pages: login_app.LoginApp,
        accounts: account_app.AccountApp,
        own: passkeys.Passkeys,
    ) -> None:
        self._login = login
        self._pages = pages
        self._accounts = accounts
        self._passkeys = own
        self.handlers: dict[tuple[str, str], account_app.Handler] = {
            ("GET", "/pages/passkeys.js"): self._show_script,
            ("POST", "/pages/passkey/begin"): self._begin_use,
            ("POST", "/pages/passkey"): pages.taking(self._finish_use),
        }
        forms: dict[str, account_app.Form] = {
            "passkeys/begin": self._begin_creation,
            "passkeys": self._finish_creation,
            "passkeys/remove": self._remove,
        }
        self.handlers |= accounts.take(forms)

    async def _show_script(self, _: web.BaseRequest, __: Words) -> web.Response:
        return web.Response(body=passkey_pages.SCRIPT, headers=passkey_pages.SCRIPT_HEADERS)

    # --- signing in --------------------------------------------------------------------------------------------

    async def _begin_use(self, request: web.BaseRequest, _: Words) -> web.Response:
        sent = await login_http.read_form(request)
        if not login_http.is_own(request, sent):
            return web.Response(status=403)
        browser = login_http.cookie(request, login_http.FORM)
        options = self._passkeys.begin_use(browser, request.headers.get("X-Real-IP", ""), self._host)
        return web.Response(text=options, headers=_JSON)

    async def _finish_use(self, page_request: login_app.PageRequest) -> web.Response:
        request = page_request.request
        found = await self._passkeys.finish_use(
            login_http.cookie(request, login_http.FORM),
            page_request.sent.get("credential", ""),
            login_http.visitor(request),
            host=self._host,
            origin=self._origin(request),
        )
        if found.retry_after_s:
            return self._pages.refuse_for_now(page_request, found.retry_after_s)
        if not found.secret:
            problem = passkey_pages.extend(page_request.words)["passkey_wrong"]
            return self._pages.show_form(page_request, problem=problem, status=401)
        return await self._pages.enter(page_request, found.secret)

    # --- on the page of the account ----------------------------------------------------------------------------

    async def _begin_creation(self, posted: account_app.PostedForm) -> web.Response:
        options = self._passkeys.begin_creation(posted.visit, self._host)
        return web.Response(status=403) if options is None else web.Response(text=options, headers=_JSON)

    async def _finish_creation(self, posted: account_app.PostedForm) -> web.Response:
        posted.words = passkey_pages.extend(posted.words)
        if len(posted.visit.user.passkeys) >= login_passkeys.MOST_OF_A_USER:
            outcome = account.AccountOutcome(result=account.AccountResult.GONE)
            return await self._accounts.respond(posted, outcome, "", problem="passkeys_many")
        given = (posted.sent.get("name", ""), posted.sent.get("credential", ""))
        origin = self._origin(posted.request)
        outcome = await self._passkeys.finish_creation(posted.visit, *given, host=self._host, origin=origin)
        problem = "passkey_refused" if outcome.result is account.AccountResult.GONE else ""
        return await self._accounts.respond(posted, outcome, "done_passkey", problem=problem)

    async def _remove(self, posted: account_app.PostedForm) -> web.Response:
        posted.words = passkey_pages.extend(posted.words)
        outcome = await self._passkeys.remove(posted.visit, posted.sent.get("id", ""))
        return await self._accounts.respond(posted, outcome, "done_passkey_removed")

    # --- where it is -------------------------------------------------------------------------------------------

    @property
    def _host(self) -> str:
        """For which passkeys are (the RP ID)."""
        assert self._login.host is not None
        return self._login.host.host

    def _origin(self, request: web.BaseRequest) -> str:
        """Of the page, with the port that the visitor named."""
        return f"https://{self._host}{login_http.port(request.headers.get('X-Forwarded-Host', ''))}"
