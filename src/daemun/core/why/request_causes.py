"""What happened to a request that was, the cause first: by its lines in the logs, and by the file. Pure."""

import collections.abc
import re

from daemun.core import model
from daemun.core.logged import error_line, logged_request
from daemun.core.options import maintenance_option, timeout_option
from daemun.core.texts import words
from daemun.core.why import (
    access_walk,
    answer_causes,
    condition_match,
    logged_errors,
    request_facts,
    server_causes,
    url_facts,
)

Causes = collections.abc.Iterator[url_facts.Cause]
Steps = collections.abc.Iterator[url_facts.ChainLink]

MOST = 8
_GOOD, _WARNS, _BLOCKS = model.Weight.GOOD, model.Weight.WARNS, model.Weight.BLOCKS
_CUT = re.compile(
    r"(?:timed out|prematurely closed|\(104: |\(32: |invalid chunked|chunk).* while "
    r"(reading upstream|proxying upgraded connection)\Z"
)
_LESS_EXACT = frozenset({"refused-address", "rate-limit", "connection-limit"})
"""Where nginx's words say less than the file."""
_CLIENTS = {
    400: (
        "the request was no valid one for the gate: a header that is too large or invalid, a wrong name or path",
        "look at the client; cookies that grew too large are the usual reason (`max_header` takes larger ones)",
    ),
    408: ("the client sent its request too slowly", "look at the client's connection, or raise `client_timeout`"),
    414: ("the URL is too long", "raise `max_header`, or let the application use POST"),
    421: (
        "the request came on a connection whose handshake was for another site: a browser used one again that has a "
        "certificate for both (HTTP/2)",
        "the browser tries again by itself; give the two sites certificates of their own, without a wildcard for both, "
        "to keep it from doing so",
    ),
    431: ("the headers of the request are too large", "raise `max_header`, or let the application set fewer cookies"),
    499: (
        "the client closed the connection before it had an answer",
        "look at how long the server took: who waits too long goes away",
    ),
}


def find_causes(facts: request_facts.RequestFacts) -> tuple[url_facts.Cause, ...]:
    """Empty: the request was answered as it should be."""
    found: dict[tuple[str, str], url_facts.Cause] = {}
    for cause in _find(facts):
        found.setdefault((cause.kind, cause.cause), cause)
    return tuple(found.values())[:MOST]


def _find(facts: request_facts.RequestFacts) -> Causes:
    line = facts.line
    logged = logged_errors.explain(facts.errors)
    if line is None or line.status is None:
        if logged is not None:
            yield logged
        return
    if _was_held(facts):
        yield from _of_today(facts)
        if logged is not None:
            yield logged
        yield _of_hold(facts)
        return
    if (cut := _find_cut(facts, line) or _find_idle(facts, line)) is not None:
        yield cut
        yield from _of_today(facts)
        return
    if logged is not None and not (request_facts.is_servers(line) and line.status < 500):
        rules = tuple(_of_rules(facts, line)) if logged.kind in _LESS_EXACT else ()
        yield from rules or (logged,)
        yield from _of_today(facts)
        return
    if line.status < 400:
        return
    if request_facts.is_servers(line):
        yield _of_server(line)
    else:
        yield from _of_gate(facts, line)


def _of_gate(facts: request_facts.RequestFacts, line: logged_request.LoggedRequest) -> Causes:
    """An error of the gate's own, of which nginx logged nothing."""
    assert line.status is not None
    yield from _of_rules(facts, line)
    if line.status in _CLIENTS:
        cause, cure = _CLIENTS[line.status]
        yield url_facts.Cause(kind=f"client-{line.status}", cause=cause, cure=cure)
        return
    yield from _of_today(facts)
    yield answer_causes.of_status(line.status)


def _was_held(facts: request_facts.RequestFacts) -> bool:
    line = facts.line
    if line is None or line.status is None or line.status < 500 or not facts.hold_socket:
        return False
    return any(facts.hold_socket in one.address for one in line.tries)


