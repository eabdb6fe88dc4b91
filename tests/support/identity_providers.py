"""Identity providers: npm's oidc-provider, which is certified (openid.net/certification), and one that answers whatever
a test wants."""

import base64
import collections.abc
import contextlib
import dataclasses
import functools
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import shutil
import ssl
import tempfile
import threading
import time
import typing
import urllib.parse

import httpx
import pytest
from joserfc import jwk, jwt

from tests.support import programs, until

_HERE = pathlib.Path(__file__).parent
_ROOT = _HERE.parents[1]
_CACHE = pathlib.Path(os.environ["XDG_CACHE_HOME"], "daemun") if os.environ.get("XDG_CACHE_HOME") else _ROOT / ".cache"
CLIENT, SECRET = "daemun", "of:the/client+%"
"""The secret has signs that must be quoted (RFC 6749 section 2.3.1)."""

Claims = dict[str, typing.Any]


@functools.cache
def _find_folder() -> pathlib.Path:
    found = sorted(_CACHE.glob("oidc-provider-*/node_modules/oidc-provider/package.json"))
    if shutil.which("node") is None or not found:
        pytest.skip("oidc-provider is not installed; scripts/install-oidc-provider does it")
    return found[-1].parents[2]


@contextlib.contextmanager
def oidc_provider(
    port: int,
    redirect_uris: collections.abc.Sequence[str],
    accounts: collections.abc.Mapping[str, Claims],
    **client: typing.Any,
) -> collections.abc.Iterator[str]:
    """oidc-provider with one client (`CLIENT`). Anybody may sign in there with any password. Yields: the issuer."""
    issuer = f"http://127.0.0.1:{port}"
    ours = {"client_id": CLIENT, "client_secret": SECRET, "redirect_uris": list(redirect_uris), **client}
    configuration = json.dumps({"port": port, "clients": [ours], "accounts": accounts})
    command = ["node", str(_HERE / "oidc_server.mjs"), str(_find_folder()), configuration]
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder, "log")
        with programs.running(command, log, environment={**os.environ, "NODE_ENV": "test"}):
            until.true(lambda: "ready" in log.read_text())
            yield issuer


def sign_in_there(url: str, name: str) -> str:
    """What a browser does at oidc-provider. url: where daemun led it. Returns: where it is led back to."""
    with httpx.Client(timeout=60) as browser:
        for _ in range(10):
            answer = browser.get(url) if not url.startswith("submit ") else _submit(browser, url[7:], name)
            if answer.is_redirect:
                url = urllib.parse.urljoin(str(answer.request.url), answer.headers["Location"])
                if not url.startswith("http://127.0.0.1"):
                    return url
            elif 'name="login"' in answer.text:
                url = f"submit {answer.request.url}"
            else:
                raise AssertionError(f"{answer.status_code}: {answer.text}")
    raise AssertionError("it leads nowhere")


def _submit(browser: httpx.Client, url: str, name: str) -> httpx.Response:
    return browser.post(url, data={"prompt": "login", "login": name, "password": "any"})


GITHUB: dict[str, typing.Any] = {
    "/login/oauth/access_token": {"access_token": "gho_x", "scope": "read:org,user:email", "token_type": "bearer"},
    "/api/v3/user": {"login": "octocat", "id": 583231, "name": "The Octocat", "email": "public@example.com"},
    "/api/v3/user/emails": [
        {"email": "other@example.org", "verified": True, "primary": False, "visibility": None},
        {"email": "octocat@example.com", "verified": True, "primary": True, "visibility": "private"},
    ],
    "/api/v3/user/orgs": [{"login": "family", "id": 1}, {"login": "octo-org", "id": 2}],
}
"""What GitHub answers, on a server of one's own: docs.github.com/en/enterprise-server@3.17/apps/oauth-apps/
building-oauth-apps/authorizing-oauth-apps, .../rest/users/users, /emails, and .../rest/orgs/orgs."""


# --- one that answers whatever a test wants ------------------------------------------------------------------------


@functools.cache
def rsa_key() -> jwk.RSAKey:
    return jwk.RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})


