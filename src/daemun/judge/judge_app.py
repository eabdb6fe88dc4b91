"""What nginx requests of the judge, and what the daemon does: HTTP over two unix sockets.

nginx: GET /judge/NAME/DIGEST with `Authorization` and `X-Real-IP`. Its `auth_request` knows 2xx, 401 and 403 only
(nginx.org/r/auth_request), so what is neither in nor out is a 401 with what the visitor is to get in `X-Daemun-Answer`.

The daemon, whose account is checked (SO_PEERCRED, unix(7)): GET /status, PUT /policies,
POST /forget (a network), POST /end.
"""

import asyncio
import collections.abc
import os
import re
import socket
import struct

from aiohttp import web

from daemun.core.access import judge_policies
from daemun.judge import password_check, sign_in

_PATH = re.compile(r"/judge/(?P<name>[a-z0-9_.-]+)/(?P<digest>[0-9a-f]{32})\Z")
_UCRED = struct.Struct("3i")

PROTOCOL = 1
"""Of the control socket, for a daemon of another version."""


class JudgeApp:
    """ended: set when the daemon requests the end. has_policies: whether it ever sent any."""

    def __init__(
        self, judge: sign_in.SignIn, verifier: password_check.Verifier, *, version: str, owner_uid: int
    ) -> None:
        self._judge = judge
        self._verifier = verifier
        self._version = version
        self._owner_uid = owner_uid
        self._requests = 0
        self.ended = asyncio.Event()
        self.has_policies = False

    async def answer_nginx(self, request: web.BaseRequest) -> web.StreamResponse:
        match = _PATH.match(request.path)
        if match is None:
            return web.Response(status=404)
        self._requests += 1
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
        match request.method, request.path:
            case "GET", "/status":
                return web.json_response(self._status())
            case "PUT", "/policies":
                return await self._take_policies(request)
            case "POST", "/forget":
                self._judge.forget((await request.content.read(256)).decode(errors="replace"))
                return web.json_response(self._status())
            case "POST", "/end":
                self.ended.set()
                return web.json_response({})
            case _:
                return web.Response(status=404)

    async def _take_policies(self, request: web.BaseRequest) -> web.Response:
        try:
            policies = judge_policies.decode(await request.content.read())
        except (ValueError, KeyError, TypeError, AttributeError):
            return web.Response(status=400)
        self._judge.set_policies(policies)
        self.has_policies = True
        return web.json_response(self._status())

    def _status(self) -> dict[str, object]:
        return {
            "protocol": PROTOCOL,
            "version": self._version,
            "pid": os.getpid(),
            "policies": self._judge.all_digest,
            "requests": self._requests,
            "verified": self._verifier.verified,
            "waiting": self._judge.count_waiting(),
            "waits": {network: list(one) for network, one in self._judge.find_waits().items()},
        }


def _respond(answer: sign_in.Answer) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    match answer.verdict:
        case sign_in.Verdict.RIGHT:
            return web.Response(headers={"X-Daemun-User": answer.user})
        case sign_in.Verdict.CHALLENGE:
            realm = answer.realm.replace("\\", r"\\").replace('"', r"\"")
            headers |= {"X-Daemun-Answer": "401", "WWW-Authenticate": f'Basic realm="{realm}", charset="UTF-8"'}
        case sign_in.Verdict.WAIT:
            headers |= {"X-Daemun-Answer": "429", "Retry-After": str(answer.retry_after_s)}
        case sign_in.Verdict.BUSY:
            headers |= {"X-Daemun-Answer": "503", "Retry-After": str(answer.retry_after_s)}
        case sign_in.Verdict.UNKNOWN:
            headers |= {"X-Daemun-Answer": "503"}
    return web.Response(status=401, headers=headers)


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
