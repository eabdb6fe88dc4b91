"""A user's own account over HTTP, on the host of the sign-in: /pages/account, and what its forms are sent to.

What a form did is shown in its answer, never by an address that somebody else could write.
"""

import collections.abc

from aiohttp import web

from daemun.judge import (
    account,
    account_pages,
    account_words,
    login_http,
    login_judge,
    login_pages,
    one_time_codes,
    passkey_pages,
)

Words = login_pages.Words
Handler = login_http.Handler
Form = collections.abc.Callable[["PostedForm"], collections.abc.Awaitable[web.Response]]
_STATUS = {
    account.AccountResult.DONE: 200,
    account.AccountResult.WRONG: 401,
    account.AccountResult.UNFIT: 400,
    account.AccountResult.DIFFERENT: 400,
    account.AccountResult.WAIT: 429,
    account.AccountResult.BUSY: 503,
    account.AccountResult.UNCONFIRMED: 403,
    account.AccountResult.GONE: 409,
    account.AccountResult.UNSAVED: 503,
}
_WORDS = {
    account.AccountResult.WRONG: "wrong_present",
    account.AccountResult.UNFIT: "unfit",
    account.AccountResult.DIFFERENT: "different",
    account.AccountResult.WAIT: "wait",
    account.AccountResult.BUSY: "busy",
    account.AccountResult.UNCONFIRMED: "unconfirmed",
    account.AccountResult.GONE: "gone",
    account.AccountResult.UNSAVED: "unsaved",
}


class PostedForm:
    """A form of the page itself, sent by a user who is signed in."""

    __slots__ = ("request", "sent", "visit", "words")

    def __init__(
        self, request: web.BaseRequest, words: Words, sent: dict[str, str], visit: account.AccountVisit
    ) -> None:
        self.request = request
        self.words = words
        self.sent = sent
        self.visit = visit


