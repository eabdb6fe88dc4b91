"""A browser as far as daemun's own sign-in is concerned: keeps cookies, follows redirects, fills in forms."""

import html
import re
import typing
import urllib.parse

import httpx

from tests.support import clients

HTML = {"Accept": "text/html,application/xhtml+xml"}


class Browser:
    """Keeps cookies as browsers do, sends what they send, and follows redirects to any host of the gate."""

    _numbers = iter(range(1, 60_000))

    def __init__(self, gate: clients.GateAddress, *, http2: bool = False, language: str = "en") -> None:
        number = next(self._numbers)
        self.gate = gate
        self.address = f"198.18.{number // 250}.{number % 250}"
        self.jar: dict[str, dict[str, str]] = {}
        self.http2 = http2
        self.language = language
        self.seen: list[str] = []

    def send(self, url: str, method: str = "GET", *, data: typing.Any = None, **headers: typing.Any) -> httpx.Response:
        """One request."""
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
        sent = {**HTML, "Accept-Language": self.language, "X-Forwarded-For": self.address}
        if self.jar.get(host):
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar[host].items())
        body = b""
        if data is not None:
            body = urllib.parse.urlencode(data).encode()
            sent |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://{parts.netloc}"}
        sent = {key: value for key, value in {**sent, **headers}.items() if value != "-"}
        with clients.client(self.gate, http2=self.http2) as once:
            answer = once.request(method, url, content=body, headers=sent)
        for cookie in answer.headers.get_list("Set-Cookie"):
            self._keep(host, cookie)
        self.seen.append(url)
        return answer

    def _keep(self, host: str, cookie: str) -> None:
        name, _, value = cookie.partition(";")[0].partition("=")
        assert name.startswith("__Host-daemun-")
        flags = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"path=/", "secure", "httponly", "samesite=lax"} <= flags
        assert not any(flag.startswith("domain") for flag in flags)
        self.jar.setdefault(host, {})[name] = value
        if "max-age=0" in flags:
            del self.jar[host][name]

    def open(self, url: str) -> httpx.Response:
        """Follows redirects, and pages that lead on by themselves."""
        for _ in range(10):
            answer = self.send(url)
            there = answer.headers.get("Location") or find_refresh(answer)
            if not there:
                return answer
            url = urllib.parse.urljoin(url, there)
        raise AssertionError(f"no end: {self.seen}")

    def fill(self, page: httpx.Response, **fields: str) -> httpx.Response:
        """Send the form of a page."""
        return self.send(self.seen[-1], "POST", data={**find_hidden(page), **fields})

    def sign_in(self, url: str, user: str = "alice", password: str = "pw") -> httpx.Response:
        page = self.open(url)
        answer = self.fill(page, user=user, password=password)
        there = find_refresh(answer)
        assert there, answer.text
        return self.open(there)

    def value(self, host: str) -> str:
        return self.jar[host]["__Host-daemun-session"]


def find_refresh(answer: httpx.Response) -> str | None:
    match = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', answer.text)
    return None if match is None else html.unescape(match[1])


def find_hidden(page: httpx.Response) -> dict[str, str]:
    found = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    return {name: html.unescape(value) for name, value in found}
