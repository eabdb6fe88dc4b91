"""Why the gate answers as it does: rules, routes, servers, and what nginx logged meanwhile. Pure."""

import collections.abc
import dataclasses
import urllib.parse

from daemun.core import model, site_overlays
from daemun.core.options import (
    access_option,
    login_option,
    maintenance_option,
    max_body_option,
)
from daemun.core.render import other_spellings
from daemun.core.texts import words
from daemun.core.why import access_walk, header_causes, logged_errors, page_causes, server_causes, url_facts

Causes = collections.abc.Iterator[url_facts.Cause]

_PROOFS = "/.well-known/acme-challenge/"
_BY_ADDRESS = frozenset({"allow", "deny", "countries", "bans", "client_certificates"})
_BY_PERSON = frozenset({"basic_auth", "login", "forward_auth"})


def find(facts: url_facts.UrlFacts) -> Causes:
    """The cause of what a visitor receives first, then what else is wrong with the route."""
    if facts.site is None and facts.desired is not None:
        return
    visit = facts.visit
    if visit is not None and not (visit.is_connected and visit.is_secured):
        yield from server_causes.find_troubles(facts)
        return
    refusals = find_refusals(facts)
    if facts.is_claimed:
        yield from (_of_refusal(one) for one in refusals if one.rule in _BY_ADDRESS and one.is_certain)
    if facts.answer is None:
        yield from _without_answer(facts, refusals)
        return
    yield from _of_redirect(facts, refusals)
    if is_refused_here(facts):
        yield from (_of_refusal(one) for one in refusals if one.rule in _BY_PERSON and one.is_certain)
    elif facts.answer.status >= 400:
        yield from _of_error(facts)
    yield from server_causes.find_troubles(facts)
    yield from server_causes.find_uneven(facts)
    yield from server_causes.find_cut(facts)
    yield from server_causes.find_refused_upgrade(facts)


def find_refusals(facts: url_facts.UrlFacts) -> tuple[access_walk.AccessRefusal, ...]:
    """Rules that keep the request out, those that do for certain first."""
    site = facts.site
    if site is None:
        return ()
    found: list[access_walk.AccessRefusal] = []
    address = facts.request.address
    network = access_walk.find_ban(address, facts.bans)
    if network is not None and address is not None:
        found.append(access_walk.of_ban(address, network, dict(facts.bans)[network]))
    access = access_walk.find_held(facts.route, site, facts.settings)
    level = access_walk.find_level(facts.route, site)
    found += access_walk.judge(access, level, facts.request, facts.known_addresses)
    return tuple(sorted(found, key=lambda one: not one.is_certain))


def is_refused_here(facts: url_facts.UrlFacts) -> bool:
    """Whether the answer is for the address that the request came from here, and not for the one that is meant, which
    may come in."""
    visit, answer = facts.visit, facts.answer
    if not facts.is_claimed or visit is None or answer is None or answer.status != 403 or is_servers(facts):
        return False
    if facts.route is not None and facts.route.is_internal:
        return False
    here = dataclasses.replace(facts.request, address=visit.at.rpartition(":")[0].strip("[]"))
    of_here = find_refusals(dataclasses.replace(facts, request=here))
    return _has_address(of_here) and not _has_address(find_refusals(facts))


def _has_address(refusals: tuple[access_walk.AccessRefusal, ...]) -> bool:
    return any(one.rule in _BY_ADDRESS - {"client_certificates"} for one in refusals)


def is_servers(facts: url_facts.UrlFacts) -> bool:
    """Whether the answer is the server's own: beside the gate it answers the same, and this is no page of the gate."""
    answer = facts.answer
    if answer is None or answer.page_id is not None:
        return False
    return any(one.answer is not None and one.answer.status == answer.status for one in facts.servers)


def _of_refusal(one: access_walk.AccessRefusal) -> url_facts.Cause:
    return url_facts.Cause(kind=f"access-{one.rule.replace('_', '-')}", cause=one.cause, cure=one.cure)


