"""What the servers of a route have to do with an answer: they were queried beside the gate. Pure."""

import collections.abc
import html
import re
import urllib.parse

from daemun.core import model
from daemun.core.model import Trouble
from daemun.core.options import trailing_slash_option
from daemun.core.served import server_answers
from daemun.core.texts import words
from daemun.core.why import access_walk, change_causes, logged_errors, requested_url, url_facts

Causes = collections.abc.Iterator[url_facts.Cause]

_OWN_BUFFER = 4096
_MOST_PAGE = 1 << 14
_MOST_WORDS = 160
_HIDDEN = re.compile(r"<(script|style)\b[\s\S]*?(?:</\1\s*>|\Z)", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,2000}>")


def find_troubles(facts: url_facts.UrlFacts) -> Causes:
    """Servers that do not serve, first those that decide who may come in. A redirect to itself is `find_loop`'s."""
    for one in sorted(facts.servers, key=lambda one: not one.is_judge):
        if one.found.trouble is None or one.found.trouble is Trouble.LOOP or _has_sibling(facts, one):
            continue
        kind = one.found.trouble.name.lower().replace("_", "-")
        found = server_answers.of_judge(one.found) if one.is_judge else one.found
        whose = "judge" if one.is_judge else "server"
        cause, cure = found.cause or "", found.cure
        if one.open_at:
            there = [f"[{host}]" if ":" in host else host for host in one.open_at]
            port = urllib.parse.urlsplit(one.written).port
            cause = f"{cause}, and its port is open at {', '.join(there[:4])}"
            cure = f"write the target with {there[0]}{f':{port}' if port else ''}, or let the server listen on this "
            cure += "address, too"
        yield url_facts.Cause(kind=f"{whose}-{kind}", cause=cause, cure=cure)


def _has_sibling(facts: url_facts.UrlFacts, one: url_facts.QueriedServer) -> bool:
    """Whether the name of the target has another address, of the other family, at which the server is well: nginx
    tries that one next."""
    if one.found.trouble is not Trouble.REFUSED or facts.answer is None or facts.answer.status >= 500:
        return False
    return any(
        other.written == one.written
        and other.found.trouble is None
        and ("[" in other.server) is not ("[" in one.server)
        for other in facts.servers
    )


def find_loop(facts: url_facts.UrlFacts) -> Causes:
    """Redirects that lead round."""
    urls = [str(visit.url) for visit in facts.visits]
    last = facts.visits[-1] if facts.visits else None
    if last is None or last.answer is None or last.answer.location is None:
        return
    there = requested_url.join(last.url, last.answer.location)
    if there is None or str(there) not in urls:
        return
    looped = [*urls[urls.index(str(there)) :], str(there)]
    shown = " -> ".join(words.quoted(one, at_most=100) for one in looped[:5])
    looping = next((one for one in facts.servers if one.found.trouble is Trouble.LOOP), None)
    redirecting = next(
        (one for one in facts.servers if one.answer is not None and one.answer.location is not None), None
    )
    cause = f"the redirects go round without end: {shown}"
    if looping is not None:
        cure = looping.found.cure
        cause = f"{looping.server} redirects its own page, so the redirects go round without end: {shown}"
    elif redirecting is not None:
        cause = f"{redirecting.server} and the gate send visitors to each other without end: {shown}"
        slash = _find_slash(facts)
        cure = slash or (
            "let the application believe X-Forwarded-Proto and Host from this machine (trusted proxies), correct its "
            "base URL, or switch its own redirect off"
        )
    else:
        cure = "take one of the redirects of the file out, or let it lead elsewhere"
    yield url_facts.Cause(kind="redirect-loop", cause=cause, cure=cure)


def _find_slash(facts: url_facts.UrlFacts) -> str | None:
    """What to do where a slash at the end is all that the URLs differ in."""
    held = trailing_slash_option.OPTION.of(facts.site) if facts.site is not None else None
    if held in {None, trailing_slash_option.Slash.KEEP} or len({one.url.path.rstrip("/") for one in facts.visits}) > 1:
        return None
    return "take `trailing_slash` out of the site: the application wants its paths otherwise"


