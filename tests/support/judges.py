"""Stand-ins for servers that judge requests, each answering as its documentation says.

Sources: authelia.com/reference/guides/proxy-authorization, docs.goauthentik.io/docs/add-secure-apps/providers/proxy,
tinyauth.app/docs/guides/nginx-proxy-manager, oauth2-proxy.github.io/oauth2-proxy/features/endpoints,
doc.traefik.io/traefik/middlewares/http/forwardauth.
"""

import collections.abc
import contextlib
import dataclasses
import http.server
import json
import threading

from tests.support import serving

SESSION = "session=alice"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Judging = collections.abc.Callable[[Query], Judgement]


class Judge(http.server.ThreadingHTTPServer):
    """seen: every request, in order."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, judging: Judging, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.judging = judging
        self.seen: list[Query] = []
        self.lock = threading.Lock()

    @property
    def port(self) -> int:
        return self.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> Query:
        with self.lock:
            return self.seen[-1]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Judge

    def _judge(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        names = {name.lower(): value for name, value in self.headers.items()}
        query = Query(method=self.command, path=self.path, headers=names, body=body)
        with self.server.lock:
            self.server.seen.append(query)
        judged = self.server.judging(query)
        content = judged.body.encode()
        self.send_response(judged.status)
        for name, value in judged.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_HEAD = _judge  # noqa: N815 - names of the standard library

    def log_message(self, *_: object) -> None:
        """Nothing of it is of interest."""


@contextlib.contextmanager
def running(judging: Judging) -> collections.abc.Iterator[Judge]:
    with serving.in_thread(Judge(judging)) as judge:
        yield judge


def is_signed_in(query: Query) -> bool:
    return SESSION in query.headers.get("cookie", "")


def _url(query: Query) -> str:
    sent = query.headers
    return f"{sent['x-forwarded-proto']}://{sent['x-forwarded-host']}{sent['x-forwarded-uri']}"


def authelia(query: Query) -> Judgement:
    """No session: 302, 303 for what is no GET, HEAD or OPTIONS, 401 with Location for scripts. A bypass rule: 200
    without identity. A rule that forbids: 403. A domain that it does not know: 400."""
    sent = query.headers
    path = sent["x-forwarded-uri"]
    if not sent["x-forwarded-host"].startswith("app.test"):
        return Judgement(status=400, body="400 Bad Request")
    if path.startswith("/bypass/"):
        return Judgement(status=200)
    if path.startswith("/forbidden/"):
        return Judgement(status=403, body="403 Forbidden")
    if is_signed_in(query):
        told = (("Remote-User", "alice"), ("Remote-Groups", "family,admins"), ("Remote-Email", "alice@app.test"))
        fresh = ("authelia_session=new; Path=/; Expires=Wed, 09 Jun 2100 10:18:14 GMT", "second=2; Path=/")
        return Judgement(status=200, headers=(*told, *(("Set-Cookie", cookie) for cookie in fresh)))
    there = ("Location", f"https://auth.test/?rd={_url(query)}&rm={sent['x-forwarded-method']}")
    cookies = (("Set-Cookie", "authelia_session=1; Path=/"), ("Set-Cookie", "other=2; Path=/"))
    if sent.get("x-requested-with") == "XMLHttpRequest" or "text/html" not in sent.get("accept", "text/html"):
        return Judgement(status=401, headers=(there, *cookies), body="401 Unauthorized")
    status = 302 if sent["x-forwarded-method"] in {"GET", "HEAD", "OPTIONS"} else 303
    return Judgement(status=status, headers=(there, *cookies), body="302 Found")


def oauth2_proxy(query: Query) -> Judgement:
    """202, 401 or 403, never a Location; /oauth2/start leads to the provider, and back to X-Auth-Request-Redirect."""
    if query.path.startswith("/oauth2/start"):
        there = ("Location", "https://idp.test/authorize?state=" + query.headers["x-auth-request-redirect"])
        return Judgement(status=302, headers=(there, ("Set-Cookie", "_oauth2_proxy_csrf=1; Path=/")))
    if query.path.startswith("/oauth2/auth"):
        if "group=banned" in query.headers.get("cookie", ""):
            return Judgement(status=403)
        if is_signed_in(query):
            return Judgement(
                status=202, headers=(("X-Auth-Request-User", "alice"), ("X-Auth-Request-Email", "a@b.test"))
            )
        return Judgement(status=401, body="Unauthorized\n")
    return Judgement(status=200, body="page of oauth2-proxy " + json.dumps(query.headers.get("host")))


def authentik(query: Query) -> Judgement:
    """302 to its authorize URL with a cookie, or 200; its own pages are below /outpost.goauthentik.io/."""
    if not query.path.startswith("/outpost.goauthentik.io/auth/traefik"):
        return Judgement(status=200, body=f"page of the outpost for {query.headers['host']}")
    if is_signed_in(query):
        told = (("X-authentik-username", "alice"), ("X-authentik-groups", "family|admins"))
        return Judgement(status=200, headers=told)
    there = ("Location", "https://authentik.test/application/o/authorize/")
    return Judgement(status=302, headers=(there, ("Set-Cookie", "authentik_proxy_12345678=1; Path=/")))


def tinyauth(query: Query) -> Judgement:
    """307 to its page with the way back; 400 where the headers of both forms come."""
    if "x-original-url" in query.headers:
        return Judgement(status=400)
    if is_signed_in(query):
        return Judgement(status=200, headers=(("Remote-User", "alice"), ("Remote-Sub", "42")))
    return Judgement(status=307, headers=(("Location", f"https://tiny.test/login?redirect_uri={_url(query)}"),))


def of_nginx(query: Query) -> Judgement:
    """As nginx's auth_request wants it: 401 with the page in Location, or as a question for a password; 403."""
    sent = query.headers
    if is_signed_in(query):
        return Judgement(status=200, headers=(("X-User", "alice"),))
    if "/scripts/" in sent["x-original-url"]:
        return Judgement(status=401, headers=(("WWW-Authenticate", 'Basic realm="judge"'),))
    if "/forbidden/" in sent["x-original-url"]:
        return Judgement(status=403)
    return Judgement(status=401, headers=(("Location", f"https://sign.test/?to={sent['x-original-url']}"),))