def _without_answer(facts: url_facts.UrlFacts, refusals: tuple[access_walk.AccessRefusal, ...]) -> Causes:
    """No request was sent, or it was not answered in time."""
    if facts.visit is None:
        yield from (_of_refusal(one) for one in refusals if one.is_certain)
        yield from _of_missing_route(facts)
        yield from _of_body(facts)
    troubles = tuple(server_causes.find_troubles(facts))
    yield from troubles
    if facts.visit is None or troubles:
        return
    logged = logged_errors.explain(facts.error_lines)
    if logged is not None:
        yield logged
        return
    failure = facts.visit.failure or "the connection was closed"
    yield url_facts.Cause(
        kind="no-answer",
        cause=f"the gate gives no answer: {failure}",
        cure="look at the servers of the route: while none accepts a connection, requests wait for `hold`; a slow one "
        "may take as long as `timeout: {read}` lets it",
    )


def _of_body(facts: url_facts.UrlFacts) -> Causes:
    """A body that was named with --header "Content-Length: N"."""
    length = facts.request.header("Content-Length")
    route = facts.route
    if not length.isdecimal() or len(length) > 18 or route is None or facts.site is None:
        return
    held = max_body_option.OPTION.of(route)
    if 0 < held < int(length):
        yield url_facts.Cause(
            kind="body-too-large",
            cause=f"a body of {int(length)} bytes is larger than the gate takes there (`max_body`: {held} bytes)",
            cure="raise `max_body` of the route, or set `max_body: off`",
        )


# --- redirects -------------------------------------------------------------------------------------------------


def _of_redirect(facts: url_facts.UrlFacts, refusals: tuple[access_walk.AccessRefusal, ...]) -> Causes:
    answer = facts.answer
    if answer is None or answer.location is None:
        return
    people = [one for one in refusals if one.rule in _BY_PERSON]
    looped = tuple(server_causes.find_loop(facts))
    if people and looped and people[0].rule == "forward_auth":
        hosts = ", ".join(dict.fromkeys(one.url.host for one in facts.visits if one.url.host != facts.url.host))
        yield dataclasses.replace(
            looped[0],
            cause=f"the page to sign in is itself guarded by `access.forward_auth`: {looped[0].cause}",
            cure=f"set `access: public` for {hosts or 'the path of that page'}, which everybody has to reach",
        )
        return
    if people and not is_servers(facts) and _leads_to_sign_in(facts, people[0].rule, answer.location):
        yield from map(_of_refusal, people)
        return
    if looped:  # an application that redirects until its cookie comes back
        yield from (one for one in page_causes.find(facts) if one.kind == page_causes.LOST)
    yield from looped
    yield from header_causes.find_proxy_in_front(facts, answer.location)


def _leads_to_sign_in(facts: url_facts.UrlFacts, rule: str, location: str) -> bool:
    if rule == "forward_auth":
        return True
    login = login_option.OPTION.of(facts.settings)
    try:
        there = urllib.parse.urlsplit(location).hostname
    except ValueError:
        return False
    return rule == "login" and (login is None or there in {None, login.host, facts.url.host})


# --- errors ----------------------------------------------------------------------------------------------------


def _of_error(facts: url_facts.UrlFacts) -> Causes:
    answer, site = facts.answer, facts.site
    assert answer is not None
    if site is not None and answer.status == 503 and _is_closed(site, facts):
        yield url_facts.Cause(
            kind="maintenance",
            cause=f"the site {site.host} is closed for maintenance (`maintenance`)",
            cure=f"`daemun maintenance {site.host} off` opens it again",
        )
        return
    if is_servers(facts):
        yield from server_causes.find_of_answer(facts)
        return
    known = (
        *of_rules(facts),
        *of_own_answer(facts),
        *_of_other_name(facts),
        *server_causes.find_troubles(facts),
    )
    yield from known
    # What is known of the file and of the servers says more than nginx's words, and those more than a status.
    logged = logged_errors.explain(facts.error_lines)
    if not known and logged is not None:
        yield logged
    elif not known:
        others = (
            *of_limits(facts),
            *server_causes.find_large_head(facts),
            *header_causes.find_too_large(facts),
            *header_causes.find_dropped(facts),
            *_of_spelling(facts),
        )
        yield from others or (of_status(answer.status),)