class AccountApp:
    """handlers: by method and path, for requests that nginx passes on."""

    def __init__(
        self,
        judge: login_judge.LoginJudge,
        own: account.UserAccount,
        *,
        has_passkeys: bool,
        draw: collections.abc.Callable[[str], str] | None,
    ) -> None:
        """has_passkeys: whether there can be any (`passkey_app`). draw: a text as a QR code in HTML; None: there are no
        pictures."""
        self._judge = judge
        self._account = own
        self._has_passkeys = has_passkeys
        self._draw = draw
        forms: dict[str, Form] = {
            "sessions": self._end_sessions,
            "confirm": self._confirm,
            "password": self._change_password,
            "totp": self._begin_totp,
            "totp/finish": self._finish_totp,
            "totp/remove": self._remove_totp,
            "recovery": self._renew_recovery,
        }
        self.handlers: dict[tuple[str, str], Handler] = {("GET", "/pages/account"): self._show, **self.take(forms)}

    def take(self, forms: dict[str, Form]) -> dict[tuple[str, str], Handler]:
        """Handlers of forms below the page: for who is signed in, and sent by the page itself."""
        posts = {("POST", f"/pages/account/{name}"): self._taking(handle) for name, handle in forms.items()}
        return {**posts, **{("GET", path): self._go_back for _, path in posts}}

    async def _show(self, request: web.BaseRequest, words: Words) -> web.Response:
        visit = await self._find(request)
        if visit is None:
            return login_http.redirect("/")
        return self._page(request, account_words.extend(words), visit)

    async def _go_back(self, _: web.BaseRequest, __: Words) -> web.Response:
        """Nothing is changed by a link."""
        return login_http.redirect("/account")

    def _taking(self, handle: Form) -> Handler:
        async def take(request: web.BaseRequest, words: Words) -> web.Response:
            words = account_words.extend(words)
            sent = await login_http.read_form(request)
            visit = await self._find(request)
            if visit is None:
                return login_http.page(login_pages.message(words, "over_title", "again", link="/"), 401)
            if not login_http.is_own(request, sent):
                return self._page(request, words, visit, problem=words["stale"], status=403)
            return await handle(PostedForm(request, words, sent, visit))

        return take

    async def _find(self, request: web.BaseRequest) -> account.AccountVisit | None:
        address = request.headers.get("X-Real-IP", "")
        return await self._account.find(login_http.cookie(request, login_http.SESSION), address)

    # --- forms -------------------------------------------------------------------------------------------------

    async def _end_sessions(self, posted: PostedForm) -> web.Response:
        if "others" in posted.sent:
            outcome, done = await self._account.end_others(posted.visit), "done_others"
        else:
            outcome = await self._account.end_session(posted.visit, posted.sent.get("id", ""))
            done = "done_session"
        if outcome.result is account.AccountResult.UNSAVED:
            return await self.respond(posted, outcome, done, problem="unsaved_end")
        return await self.respond(posted, outcome, done)

    async def _confirm(self, posted: PostedForm) -> web.Response:
        outcome = await self._account.confirm(posted.visit, posted.sent.get("password", ""))
        return await self.respond(posted, outcome, "done_confirm")

    async def _change_password(self, posted: PostedForm) -> web.Response:
        given = (posted.sent.get(key, "") for key in ("present", "new", "again"))
        return await self.respond(posted, await self._account.change_password(posted.visit, *given), "done_password")

    async def _begin_totp(self, posted: PostedForm) -> web.Response:
        secret = self._account.begin_totp(posted.visit)
        if secret is None:
            return await self.respond(posted, account.AccountOutcome(result=account.AccountResult.UNCONFIRMED), "")
        return self._setup(posted, secret)

    async def _finish_totp(self, posted: PostedForm) -> web.Response:
        outcome = await self._account.finish_totp(posted.visit, posted.sent.get("code", ""))
        secret = self._account.find_setup(posted.visit)
        if outcome.result is account.AccountResult.WRONG and secret is not None:
            return self._setup(posted, secret, problem=posted.words["wrong_code"], status=401)
        return await self._show_codes(posted, outcome)

    async def _remove_totp(self, posted: PostedForm) -> web.Response:
        return await self.respond(posted, await self._account.remove_totp(posted.visit), "done_remove")

    async def _renew_recovery(self, posted: PostedForm) -> web.Response:
        return await self._show_codes(posted, await self._account.renew_recovery(posted.visit))

    # --- answers -----------------------------------------------------------------------------------------------

    async def _show_codes(self, posted: PostedForm, outcome: account.AccountOutcome) -> web.Response:
        if not outcome.codes:
            return await self.respond(posted, outcome, "")
        return login_http.page(account_pages.recovery(posted.words, outcome.codes))

    def _setup(self, posted: PostedForm, secret: str, *, problem: str = "", status: int = 200) -> web.Response:
        form = login_http.secret(posted.request, login_http.FORM)
        host = "" if self._judge.host is None else self._judge.host.host
        address = one_time_codes.make_address(secret, posted.visit.user.name, host)
        picture = "" if self._draw is None else self._draw(address)
        page = account_pages.setup(
            posted.words, form=form, secret=secret, address=address, picture=picture, problem=problem
        )
        return login_http.keep(login_http.page(page, status), login_http.FORM, form)

    async def respond(
        self, posted: PostedForm, outcome: account.AccountOutcome, done: str, problem: str = ""
    ) -> web.Response:
        """done, problem: of the words."""
        words = posted.words
        visit = await self._find(posted.request)  # the user is another now
        if visit is None:
            return login_http.page(login_pages.message(words, "over_title", "again", link="/"), 401)
        headers = {"Retry-After": str(outcome.retry_after_s)} if outcome.retry_after_s else {}
        if outcome.result is account.AccountResult.DONE:
            return self._page(posted.request, words, visit, done=words[done])
        text = words[problem or _WORDS[outcome.result]]
        text = text.format(seconds=outcome.retry_after_s, least=account.SHORTEST_PASSWORD)
        status = _STATUS[outcome.result]
        return self._page(posted.request, words, visit, problem=text, status=status, headers=headers)

    def _page(
        self,
        request: web.BaseRequest,
        words: Words,
        visit: account.AccountVisit,
        *,
        done: str = "",
        problem: str = "",
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> web.Response:
        form = login_http.secret(request, login_http.FORM)
        shown = account_pages.ShownAccount(
            user=visit.user,
            sessions=self._account.list_sessions(visit),
            is_recent=self._account.is_recent(visit),
            form=form,
            least=account.SHORTEST_PASSWORD,
            done=done,
            problem=problem,
        )
        sections: tuple[str, ...] = ()
        if self._has_passkeys:
            sections = passkey_pages.section(words, visit.user, {"form": form}, is_recent=shown.is_recent)
            headers = {**(headers or {}), **login_pages.WITH_SCRIPT}
        page = login_http.page(account_pages.account(words, shown, *sections), status, headers)
        return login_http.keep(page, login_http.FORM, form)
