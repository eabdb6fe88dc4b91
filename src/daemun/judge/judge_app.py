"""What nginx requests of the judge, and what the daemon does: HTTP over two unix sockets.

nginx: GET /judge/NAME/DIGEST with `Authorization` and `X-Real-IP`. Its `auth_request` knows 2xx, 401 and 403 only
(nginx.org/r/auth_request), so what is neither in nor out is a 401 with what the visitor is to get in `X-Daemun-Answer`.

With `X-Daemun-Session` instead where people sign in (`login_judge`), or `X-Daemun-Token` of a script (`token_judge`);
what is neither of both is a page of the sign-in (`login_app`).

The daemon, whose account is checked (SO_PEERCRED, unix(7)): GET /status, PUT /policies, PUT /users, PUT /tokens,
PUT /secrets (of identity providers), GET /sessions, POST /sessions/find, POST /sessions/end, POST /forget (a network),
POST /end; in a fleet POST /sign-ins/changes and POST /sign-ins/take (`sign_in_changes`).
"""

import asyncio
import collections.abc
import json
import os
import re
import socket
import struct
import types

from aiohttp import web

from daemun.core.access import access_tokens, judge_policies, login_users
from daemun.judge import (
    account,
    account_app,
    invitation_app,
    invitations,
    login_app,
    login_judge,
    passkey_app,
    passkeys,
    password_check,
    provider_app,
    provider_sign_in,
    saved_sessions,
    shared_sign_ins,
    sign_in,
    sign_in_changes,
    token_judge,
)
from daemun.judge.providers import provider_requests

_PATH = re.compile(r"/judge/(?P<name>[a-z0-9_.-]+)/(?P<digest>[0-9a-f]{32})\Z")
_UCRED = struct.Struct("3i")
_GOES_THERE = re.compile(r"(?:GET|HEAD) html\Z")
"""Who is sent to the page of the sign-in."""
_UNKEPT = {"Cache-Control": "no-store"}
_CHALLENGE = 'Bearer realm="daemun"'
"""RFC 6750 section 3."""


