"""An invitation over HTTP, on the host of the sign-in: /pages/invitation?token=SECRET, and its form."""

import re

from aiohttp import web

from daemun.core.access import login_users
from daemun.judge import account, invitation_pages, invitations, login_http, login_judge, login_pages

Words = login_pages.Words
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_PROBLEMS = {
    account.AccountResult.UNFIT: ("unfit", 400),
    account.AccountResult.DIFFERENT: ("different", 400),
    account.AccountResult.BUSY: ("busy", 503),
    account.AccountResult.UNSAVED: ("unsaved", 503),
}


class InvitationApp:
    """handlers: by method and path, for requests that nginx passes on."""

    def __init__(self, judge: login_judge.LoginJudge, own: invitations.Invitations) -> None:
        self._judge = judge
        self._invitations = own
        self.handlers: dict[tuple[str, str], login_http.Handler] = {
            ("GET", "/pages/invitation"): self._show,
            ("POST", "/pages/invitation"): self._take,
        }

    async def _show(self, request: web.BaseRequest, words: Words) -> web.Response:
        words = invitation_pages.extend(words)
        secret = request.query.get("token", "")
        return self._page(request, words, secret, await self._find(secret))

    async def _take(self, request: web.BaseRequest, words: Words) -> web.Response:
        words = invitation_pages.extend(words)
        sent = await login_http.read_form(request)
        secret = sent.get("token", "")
        user = await self._find(secret)
        if user is None:
            return self._page(request, words, secret, None)
        if not login_http.is_own(request, sent):
            return self._page(request, words, secret, user, problem=words["stale"], status=403)
        outcome = await self._invitations.accept(secret, sent.get("new", ""), sent.get("again", ""))
        if outcome.result is account.AccountResult.DONE:
            return await self._enter(request, user.name)
        if outcome.result not in _PROBLEMS:
            return self._page(request, words, secret, None)
        word, status = _PROBLEMS[outcome.result]
        problem = words[word].format(least=account.SHORTEST_PASSWORD)
        return self._page(request, words, secret, user, problem=problem, status=status)

    async def _find(self, secret: str) -> login_users.User | None:
        return await self._invitations.find(secret if _SECRET.match(secret) else "")

    async def _enter(self, request: web.BaseRequest, name: str) -> web.Response:
        """Signed in, in the place of whoever was, and on to the account."""
        await self._judge.sign_out(login_http.cookie(request, login_http.SESSION))
        secret = await self._judge.begin(name, login_http.visitor(request))
        if secret is None or self._judge.host is None:
            return login_http.redirect("/")
        answer = login_http.redirect("/account")
        login_http.keep(answer, login_http.SESSION, secret, max_age_s=self._judge.host.lifetime_s)
        return login_http.drop(answer, login_http.FORM)

    def _page(
        self,
        request: web.BaseRequest,
        words: Words,
        secret: str,
        user: login_users.User | None,
        *,
        problem: str = "",
        status: int = 200,
    ) -> web.Response:
        headers = dict(invitation_pages.HEADERS)
        if user is None:
            page = login_pages.message(words, "no_invitation_title", "no_invitation", link="/")
            return login_http.page(page, 404, headers)
        form = login_http.secret(request, login_http.FORM)
        hidden = {"form": form, "token": secret}
        page = invitation_pages.invitation(words, user=user, hidden=hidden, problem=problem)
        return login_http.keep(login_http.page(page, status, headers), login_http.FORM, form)