def _of_spelling(facts: url_facts.UrlFacts) -> Causes:
    """A path that servers may take for a guarded or denied one."""
    if facts.answer is None or facts.answer.status != 400 or facts.site is None:
        return
    meant = other_spellings.find_meant(facts.site, facts.url.path)
    if meant is not None:
        yield url_facts.Cause(
            kind="other-spelling",
            cause=f"servers may read {words.quoted(facts.url.path, at_most=100)} as {words.quoted(meant)}, which is "
            "not for everybody, so the gate refuses this spelling (400)",
            cure="write the path as the route has it, or give this spelling a route of its own if it is another page",
        )


def _of_other_name(facts: url_facts.UrlFacts) -> Causes:
    """A handshake for one site, and a header Host of another, which --header names."""
    answer, host = facts.answer, facts.request.header("Host")
    if answer is None or answer.status != 421 or not host or host == facts.url.authority:
        return
    yield url_facts.Cause(
        kind="other-name",
        cause=f"the handshake is for {facts.url.host}, and Host names {words.quoted(host, at_most=100)}: the gate "
        "answers 421, so that no site is reached by the handshake of another",
        cure="write the name of the site into the URL, and leave Host out",
    )


def _is_closed(site: model.Site, facts: url_facts.UrlFacts) -> bool:
    held = maintenance_option.OPTION.of(site)
    return held.is_closed(facts.now) and not is_servers(facts)


def of_rules(facts: url_facts.UrlFacts) -> Causes:
    """The rules of `access` that explain an answer of the gate's own."""
    answer, route, refusals = facts.answer, facts.route, find_refusals(facts)
    assert answer is not None
    if route is not None and route.is_internal and answer.status == 403:
        yield url_facts.Cause(
            kind="internal",
            cause=f"the route {words.quoted(route.name)} is for clients of private networks alone",
            cure="take NETWORK_ACCESS=internal off the container, or visit from a private network",
        )
    wanted = {401: _BY_PERSON, 403: _BY_ADDRESS | _BY_PERSON}.get(answer.status, frozenset())
    by_person = answer.status == 401
    yield from (
        _of_refusal(one)
        for one in sorted(refusals, key=lambda one: (not one.is_certain, (one.rule in _BY_PERSON) is not by_person))
        if one.rule in wanted
    )
    if wanted and facts.labels is not None and access_option.OPTION.name in facts.labels.names:
        yield url_facts.Cause(
            kind="access-label",
            cause=f"the label `daemun.access` of {facts.labels.place} says who may come in, and refuses this request",
            cure="correct that label, or set `access` over it with `from: docker` in the file",
        )


def of_own_answer(facts: url_facts.UrlFacts) -> Causes:
    """What the file makes the gate answer itself: no route, a fixed answer, a folder of files."""
    answer, route = facts.answer, facts.route
    assert answer is not None
    if route is None:
        if answer.status == (404 if facts.site is None else facts.site.otherwise.status):
            yield from _of_missing_route(facts)
        return
    action, site = route.action, facts.site
    if answer.status == 404 and facts.url.path.startswith(_PROOFS):
        yield url_facts.Cause(
            kind="acme-challenge",
            cause=f"the gate itself answers what is below {_PROOFS}, by which CAs look whether a name is of this "
            "machine, and it has no proof of this name now",
            cure="let the gate get the certificate (`daemun certs` shows it), and switch the ACME client of the "
            "application off; a site with `tls: off` leaves that path to it",
        )
    elif site is not None and site.fault is None and site.waits_for_container and action == site_overlays.NO_ANSWER:
        engines = () if facts.desired is None else facts.desired.engines
        cause, cure = site_overlays.why_it_waits(site), site_overlays.how_to_serve(site, engines)
        yield url_facts.Cause(kind="waits-for-container", cause=cause, cure=cure)
    elif isinstance(action, model.Respond) and action.status == answer.status:
        how = "`deny`" if action.status == 403 and action.refuses else "`respond`"
        yield url_facts.Cause(
            kind="fixed-answer",
            cause=f"the route {words.quoted(route.name)} answers {action.status} itself ({how})",
            cure=f"lead the route elsewhere, or write a route that counts more than {words.quoted(route.path)}",
        )
    if isinstance(action, model.Files):
        yield from _of_file(facts, action)