def _of_hold(facts: request_facts.RequestFacts) -> url_facts.Cause:
    line = facts.line
    assert line is not None
    waited = f" for {line.request_s:g} s" if line.request_s else ""
    tried = [one.address for one in line.tries if facts.hold_socket not in one.address]
    servers = f" ({', '.join(dict.fromkeys(tried))})" if tried else ""
    return url_facts.Cause(
        kind="held",
        cause=f"no server of the route{servers} accepted a connection, and the request waited{waited} in vain",
        cure="start the server, or correct the target; `hold` is how long a request waits",
    )


def _of_server(line: logged_request.LoggedRequest) -> url_facts.Cause:
    server = _shown(line.tries[-1].address) if line.tries else "it"
    return url_facts.Cause(
        kind="server-answer",
        cause=f"the application itself answered {line.status}: {server} did, and the gate passed it on",
        cure=server_causes.find_cure(line.status or 0),
    )


def _find_idle(facts: request_facts.RequestFacts, line: logged_request.LoggedRequest) -> url_facts.Cause | None:
    """A WebSocket that the gate ended. nginx logs it below the level of warnings."""
    route = None if facts.walk is None else facts.walk.route
    if line.status != 101 or line.request_s is None or route is None:
        return None
    idle_s = timeout_option.OPTION.of(route.action).idle_s
    if line.request_s < idle_s:
        return None
    return url_facts.Cause(
        kind="websocket-idle",
        cause=f"the WebSocket ended after {line.request_s:g} s: the gate ends one through which nothing comes for "
        f"{idle_s:g} s (`timeout: {{idle}}`)",
        cure="let the application send a ping more often (each 30 s is usual), or raise `timeout: {idle}` of the route",
    )


def _find_cut(facts: request_facts.RequestFacts, line: logged_request.LoggedRequest) -> url_facts.Cause | None:
    """An answer that had begun, or a WebSocket, that did not end as it should: its status is good."""
    if line.status is None or line.status >= 500:
        return None
    for text in facts.errors:
        read = error_line.read(text.encode("utf-8", "replace"))
        found = None if read is None else _CUT.search(read.words)
        if read is None or found is None:
            continue
        server = _shown(line.tries[-1].address) if line.tries else "the server"
        after = f" after {line.request_s:g} s" if line.request_s is not None else ""
        if "timed out" in read.words:
            cause = f"the answer had begun and stopped: {server} sent no more of it within `timeout: {{read}}`"
            cure = "look at why it is slow, or raise `timeout: {read}` of the route"
        else:
            what = "the WebSocket" if found[1] == "proxying upgraded connection" else "its answer, which had begun,"
            cause = f"{server} closed the connection{after}, before {what} was over"
            cure = "look at the application's own log at that time: it crashed, ended, or ran into a limit of its own"
        return url_facts.Cause(kind="answer-cut", cause=cause, cure=cure)
    return None


def _of_rules(facts: request_facts.RequestFacts, line: logged_request.LoggedRequest) -> Causes:
    """Rules of today's file that explain the status."""
    site = facts.choice.site
    if site is None:
        if line.status in {404, 421, 444} and facts.desired is not None:
            near = f"; the nearest is {facts.choice.near}" if facts.choice.near else ""
            host = words.quoted(line.host or "", at_most=100)
            off = facts.choice.disabled
            if off is not None:
                yield url_facts.Cause(
                    kind="site-disabled",
                    cause=f"the site {off.host} is switched off (`enabled: false`)",
                    cure=f"`daemun enable {off.host}` switches it on",
                )
                return
            yield url_facts.Cause(
                kind="no-site",
                cause=f"no site of the gate has the name {host}{near}",
                cure="add the site (`daemun add HOST TARGET`), or the name to the `aliases` of one",
            )
        return
    if line.status == 503 and maintenance_option.OPTION.of(site).is_closed(facts.now):
        yield url_facts.Cause(
            kind="maintenance",
            cause=f"the site {site.host} is closed for maintenance (`maintenance`)",
            cure=f"`daemun maintenance {site.host} off` opens it again",
        )
    if facts.today is None:
        return
    looked = url_facts.UrlFacts(
        url=facts.today.url,
        request=condition_match.SentRequest(method=line.method or "GET", address=line.client),
        now=facts.now,
        desired=facts.desired,
        choice=facts.choice,
        walk=facts.walk,
        file=facts.today.file,
        bans=facts.today.bans,
        addresses=facts.today.addresses,
        visits=(url_facts.GateVisit(url=facts.today.url, at="", answer=url_facts.HttpAnswer(status=line.status or 0)),),
    )
    yield from answer_causes.of_rules(looked)
    yield from answer_causes.of_own_answer(looked)
    yield from answer_causes.of_limits(looked)


