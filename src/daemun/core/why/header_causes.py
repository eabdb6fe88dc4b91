"""What the headers of a request have to do with its answer, and what browsers demand of the answer to a script of
another site. Pure."""

import collections.abc

from daemun.core.options import max_header_option, underscores_option
from daemun.core.texts import words
from daemun.core.why import requested_url, url_facts

Causes = collections.abc.Iterator[url_facts.Cause]
_OF_RULES = frozenset({401, 403, 404, 405, 501})


def find_preflight(facts: url_facts.UrlFacts) -> Causes:
    """OPTIONS, which browsers send ahead without cookies and passwords (fetch.spec.whatwg.org, "CORS protocol")."""
    answer, origin = facts.answer, facts.request.header("Origin")
    if answer is None or not _is_preflight(facts):
        return
    shown = words.quoted(origin, at_most=100)
    allowed = answer.header("access-control-allow-origin")
    if answer.status in _OF_RULES or answer.location is not None:
        what = f"the answer is {answer.status}, which is a no: they send no cookies and no password with it"
    elif 200 <= answer.status < 300 and allowed is None:
        what = "the answer has no Access-Control-Allow-Origin"
    else:
        return
    yield _cors(f"browsers ask ahead of a request of {shown} (OPTIONS), and {what}", shown)


def find_unreadable(facts: url_facts.UrlFacts) -> Causes:
    """Whether scripts of another site may read the answer, where --header names their Origin."""
    answer, origin = facts.answer, facts.request.header("Origin")
    own = f"{facts.url.scheme}://{facts.url.authority}"
    if answer is None or origin in {"", own} or facts.request.header("Upgrade") or not 200 <= answer.status < 300:
        return
    allowed = answer.every("access-control-allow-origin")
    shown = words.quoted(origin, at_most=100)
    if not allowed and not _is_preflight(facts):
        yield _cors(f"scripts of {shown} may not read the answer: it has no Access-Control-Allow-Origin", shown)
    elif len(allowed) > 1:
        yield _cors("the answer has Access-Control-Allow-Origin more than once, which browsers take for a no", shown)
    elif allowed and allowed[0] not in {"*", origin}:
        whose = words.quoted(allowed[0], at_most=100)
        yield _cors(f"scripts of {shown} may not read the answer: it is for {whose} alone", shown)


def _is_preflight(facts: url_facts.UrlFacts) -> bool:
    sent = facts.request
    return sent.method == "OPTIONS" and bool(sent.header("Origin") and sent.header("Access-Control-Request-Method"))


def _cors(cause: str, origin: str) -> url_facts.Cause:
    return url_facts.Cause(
        kind="cors",
        cause=cause,
        cure=f"set `cors: {{origins: [{origin}]}}` of the site, with which the gate itself answers what browsers ask "
        "ahead; or let the application allow that origin",
    )


def find_proxy_in_front(facts: url_facts.UrlFacts, location: str) -> Causes:
    """Something in front that has the certificate and speaks http with the gate, as --header shows it."""
    url, sent = facts.url, facts.request
    says_https = "https" in f"{sent.header('X-Forwarded-Proto')} {sent.header('CF-Visitor')}".lower()
    there = requested_url.join(url, location)
    if url.is_https or not says_https or there is None or not there.is_https or there.host != url.host:
        return
    yield url_facts.Cause(
        kind="redirect-loop",
        cause=f"what stands in front of the gate speaks http with it for visitors who use https: they are sent to "
        f"{words.quoted(str(there), at_most=100)}, where they are, without end",
        cure="let it speak https with the gate (at Cloudflare: the mode Full (strict)), or write its networks into "
        "`trusted_proxies`, so that its X-Forwarded-Proto is believed",
    )


def find_too_large(facts: url_facts.UrlFacts) -> Causes:
    """nginx does not log it where the log begins at warnings."""
    answer, most = facts.answer, max_header_option.OPTION.of(facts.settings)
    if answer is None or answer.status not in {400, 414}:
        return
    longest = max((len(f"{name}: {value}") for name, value in facts.request.headers), default=0)
    if longest > most and answer.status == 400:
        cause = (
            f"a header of the request is {longest} characters long, longer than the gate takes (`max_header`: {most})"
        )
        cure = "raise `max_header`; a cookie that long is deleted in the browser, and should be smaller"
        yield url_facts.Cause(kind="header-too-large", cause=cause, cure=cure)
    elif len(facts.url.sent) + 20 > most and answer.status == 414:
        cause = f"the URL is longer than the gate takes (`max_header`: {most})"
        yield url_facts.Cause(kind="url-too-long", cause=cause, cure="raise `max_header`, or send less in the URL")


def find_dropped(facts: url_facts.UrlFacts) -> Causes:
    """The server answers the same request in another way beside the gate."""
    answer, site = facts.answer, facts.site
    view = next((one for one in facts.servers if one.answer is not None and not one.is_judge), None)
    if answer is None or site is None or view is None or view.answer is None or answer.page_id is not None:
        return
    dropped = [name for name, _ in facts.request.headers if "_" in name]
    if dropped and not underscores_option.OPTION.of(site):
        yield url_facts.Cause(
            kind="header-dropped",
            cause=f"the gate drops the header {words.quoted(dropped[0], at_most=80)}, for its name has an underscore: "
            f"{view.server} answers {view.answer.status} with it, and the gate {answer.status}",
            cure=f"set `underscores_in_headers: true` of the site {site.host}, or send the header with a dash",
        )