def _of_missing_route(facts: url_facts.UrlFacts) -> Causes:
    site, walk = facts.site, facts.walk
    if site is None or walk is None or walk.route is not None:
        return
    path = words.quoted(facts.url.path)
    if walk.path is not None:
        yield url_facts.Cause(
            kind="no-condition",
            cause=f"no route of {words.quoted(walk.path)} is for this request: the `when` of none of its routes holds",
            cure="write a route without `when` at the end of the list, or correct the conditions",
        )
        return
    paths = list(walk.near) or list(dict.fromkeys(route.path for route in site.routes))[:4]
    near = (
        f"; near are {', '.join(map(words.quoted, paths))}"
        if walk.near
        else f"; it has {', '.join(map(words.quoted, paths))}"
    )
    yield url_facts.Cause(
        kind="no-route",
        cause=f"no route of the site {site.host} takes the path {path}{near}",
        cure=f"write a route for it, such as `{_shorten(facts.url.path)}: TARGET`, or `/` for all other paths",
    )


def _shorten(path: str) -> str:
    first = path.strip("/").split("/")[0]
    return f"/{first}/" if first.isprintable() and 0 < len(first) <= 40 and " " not in first else "/"


def _of_file(facts: url_facts.UrlFacts, action: model.Files) -> Causes:
    view, answer = facts.file, facts.answer
    if view is None or answer is None:
        return
    shown = words.quoted(view.path, at_most=200)
    if view.kind == "nothing" and answer.status == 404:
        yield url_facts.Cause(
            kind="file-missing",
            cause=f"there is no {shown}, which the route answers from",
            cure=f"put the file there, or correct the folder {words.quoted(action.folder)} or the URL",
        )
    elif view.kind == "folder" and answer.status in {403, 404}:
        yield url_facts.Cause(
            kind="no-index",
            cause=f"{shown} is a folder without an index file, and its list is not shown",
            cure="put an index.html there, name another file with `index`, or set `listing: true`",
        )
    elif answer.status == 403 and not view.is_readable:
        yield url_facts.Cause(
            kind="file-forbidden",
            cause=f"nginx's workers may not read {shown}",
            cure="give their account the right to read it, and to pass through the folders above it (`chmod o+rX`)",
        )


def of_limits(facts: url_facts.UrlFacts) -> Causes:
    answer, site = facts.answer, facts.site
    if answer is None or answer.status != 429 or site is None:
        return
    access = access_walk.find_held(facts.route, site, facts.settings)
    if access.rate_limit is not None:
        yield url_facts.Cause(
            kind="rate-limit",
            cause=f"requests come faster than `access.rate_limit` ({access.rate_limit.rate}) lets them",
            cure="raise `rate` or `burst`, or let the client wait for Retry-After",
        )
    elif access.connections is not None:
        yield url_facts.Cause(
            kind="connection-limit",
            cause=f"more requests of one address are open than `access.connections` ({access.connections}) lets in",
            cure="raise it; over HTTP/2 each request counts as one",
        )


_STATUSES = {
    400: (
        "the request is none that the gate passes on",
        "look at the client: an invalid header, name or path gets 400",
    ),
    403: ("the gate refuses the request", "look at `access` of the site, and at hand-written `nginx` of the route"),
    404: ("nothing is at this path", "look at the routes of the site: `daemun sites`"),
    413: ("the body is larger than the gate takes", "raise `max_body` of the route"),
    421: (
        "the connection was opened for another name: a browser used one again that has a certificate for both",
        "it tries again by itself; separate certificates (`acme: {group: ...}` left out) keep it from doing so",
    ),
    429: ("too many requests came", "raise `access.rate_limit` or `access.connections`"),
    500: ("the gate could not handle the request", "`daemun logs --errors` has nginx's own words"),
    502: ("the server of the route gave no valid answer", "`daemun logs --errors` has nginx's own words"),
    503: ("no server of the route serves", "look at the servers: `daemun doctor HOST` tries each of them"),
    504: ("the server of the route did not answer in time", "look at why it is slow, or raise `timeout: {read}`"),
}


def of_status(status: int) -> url_facts.Cause:
    """What a status of the gate alone tells."""
    default = ("the gate answers so", "`daemun logs --errors` has nginx's own words")
    cause, cure = _STATUSES.get(status, default)
    return url_facts.Cause(kind=f"status-{status}", cause=f"{cause} ({status})", cure=cure)