@dataclasses.dataclass(slots=True)
class Pretender:
    """metadata, claims, keys: what differs from a good provider's. token: another ID token. answers: by path, what is
    answered instead. requests: what came, with its form."""

    issuer: str
    metadata: Claims = dataclasses.field(default_factory=dict)
    claims: Claims = dataclasses.field(default_factory=dict)
    userinfo: Claims = dataclasses.field(default_factory=dict)
    keys: list[Claims] = dataclasses.field(default_factory=lambda: [rsa_key().as_dict(private=False)])
    token: collections.abc.Callable[[Claims], str] | None = None
    answers: dict[str, collections.abc.Callable[[http.server.BaseHTTPRequestHandler], None]] = dataclasses.field(
        default_factory=dict
    )
    requests: list[tuple[str, dict[str, str], dict[str, str]]] = dataclasses.field(default_factory=list)
    nonce: str = ""

    def forget(self) -> None:
        """As a good one."""
        self.metadata, self.claims, self.userinfo, self.token = {}, {}, {}, None
        self.keys = [rsa_key().as_dict(private=False)]
        self.answers.clear()
        self.requests.clear()

    def find_metadata(self) -> Claims:
        ends = {"authorization_endpoint": "/auth", "token_endpoint": "/token", "jwks_uri": "/jwks"}
        ends |= {"userinfo_endpoint": "/me"}
        return {"issuer": self.issuer, **{key: f"{self.issuer}{path}" for key, path in ends.items()}, **self.metadata}

    def make_claims(self) -> Claims:
        now_s = int(time.time())
        found = {"iss": self.issuer, "aud": CLIENT, "sub": "42", "nonce": self.nonce, "exp": now_s + 300, "iat": now_s}
        found |= {"email": "eve@example.com", "email_verified": True, "name": "Eve"}
        return {key: one for key, one in {**found, **self.claims}.items() if one is not None}

    def make_token(self) -> str:
        claims = self.make_claims()
        return self.token(claims) if self.token is not None else sign(claims)


def sign(claims: Claims, key: typing.Any = None, algorithm: str = "RS256", **header: str) -> str:
    return jwt.encode({"alg": algorithm, "kid": "one", **header}, claims, key or rsa_key(), algorithms=[algorithm])


def without_signature(claims: Claims) -> str:
    """`alg: none`, which joserfc does not make of its own."""
    return f"{_join('none', claims)}."


def sign_with_text(claims: Claims, key: bytes) -> str:
    """HS256 with whatever may be no key of it."""
    content = _join("HS256", claims)
    return f"{content}.{_encode(hmac.new(key, content.encode(), hashlib.sha256).digest())}"


def _join(algorithm: str, claims: Claims) -> str:
    return ".".join(_encode(json.dumps(one).encode()) for one in ({"alg": algorithm, "kid": "one"}, claims))


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def answer_with(status: int, value: object, **headers: str) -> collections.abc.Callable[[typing.Any], None]:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        handler.send_response(status)
        for name, one in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
            handler.send_header(name, one)
        handler.end_headers()
        with contextlib.suppress(OSError):
            handler.wfile.write(content)

    return answer


@contextlib.contextmanager
def pretender(context: ssl.SSLContext | None = None) -> collections.abc.Iterator[Pretender]:
    """context: of TLS, for the name localhost."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urllib.parse.urlsplit(self.path).path
            length = int(self.headers.get("Content-Length") or 0)
            form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
            found.requests.append((path, form, dict(self.headers)))
            (found.answers.get(path) or default.get(path, answer_with(404, {})))(self)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    def show(make: collections.abc.Callable[[], object]) -> collections.abc.Callable[[typing.Any], None]:
        def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
            answer_with(200, make())(handler)

        return answer

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme, host = ("http", "127.0.0.1") if context is None else ("https", "localhost")
    found = Pretender(issuer=f"{scheme}://{host}:{server.server_port}")
    default = {
        "/.well-known/openid-configuration": show(found.find_metadata),
        "/jwks": show(lambda: {"keys": found.keys}),
        "/token": show(lambda: {"access_token": "a", "token_type": "Bearer", "id_token": found.make_token()}),
        "/me": show(lambda: {"sub": "42", **found.userinfo}),
        **{path: answer_with(200, value) for path, value in GITHUB.items()},
    }
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