def find_of_answer(facts: url_facts.UrlFacts) -> Causes:
    """An error that is the server's own."""
    answer = facts.answer
    view = next(
        (one for one in facts.servers if answer and one.answer is not None and one.answer.status == answer.status), None
    )
    if view is None or answer is None:
        return
    known = (
        *_of_two_passwords(facts, view),
        *_of_prefix(facts, view),
        *change_causes.find(facts, view),
        *find_refused_upgrade(facts),
    )
    yield from known
    if known:
        return
    said = find_words(view.answer)
    yield url_facts.Cause(
        kind="server-answer",
        cause=f"the application itself answers {answer.status}: {view.server} does so beside the gate, too"
        + (f"; it says {said}" if said else ""),
        cure=find_cure(answer.status),
    )


def _of_two_passwords(facts: url_facts.UrlFacts, view: url_facts.QueriedServer) -> Causes:
    """The gate and the application want one each, and a request has room for one (RFC 9110 section 11.6.2)."""
    wanted = (view.answer.header("www-authenticate") or "").lower() if view.answer is not None else ""
    if facts.site is None or not wanted.startswith(("basic", "digest", "bearer")):
        return
    access = access_walk.find_held(facts.route, facts.site, facts.settings)
    if access.basic_auth is None:
        return
    yield url_facts.Cause(
        kind="two-passwords",
        cause=f"both the gate (`access.basic_auth`) and the application at {view.server} want a name and a password, "
        "and a request can carry one: the gate keeps that which was for it",
        cure="let one of them ask: take `basic_auth` out, or set `login` in its place, whose sessions are cookies; or "
        "switch the application's own password off",
    )


def find_uneven(facts: url_facts.UrlFacts) -> Causes:
    """One of several servers fails, and visitors who come to another do not see it."""
    views = [one for one in facts.servers if one.answer is not None and not one.is_judge]
    bad = [one for one in views if one.answer is not None and one.answer.status >= 500]
    if facts.answer is None or facts.answer.status >= 500 or not bad or len(bad) == len(views):
        return
    status = 0 if bad[0].answer is None else bad[0].answer.status
    said = find_words(bad[0].answer)
    yield url_facts.Cause(
        kind="server-uneven",
        cause=f"{bad[0].server} answers {status}, and the other servers of the route do not: a part of the requests "
        f"gets that{f'; it says {said}' if said else ''}",
        cure="look at that server's own log; `health` with a path that fails there, too, takes it out by itself",
    )


def find_cure(status: int) -> str:
    """What to do about an error of the application itself."""
    cures = {
        400: "look at the application: it refuses the request; many do where they do not know the name in Host "
        "(`host_header`, allowed hosts) or do not trust this machine (trusted proxies)",
        401: "sign in at the application; the gate passes Authorization and cookies on as they are",
        403: "look at the application: its own rules refuse this, or the name in Host (allowed hosts, trusted proxies)",
        404: "look at the application: it has nothing at this path",
        405: "the application does not take this method at this path",
        408: "let the application's own server wait longer for a request",
        411: "let the gate send the length of bodies: take `buffering: {request: false}` out; or let the application "
        "take chunked bodies",
        413: "raise the limit of the application's own server; the gate lets the body pass",
        414: "raise the limit of the application's own server for URLs; the gate lets this one pass",
        421: "let the application know the name in Host, or set `host_header` to the one that it knows",
        429: "the application limits requests itself; let it trust this machine's X-Forwarded-For, or it counts all "
        "visitors as one",
        431: "delete the cookies of the site in the browser, or raise the limit of the application's own server for "
        "headers",
    }
    return cures.get(status, "look at the application's own log at that time")


def find_words(answer: url_facts.HttpAnswer | None) -> str | None:
    """The first words of an error page that are no tags, in quotes."""
    if answer is None or not (answer.header("content-type") or "text/").startswith(("text/", "application/")):
        return None
    plain = _HIDDEN.sub(" ", answer.body[:_MOST_PAGE])
    found = " ".join(html.unescape(_TAG.sub(" ", plain)).split())
    return words.quoted(found, at_most=_MOST_WORDS) if any(map(str.isalnum, found)) else None