def _of_today(facts: request_facts.RequestFacts) -> Causes:
    """What is still so."""
    if facts.today is not None:
        for one in server_causes.find_troubles(facts.today):
            yield url_facts.Cause(kind=one.kind, cause=f"{one.cause} (it is so now)", cure=one.cure)


def _shown(upstream: str) -> str:
    return words.quoted(upstream, at_most=120).strip('"')


# --- the chain -------------------------------------------------------------------------------------------------


def make_story(facts: request_facts.RequestFacts) -> url_facts.Story:
    """The whole story of the request."""
    line = facts.line
    subject = f"request {facts.id}"
    if line is not None and line.method:
        scheme = "https" if line.tls is not None else "http"
        subject = f"{subject}: {line.method} {scheme}://{line.host}{line.uri}"[:500]
    steps = tuple(_find_steps(facts))
    return url_facts.Story(subject=subject, causes=find_causes(facts), steps=steps, missing=facts.missing)


def _find_steps(facts: request_facts.RequestFacts) -> Steps:
    line = facts.line
    if line is not None:
        yield _of_line(line)
    if line is not None and line.status == 101 and not facts.errors and _find_idle(facts, line) is None:
        open_for = f" after {line.request_s:g} s" if line.request_s is not None else ""
        message = f"it ended{open_for} without an error: the browser or the server closed it"
        yield url_facts.ChainLink(topic="websocket", weight=_GOOD, message=message)
    for text in facts.errors[:10]:
        found = error_line.read(text.encode("utf-8", "replace"))
        if found is not None:
            at = "" if found.request.at is None else f"{found.request.at:%H:%M:%S}: "
            yield url_facts.ChainLink(topic="error log", weight=_WARNS, message=f"{at}{found.words[:400]}")
    yield from _of_way(facts)
    if facts.today is not None:
        for view in facts.today.servers[:10]:
            good = f"{view.server} takes connections now" if view.answer is None else f"{view.server} answers now"
            weight = _GOOD if view.found.trouble is None else _BLOCKS
            yield url_facts.ChainLink(topic="server", weight=weight, message=view.found.cause or good)


def _of_line(line: logged_request.LoggedRequest) -> url_facts.ChainLink:
    at = f"{line.at:%Y-%m-%d %H:%M:%S %z}, " if line.at is not None else ""
    took = f" in {line.request_s:g} s" if line.request_s is not None else ""
    user = f" as {words.quoted(line.user)}" if line.user is not None else ""
    weight = _GOOD if line.status is not None and line.status < 400 else _BLOCKS
    tries = ", ".join(f"{_shown(one.address)} ({one.status or 'no answer'})" for one in line.tries[:10])
    message = f"{at}{line.client or 'a client'}{user} got {line.status or 'no status'}{took}"
    return url_facts.ChainLink(
        topic="access log", weight=weight, message=f"{message}; servers: {tries}" if tries else message
    )


def _of_way(facts: request_facts.RequestFacts) -> Steps:
    site, walk, line = facts.choice.site, facts.walk, facts.line
    if facts.desired is None or line is None:
        return
    if site is None:
        yield url_facts.ChainLink(
            topic="site", weight=_WARNS, message=f"no site takes {words.quoted(line.host or '')} today"
        )
        return
    route = walk.route if walk is not None else None
    if route is None:
        yield url_facts.ChainLink(topic="route", weight=_WARNS, message=f"no route of {site.host} takes it today")
        return
    level = access_walk.find_level(route, site)
    message = f"{site.host}, route {words.quoted(route.name)}, takes it today; its access is that of {level}"
    yield url_facts.ChainLink(topic="route", weight=_GOOD, message=message)
