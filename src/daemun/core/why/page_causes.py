"""What is wrong with an answer that came, as a browser takes it: links with http, cookies that get lost, redirects that
cannot be followed. Pure."""

import collections.abc
import dataclasses
import re
import urllib.parse

from daemun.core.texts import names, words
from daemun.core.why import url_facts

Causes = collections.abc.Iterator[url_facts.Cause]

_LINK = re.compile(r"""(?:src|href|action|url)\s*[=(]\s*["']?(http://[^"'\s<>)]{1,2000})""", re.IGNORECASE)
LOST = "cookie-lost"
_MOST_HOPS = 10
_TRUST = (
    "let the application believe X-Forwarded-Proto from this machine (its setting is called trusted proxies, or behind "
    "a proxy), or set its base URL to https://{host}"
)


def find(facts: url_facts.UrlFacts) -> Causes:
    """Of the answer, and of those that redirects on the same host lead to."""
    for visit in facts.visits[:_MOST_HOPS]:
        if visit.url.host == facts.url.host:
            yield from _of_visit(dataclasses.replace(facts, url=visit.url, visits=(visit,)))


def _of_visit(facts: url_facts.UrlFacts) -> Causes:
    answer = facts.answer
    if answer is None or answer.status >= 400:
        return
    yield from _of_location(facts, answer)
    yield from _of_links(facts, answer)
    for line in answer.every("set-cookie")[:20]:
        yield from _of_cookie(facts, line)


def _of_location(facts: url_facts.UrlFacts, answer: url_facts.HttpAnswer) -> Causes:
    if answer.location is None:
        return
    url = facts.url
    try:
        there = urllib.parse.urlsplit(urllib.parse.urljoin(str(url), answer.location))
        port = there.port
    except ValueError:
        shown = words.quoted(answer.location)
        yield url_facts.Cause(kind="redirect-nowhere", cause=f"it redirects to {shown}, which is no URL", cure=None)
        return
    host = there.hostname or ""
    shown = words.quoted(answer.location, at_most=120)
    if host != url.host and _is_inner(host) and not _is_inner(url.host.strip("[]")):
        yield url_facts.Cause(
            kind="redirect-inside",
            cause=f"it redirects visitors to {shown}, an address that only this machine or its network knows",
            cure=_TRUST.format(host=url.host) + "; it must also believe Host, or X-Forwarded-Host",
        )
    elif host == url.host and url.is_https and there.scheme == "http":
        yield url_facts.Cause(
            kind="redirect-to-http",
            cause=f"the application redirects visitors who came by https to {shown}: it does not see that they did",
            cure=_TRUST.format(host=url.authority),
        )
    elif host == url.host and port is not None and port != url.effective_port and not _is_gates(facts, port):
        whose = "of the server behind the gate" if _is_servers(facts, port) else "where the gate does not listen"
        yield url_facts.Cause(
            kind="redirect-port",
            cause=f"it redirects visitors to {shown}, with a port {whose}",
            cure=_TRUST.format(host=url.authority) + "; some take the port from X-Forwarded-Port",
        )


def _is_gates(facts: url_facts.UrlFacts, port: int) -> bool:
    return port in {80, 443, *(one.port for one in (*facts.listening, *facts.other_listening))}


def _is_servers(facts: url_facts.UrlFacts, port: int) -> bool:
    return any(urllib.parse.urlsplit(one.written).netloc.endswith(f":{port}") for one in facts.servers)


def _is_inner(host: str) -> bool:
    address = names.address_of(host)
    if address is not None:
        return address.is_private
    return "." not in host or host.endswith(".localhost")


def _of_links(facts: url_facts.UrlFacts, answer: url_facts.HttpAnswer) -> Causes:
    """Links of a page to itself by plain HTTP, which browsers do not load in a page of HTTPS."""
    if not facts.url.is_https or "html" not in (answer.header("content-type") or "").lower():
        return
    for match in _LINK.finditer(answer.body):
        try:
            host = urllib.parse.urlsplit(match[1]).hostname
        except ValueError:
            continue
        if host == facts.url.host:
            yield url_facts.Cause(
                kind="mixed-content",
                cause=f"the page names parts of itself with http ({words.quoted(match[1], at_most=120)}), which "
                "browsers do not load in a page of https: the application does not see that visitors use https",
                cure=_TRUST.format(host=facts.url.authority),
            )
            return


def _of_cookie(facts: url_facts.UrlFacts, line: str) -> Causes:
    """RFC 6265 section 5.3, and its successor (rfc6265bis) for SameSite and prefixes."""
    pair, *rest = line.split(";")
    name = pair.partition("=")[0].strip()
    given = {key.strip().lower(): value.strip() for key, _, value in (one.partition("=") for one in rest)}
    url, shown = facts.url, words.quoted(name, at_most=60)
    domain = given.get("domain", "").lstrip(".").lower()
    is_secure = "secure" in given

    def lost(why: str, cure: str) -> url_facts.Cause:
        return url_facts.Cause(kind=LOST, cause=f"browsers drop the cookie {shown}: {why}", cure=cure)

    if domain and url.host != domain and not url.host.endswith(f".{domain}"):
        yield lost(
            f"its Domain is {words.quoted(domain, at_most=100)}, and the page is of {url.host}",
            "let the application set cookies without Domain, or for the name that visitors use",
        )
    elif is_secure and not url.is_https and url.host != "localhost":
        yield lost(
            "it is Secure, and the page is visited by plain HTTP",
            "visit it by https (`http: redirect`, and a site without `tls: off`)",
        )
    elif given.get("samesite", "").lower() == "none" and not is_secure:
        yield lost(
            "it has SameSite=None without Secure",
            "let the application set Secure: it does where it sees that visitors use https (X-Forwarded-Proto)",
        )
    elif (name.startswith("__Secure-") and not is_secure) or (name.startswith("__Host-") and not _is_host(given)):
        yield lost(
            "its name begins with __Host- or __Secure-, and it lacks what that demands (Secure; for __Host- also "
            "Path=/ and no Domain)",
            "let the application set it so: it does where it sees that visitors use https (X-Forwarded-Proto)",
        )
    elif (path := given.get("path", "/")).startswith("/") and not _covers(path, url.path):
        yield lost(
            f"its Path is {words.quoted(path, at_most=100)}, and the page is {words.quoted(url.path, at_most=100)}, so "
            "it is never sent back",
            "set the application's base path to that of the route, or set `translate` of the route",
        )


def _is_host(given: dict[str, str]) -> bool:
    return "secure" in given and given.get("path") == "/" and "domain" not in given


def _covers(path: str, requested: str) -> bool:
    """RFC 6265 section 5.1.4. A cookie for a part of the folder of the page is sent there."""
    folder = requested.rpartition("/")[0] + "/"
    whole = path if path.endswith("/") else f"{path}/"
    return requested == path or requested.startswith(whole) or whole.startswith(folder)
