"""What `daemun why` sends to where a redirect leads: nothing that was meant for another site."""

import pytest

from daemun.core.why import condition_match, followed_redirects, requested_url, url_facts

FIRST = "https://a.example.com/"


def url(text: str) -> requested_url.RequestedUrl:
    return requested_url.parse(text)


def sent(where: str, *lines: str, first: str = FIRST, **headers: str) -> dict[str, str]:
    """The headers of a request to `where`, after an answer of `first` with these Set-Cookie lines."""
    answer = url_facts.HttpAnswer(status=302, headers=tuple(("set-cookie", line) for line in lines))
    request = condition_match.SentRequest(headers=tuple(headers.items()))
    cookies = followed_redirects.read_cookies(answer, url(first).host)
    return dict(followed_redirects.follow(url(where), url(first), request, cookies).headers)


@pytest.mark.parametrize(
    ("where", "is_sent"),
    [
        ("https://a.example.com/other", True),
        ("https://a.example.com:8443/", True),
        ("http://a.example.com/", False),
        ("https://b.example.com/", False),
        ("https://evil.test/", False),
    ],
)
def test_headers_of_the_owner_go_to_the_first_host_alone(where: str, is_sent: bool) -> None:
    found = sent(where, Authorization="Bearer s3cr3t", Accept="text/html")
    assert found == ({"Authorization": "Bearer s3cr3t"} if is_sent else {}) | {"Accept": "text/html"}


def test_a_redirect_to_https_keeps_them() -> None:
    assert sent("https://a.example.com/", first="http://a.example.com/", Cookie="a=b") == {"Cookie": "a=b"}


@pytest.mark.parametrize(
    ("line", "where", "is_sent"),
    [
        ("s=1; Path=/", "https://a.example.com/", True),
        ("s=1; Path=/", "https://b.example.com/", False),
        ("s=1; Path=/", "https://x.a.example.com/", False),
        ("s=1; Domain=example.com", "https://b.example.com/", True),
        ("s=1; domain = .example.com", "https://example.com/", True),
        ("s=1; Domain=example.com", "https://badexample.com/", False),
        ("s=1; Domain=evil.test", "https://evil.test/", False),
        ("s=1; Domain=com", "https://b.example.com/", False),
    ],
)
def test_cookies_go_where_a_browser_would_send_them(line: str, where: str, is_sent: bool) -> None:
    assert sent(where, line) == ({"Cookie": "s=1"} if is_sent else {})