def _of_prefix(facts: url_facts.UrlFacts, view: url_facts.QueriedServer) -> Causes:
    """The application is found at the path with, or without, the route's prefix."""
    route = facts.route
    if route is None or view.other is None or view.other_path is None or view.answer is None:
        return
    if view.answer.status != 404 or view.other.status >= 400:
        return
    sent, other = words.quoted(view.sent, at_most=80), words.quoted(view.other_path, at_most=80)
    is_stripped = len(view.other_path) > len(view.sent)
    if is_stripped:
        cause = f"the gate takes {words.quoted(route.path)} off the path, and the application wants it"
        cure = f"write the target without a path: `{url_facts.without_path(view.written)}`"
    else:
        cause = f"the application does not know the path {words.quoted(route.path)}, which the gate passes on"
        cure = f"write the target with a path, which replaces the route's: `{url_facts.without_path(view.written)}/`; "
        cure += "or set the application's base path to the route's"
    yield url_facts.Cause(
        kind="path-prefix",
        cause=f"{cause}: {view.server} answers {view.answer.status} to {sent} and {view.other.status} to {other}",
        cure=cure,
    )


def find_cut(facts: url_facts.UrlFacts) -> Causes:
    """An answer that ends before it is complete."""
    answer = facts.answer
    if answer is None or not answer.is_cut:
        return
    view = next((one for one in facts.servers if one.answer is not None and one.answer.is_cut), None)
    logged = logged_errors.explain(facts.error_lines)
    if view is None and logged is not None:
        yield logged
        return
    who = view.server if view is not None else "the server of the route"
    yield url_facts.Cause(
        kind="answer-cut",
        cause=f"{who} closes the connection before its answer is complete",
        cure="look at the server's own log at that time: it crashed, ended, or sends less than its Content-Length says",
    )


def find_large_head(facts: url_facts.UrlFacts) -> Causes:
    answer = facts.answer
    if answer is None or answer.status != 502:
        return
    for one in facts.servers:
        if one.answer is not None and one.answer.head_bytes > _OWN_BUFFER:
            yield url_facts.Cause(
                kind="server-head",
                cause=f"the headers of the answer of {one.server} are too large ({one.answer.head_bytes} bytes)",
                cure="make the answer's headers smaller (cookies, most often), or give them more room in the route: "
                "`buffers: {header: 128k}`",
            )


def find_refused_upgrade(facts: url_facts.UrlFacts) -> Causes:
    """A WebSocket handshake that did not become one."""
    answer = facts.answer
    if answer is None or answer.status == 101 or facts.request.header("Upgrade").lower() != "websocket":
        return
    if answer.status in {401, 403}:
        return
    if answer.location is not None:
        there = requested_url.join(facts.url, answer.location)
        shown = words.quoted(answer.location, at_most=120)
        yield url_facts.Cause(
            kind="websocket-redirect",
            cause=f"the WebSocket handshake is answered with a redirect to {shown}, which browsers do not follow",
            cure=f"open wss://{there.authority}{there.sent}"
            if there is not None and there.is_https and not facts.url.is_https
            else "open the WebSocket at the address that the redirect names, or sign in there first",
        )
        return
    views = [one for one in facts.servers if one.answer is not None and not one.is_judge]
    if any(one.answer is not None and one.answer.status == 101 for one in views):
        yield url_facts.Cause(
            kind="websocket-gate",
            cause=f"the server takes the WebSocket handshake beside the gate, and through the gate "
            f"it gets {answer.status}",
            cure="look at hand-written `nginx` of the route: it must not replace Connection and Upgrade",
        )
        return
    if not views and not isinstance(getattr(facts.route, "action", None), model.Proxy):
        cause = "the route leads to no server that could take a WebSocket"
    else:
        who = views[0].server if views else "the server"
        cause = (
            f"{who} does no WebSocket at {words.quoted(facts.url.path)}: it answers the handshake with {answer.status}"
        )
    yield url_facts.Cause(
        kind="websocket",
        cause=cause,
        cure="correct the path of the WebSocket, lead its path to the server that does it, or let the application "
        "allow the Origin",
    )
