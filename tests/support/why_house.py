"""A gate whose sites are each broken in another way, and the servers behind it, for `daemun why`."""

import base64
import collections.abc
import contextlib
import dataclasses
import datetime
import pathlib
import time

from tests.support import bad_servers, own_certificates, ports

_HASH = "$2b$04$abcdefghijklmnopqrstuu5s6vdNZS3aV9cH1OzFGLXeTZ2yJpXhC"
"""Of no password that is known."""

Headers = collections.abc.Mapping[str, str]

_BIG_COOKIE = b"Set-Cookie: a=" + b"x" * 90_000 + b"\r\n"


def answer(status: str, body: bytes = b"", *lines: str) -> bytes:
    head = "".join(f"{line}\r\n" for line in lines)
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{head}\r\n".encode() + body


def _pages(path: str, headers: Headers) -> bytes:
    """What the one good server answers, by the name in Host."""
    scene = headers.get("Host", "").split(".")[0].split(":")[0]
    match scene:
        case "cut":
            return b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nConnection: close\r\n\r\nshort"
        case "bighead":
            return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + _BIG_COOKIE + b"\r\n"
        case "slow":
            time.sleep(1.6)
            return answer("200 OK")
        case "app404":
            return answer("404 Not Found", b"nothing")
        case "app500":
            return answer("500 Internal Server Error", b"oops")
        case "app502":
            return answer("502 Bad Gateway", b"another proxy")
        case "hosts400":
            return answer("400 Bad Request", b"DisallowedHost")
        case "unstripped" if path.startswith("/app"):
            return answer("404 Not Found")
        case "stripped" if not path.startswith("/app"):
            return answer("404 Not Found")
        case "loop" | "loopwww":
            to = "https://loop.test/" if scene == "loop" else "https://www.loopwww.test/"
            return answer("301 Moved Permanently", b"", f"Location: {to}")
        case "tohttp" if path != "/login":
            return answer("302 Found", b"", "Location: http://tohttp.test/login")
        case "inside":
            return answer("302 Found", b"", "Location: http://127.0.0.1:8123/login")
        case "mixed":
            page = b'<html><script src="http://mixed.test/app.js"></script></html>'
            return answer("200 OK", page, "Content-Type: text/html")
        case "cookiedomain":
            return answer("200 OK", b"", "Set-Cookie: sid=1; Domain=other.test; Path=/")
        case "cookiesecure":
            return answer("200 OK", b"", "Set-Cookie: sid=1; Secure; Path=/")
        case "cookienone":
            return answer("200 OK", b"", "Set-Cookie: sid=1; SameSite=None; Path=/")
        case "upgrade":
            return answer("400 Bad Request", b"no websocket here")
    return answer("200 OK", b"well", "Content-Type: text/plain")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """configuration: of daemun.yaml below `listen`. ports: of the servers."""

    configuration: str


@contextlib.contextmanager
def built(root: pathlib.Path) -> collections.abc.Iterator[House]:
    """root: where files may be put."""
    with contextlib.ExitStack() as stack:
        good = stack.enter_context(bad_servers.running(_pages)).port
        pair = own_certificates.make("server.test")
        tls = stack.enter_context(bad_servers.running(tls=bad_servers.server_context(root, pair))).port
        ssh = stack.enter_context(bad_servers.speaking(b"SSH-2.0-OpenSSH_9.2\r\n"))
        closes = stack.enter_context(bad_servers.speaking(b""))
        dead = ports.free_port()
        yield House(configuration=_configuration(root, good=good, tls=tls, ssh=ssh, closes=closes, dead=dead))