class JudgeApp:
    """ended: set when the daemon requests the end. has_policies: whether it ever sent any."""

    def __init__(
        self,
        judge: sign_in.SignIn,
        verifier: password_check.Verifier,
        sessions: saved_sessions.SavedSessions,
        *,
        now: collections.abc.Callable[[], float],
        version: str,
        owner_uid: int,
        client: provider_requests.ProviderClient | None = None,
        passkey_check: types.ModuleType | None = None,
        draw: collections.abc.Callable[[str], str] | None = None,
    ) -> None:
        """now: seconds since the epoch. client: None: people cannot sign in at identity providers. passkey_check: the
        module; None: nor by passkeys. draw: `qr_code.draw`; None: pages have no pictures."""
        self._judge = judge
        self._login = login_judge.LoginJudge(judge, sessions, now)
        own = account.UserAccount(self._login.known, sessions, judge, verifier, now)
        invited = invitations.Invitations(self._login.known, sessions, verifier, now)
        own_passkeys = None
        if passkey_check is not None:
            own_passkeys = passkeys.Passkeys(passkey_check, self._login, own, judge, now)
        self._pages = login_app.LoginApp(self._login, own_passkeys)
        accounts = account_app.AccountApp(self._login, own, has_passkeys=own_passkeys is not None, draw=draw)
        self._pages.add(accounts.handlers | invitation_app.InvitationApp(self._login, invited).handlers)
        if own_passkeys is not None:
            self._pages.add(passkey_app.PasskeyApp(self._login, self._pages, accounts, own_passkeys).handlers)
        self._has_passkeys = own_passkeys is not None
        self._tokens = token_judge.TokenJudge(judge, self._login.find_user, now)
        self._providers = provider_sign_in.ProviderSignIn(self._login, client, now)
        self._provider_pages = provider_app.ProviderApp(self._login, self._pages, self._providers)
        self._has_client = client is not None
        self._changes = sign_in_changes.SignInChanges(self._login, sessions.table, now)
        self._sessions = sessions
        self._verifier = verifier
        self._version = version
        self._owner_uid = owner_uid
        self.ended = asyncio.Event()
        self.has_policies = False

    async def answer_nginx(self, request: web.BaseRequest) -> web.StreamResponse:
        match = _PATH.match(request.path)
        if match is None:
            takes = self._provider_pages.takes(request.path)
            return await (self._provider_pages if takes else self._pages).answer(request)
        policy = self._judge.find(match["name"], match["digest"])
        if isinstance(policy, judge_policies.LoginPolicy):
            headers = request.headers
            secret, host = headers.get("X-Daemun-Session", ""), headers.get("X-Forwarded-Host", "")
            if (token := headers.get("X-Daemun-Token", "")) != "":
                return _respond_to_token(self._tokens.judge(policy, token, host, headers.get("X-Real-IP", "")))
            return _respond_signed_in(await self._login.judge(policy, secret, host), headers.get("X-Daemun-Goes", ""))
        answer = await self._judge.answer(
            match["name"],
            match["digest"],
            request.headers.get("Authorization"),
            request.headers.get("X-Real-IP", ""),
        )
        return _respond(answer)

    async def answer_daemon(self, request: web.BaseRequest) -> web.StreamResponse:
        if _find_peer(request) not in {self._owner_uid, 0}:
            return web.Response(status=403)
        handle = {
            ("GET", "/status"): self._show_status,
            ("PUT", "/policies"): self._take_policies,
            ("PUT", "/users"): self._take_users,
            ("PUT", "/tokens"): self._take_tokens,
            ("PUT", "/secrets"): self._take_secrets,
            ("GET", "/sessions"): self._list_sessions,
            ("POST", "/sessions/find"): self._find_session,
            ("POST", "/sessions/end"): self._end_sessions,
            ("POST", "/sign-ins/changes"): self._wait_for_changes,
            ("POST", "/sign-ins/take"): self._take_sign_ins,
            ("POST", "/forget"): self._forget,
            ("POST", "/end"): self._end,
        }.get((request.method, request.path))
        return web.Response(status=404) if handle is None else await handle(request)

    async def _show_status(self, _: web.BaseRequest) -> web.Response:
        return web.json_response(self._status())

    async def _end(self, _: web.BaseRequest) -> web.Response:
        self.ended.set()
        return web.json_response({})

    async def _forget(self, request: web.BaseRequest) -> web.Response:
        self._judge.forget((await request.content.read(256)).decode(errors="replace"))
        return web.json_response(self._status())

    async def _take_policies(self, request: web.BaseRequest) -> web.Response:
        try:
            policies = judge_policies.decode(await request.content.read())
        except (ValueError, KeyError, TypeError, AttributeError):
            return web.Response(status=400)
        self._judge.set_policies(policies)
        await self._login.set_policies(policies)
        self._providers.set_policies(policies)
        self.has_policies = True
        return web.json_response(self._status())

    async def _take_users(self, request: web.BaseRequest) -> web.Response:
        try:
            users = login_users.decode(await request.content.read())
        except (ValueError, KeyError, TypeError, AttributeError):
            return web.Response(status=400)
        await self._login.set_users(users)
        return web.json_response(self._status())

    async def _take_tokens(self, request: web.BaseRequest) -> web.Response:
        try:
            tokens = access_tokens.decode(await request.content.read())
        except (ValueError, KeyError, TypeError, AttributeError):
            return web.Response(status=400)
        self._tokens.set_tokens(tokens)
        return web.json_response(self._status())

    async def _take_secrets(self, request: web.BaseRequest) -> web.Response:
        try:
            await self._providers.set_secrets(provider_sign_in.read_secrets(await request.content.read()))
        except (ValueError, KeyError, TypeError, AttributeError, OSError):
            return web.Response(status=400)
        return web.json_response(self._status())

    async def _list_sessions(self, _: web.BaseRequest) -> web.Response:
        return web.json_response({"sessions": await self._login.list_sessions()})

    async def _wait_for_changes(self, request: web.BaseRequest) -> web.Response:
        try:
            wanted = json.loads(await request.content.read())
            after, instance = int(wanted["after"]), str(wanted["instance"])
        except (ValueError, KeyError, TypeError):
            return web.Response(status=400)
        await self._sessions.ready.wait()
        if not self._changes.is_ready:
            return web.Response(status=503)
        return web.json_response(await self._changes.wait(after, instance))

    async def _take_sign_ins(self, request: web.BaseRequest) -> web.Response:
        try:
            records = [shared_sign_ins.check(one) for one in json.loads(await request.content.read())["records"]]
            await self._sessions.ready.wait()
            if not self._changes.is_ready:
                return web.Response(status=503)
            await self._changes.take(records)
        except (ValueError, LookupError, TypeError, AttributeError):
            return web.Response(status=400)
        return web.json_response({"saved": await self._sessions.save()})

    async def _find_session(self, request: web.BaseRequest) -> web.Response:
        """Of the secret of a site's cookie, and its host: whose session it is. {}: nobody's."""
        try:
            wanted = json.loads(await request.content.read())
            secret, host = str(wanted["secret"]), str(wanted["host"])
        except (ValueError, KeyError, TypeError):
            return web.Response(status=400)
        found = await self._login.find_on(secret, host)
        if found is None:
            return web.json_response({})
        user, session = found
        return web.json_response({"user": user.name, "groups": list(user.groups), "id": session.number})

    async def _end_sessions(self, request: web.BaseRequest) -> web.Response:
        try:
            wanted = json.loads(await request.content.read())
            user, number = wanted.get("user"), wanted.get("id")
        except (ValueError, AttributeError):
            return web.Response(status=400)
        ended, is_saved = await self._login.end_sessions(user=user, number=number)
        return web.json_response({"ended": ended, "saved": is_saved})

    def _status(self) -> dict[str, object]:
        return {
            "version": self._version,
            "pid": os.getpid(),
            "verified": self._verifier.verified,
            "waits": {network: list(one) for network, one in self._judge.find_waits().items()},
            "sessions_saved": self._sessions.is_saved,
            "has_changes": self._login.known.has_changes,
            "reaches_providers": self._has_client,
            "takes_passkeys": self._has_passkeys,
        }


