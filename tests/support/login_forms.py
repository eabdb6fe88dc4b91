"""Forms of the sign-in's pages, found in what a browser received."""

import dataclasses
import html
import re
import urllib.parse

import httpx

from tests.support.login_browser import Browser


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """hidden: what goes with it."""

    action: str
    hidden: dict[str, str]


def find_all(page: httpx.Response) -> list[Form]:
    found = []
    for action, content in re.findall(r'<form method="post" action="([^"]+)"[^>]*>(.*?)</form>', page.text, re.DOTALL):
        pairs = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', content)
        found.append(Form(html.unescape(action), {name: html.unescape(value) for name, value in pairs}))
    return found


def find(page: httpx.Response, action: str, **hidden: str) -> Form:
    """The only one that is sent there and has these values."""
    (form,) = (one for one in find_all(page) if one.action == action and hidden.items() <= one.hidden.items())
    return form


def send(browser: Browser, page: httpx.Response, action: str, **fields: str) -> httpx.Response:
    """Fill it in and send it."""
    hidden = find(page, action).hidden
    return browser.send(urllib.parse.urljoin(browser.seen[-1], action), "POST", data={**hidden, **fields})