def _configuration(root: pathlib.Path, *, good: int, tls: int, ssh: int, closes: int, dead: int) -> str:
    expired = own_certificates.make("expired.test", starts=-10 * own_certificates.DAY, ends=-own_certificates.DAY)
    (root / "expired.pem").write_bytes(expired.chain)
    (root / "expired.key").write_bytes(expired.key)
    other = own_certificates.make("another-name.test")
    (root / "other.pem").write_bytes(other.chain)
    (root / "other.key").write_bytes(other.key)
    public = root / "public"
    (public / "empty").mkdir(parents=True)
    (public / "index.html").write_text("home")
    web = f"http://127.0.0.1:{good}"
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    return f"""
login: {{host: login.test}}
sites:
  well.test: {web}
  xn--mnchen-3ya.test: {web}
  refused.test: http://127.0.0.1:{dead}
  unresolved.test: http://no-such-server.invalid:8000
  wantstls.test: http://127.0.0.1:{tls}
  wantshttp.test: {{routes: {{/: {{to: "https://127.0.0.1:{good}", verify: false}}}}}}
  badcert.test: {{routes: {{/: {{to: "https://127.0.0.1:{tls}", server_name: server.test}}}}}}
  nohold.test: {{routes: {{/: {{to: "http://127.0.0.1:{dead}", hold: off}}}}}}
  ssh.test: http://127.0.0.1:{ssh}
  closes.test: http://127.0.0.1:{closes}
  nosocket.test: "http://unix:{root}/no.sock"
  cut.test: {web}
  bighead.test: {web}
  slow.test: {{routes: {{/: {{to: "{web}", timeout: {{read: 1s}}, retries: 0, hold: off}}}}}}
  app404.test: {web}
  app500.test: {web}
  app502.test: {web}
  hosts400.test: {web}
  unstripped.test: {{/app/: "{web}"}}
  stripped.test: {{/app/: "{web}/"}}
  loop.test: {web}
  loopwww.test: {{aliases: [www.loopwww.test], redirect_aliases: true, routes: {{/: "{web}"}}}}
  tohttp.test: {{http: serve, routes: {{/: "{web}"}}}}
  inside.test: {web}
  off.test: {{enabled: false, routes: {{/: "{web}"}}}}
  closed.test: {{maintenance: {{until: "{until:%Y-%m-%dT%H:%M}Z"}}, routes: {{/: "{web}"}}}}
  noroute.test: {{/api/: "{web}"}}
  nowhen.test: {{routes: {{/: [{{when: {{method: POST}}, to: "{web}"}}]}}}}
  denied.test: {{routes: {{/: "{web}", /private/: {{deny: true}}}}}}
  allow.test: {{access: {{allow: [203.0.113.0/24]}}, routes: {{/: "{web}"}}}}
  deny.test: {{access: {{deny: [198.51.100.0/24]}}, routes: {{/: "{web}"}}}}
  basic.test: {{access: {{basic_auth: {{users: {{alice: "{_HASH}"}}}}}}, routes: {{/: "{web}"}}}}
  signin.test: {{access: {{login: true}}, routes: {{/: "{web}"}}}}
  judge.test: {{access: {{forward_auth: {{url: "http://127.0.0.1:{dead}/auth", kind: nginx}}}}, routes: {{/: "{web}"}}}}
  device.test: {{access: {{client_certificates: local}}, routes: {{/: "{web}"}}}}
  rate.test: {{access: {{rate_limit: 1/m}}, routes: {{/: "{web}"}}}}
  files.test: {{routes: {{/: {{files: "{public}"}}}}}}
  upgrade.test: {web}
  mixed.test: {web}
  cookiedomain.test: {web}
  cookiesecure.test: {{http: serve, routes: {{/: "{web}"}}}}
  cookienone.test: {web}
  expired.test: {{tls: {{certificate: "{root}/expired.pem", key: "{root}/expired.key"}}, routes: {{/: "{web}"}}}}
  othername.test: {{tls: {{certificate: "{root}/other.pem", key: "{root}/other.key"}}, routes: {{/: "{web}"}}}}
  plain.test: {{tls: off, routes: {{/: "{web}"}}}}
  nohttp.test: {{http: off, routes: {{/: "{web}"}}}}
  body.test: {{routes: {{/: {{to: "{web}", max_body: 1k}}}}}}
"""


def basic(user: str, password: str) -> str:
    return f"Authorization: Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