def _respond(answer: sign_in.PasswordAnswer) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    match answer.verdict:
        case sign_in.SignInVerdict.RIGHT:
            return web.Response(headers={"X-Daemun-User": answer.user})
        case sign_in.SignInVerdict.CHALLENGE:
            realm = answer.realm.replace("\\", r"\\").replace('"', r"\"")
            headers |= {"X-Daemun-Answer": "401", "WWW-Authenticate": f'Basic realm="{realm}", charset="UTF-8"'}
        case sign_in.SignInVerdict.WAIT:
            headers |= {"X-Daemun-Answer": "429", "Retry-After": str(answer.retry_after_s)}
        case sign_in.SignInVerdict.BUSY:
            headers |= {"X-Daemun-Answer": "503", "Retry-After": str(answer.retry_after_s)}
        case sign_in.SignInVerdict.UNKNOWN:
            headers |= {"X-Daemun-Answer": "503"}
    return web.Response(status=401, headers=headers)


def _respond_signed_in(judged: login_judge.JudgedVisitor, goes: str) -> web.Response:
    """goes: method and form of answer that the visitor wants. Programs learn that they may send a token."""
    if judged.user is None:
        challenge = {} if _GOES_THERE.match(goes) else {"WWW-Authenticate": _CHALLENGE}
        return web.Response(status=401, headers={**_UNKEPT, "X-Daemun-Answer": "302", **challenge})
    return _admit(judged.user) if judged.is_admitted else web.Response(status=403, headers=_UNKEPT)


def _respond_to_token(answer: token_judge.TokenAnswer) -> web.Response:
    match answer.verdict:
        case token_judge.TokenVerdict.RIGHT if answer.user is not None:
            return _admit(answer.user)
        case token_judge.TokenVerdict.FORBIDDEN:
            return web.Response(status=403, headers=_UNKEPT)
        case token_judge.TokenVerdict.WAIT:
            more = {"X-Daemun-Answer": "429", "Retry-After": str(answer.retry_after_s)}
        case _:
            more = {"X-Daemun-Answer": "401", "WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'}
    return web.Response(status=401, headers={**_UNKEPT, **more})


def _admit(user: login_users.User) -> web.Response:
    headers = {"X-Daemun-User": user.name, "X-Daemun-Groups": ",".join(user.groups)}
    headers |= {"X-Daemun-Email": user.email, "X-Daemun-Name": user.display}
    return web.Response(headers={name: value for name, value in headers.items() if value})


def _find_peer(request: web.BaseRequest) -> int | None:
    """The account of the process that connected; None: it is not known."""
    connection = request.get_extra_info("socket")
    if connection is None:
        return None
    found: bytes = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    _, uid, _ = _UCRED.unpack(found)
    return int(uid)


Handler = collections.abc.Callable[[web.BaseRequest], collections.abc.Awaitable[web.StreamResponse]]


def make_server(handle: Handler) -> web.Server:
    """Bounded: a line and a header have 8 KiB at most, a silent connection is closed."""
    return web.Server(handle, access_log=None, keepalive_timeout=15.0, max_line_size=8190, max_field_size=8190)
