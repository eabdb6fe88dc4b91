"""Why a server refuses a visitor's request and takes one that differs in one thing (`request_changes`). Pure."""

import collections.abc

from daemun.core.texts import words
from daemun.core.why import request_changes, url_facts

Causes = collections.abc.Iterator[url_facts.Cause]


def find(facts: url_facts.UrlFacts, view: url_facts.QueriedServer) -> Causes:
    """The change that the server of the route takes."""
    before = view.answer
    if before is None:
        return
    for change, after in view.changed:
        if request_changes.is_better(before.status, after.status):
            yield _explain(facts, view, change, before.status, after.status)
            return


def _explain(
    facts: url_facts.UrlFacts, view: url_facts.QueriedServer, change: request_changes.RequestChange, was: int, now: int
) -> url_facts.Cause:
    server, host = view.server, facts.url.host
    match change.thing:
        case request_changes.ChangedThing.NAME:
            other = words.quoted(change.host or "", at_most=100)
            cause = f"the application does not take the name that it sees in Host: {server} answers {was}, and {now} "
            cause += f"when Host is {other}"
            cure = f"add {host} to the names that the application knows (allowed hosts, trusted domains, server name)"
            is_visitors = change.host == facts.url.authority
            cure += (
                ", or take `host_header` out of the route"
                if is_visitors
                else f", or set `host_header: {words.quoted(change.host or host)}` in the route"
            )
            return url_facts.Cause(kind="host-refused", cause=cause, cure=cure)
        case request_changes.ChangedThing.FORWARDED:
            cause = f"the application takes no requests that a proxy passed on, such as from here: {server} answers "
            cause += f"{was}, and {now} without X-Forwarded-For and X-Real-IP"
            seen = f" from {view.seen_as}, the address that it sees" if view.seen_as else " from this machine"
            cure = f"let the application believe X-Forwarded-For{seen} (its setting is called trusted proxies)"
            return url_facts.Cause(kind="proxy-refused", cause=cause, cure=cure)
        case request_changes.ChangedThing.ORIGIN:
            origin = words.quoted(facts.request.header("Origin"), at_most=100)
            cause = f"the application does not take the Origin {origin}: {server} answers {was}, and {now} without it"
            cure = "add it to the origins that the application knows (allowed origins, trusted origins), or let the "
            cure += "application believe X-Forwarded-Proto and Host from this machine, from which it makes its own"
            return url_facts.Cause(kind="origin-refused", cause=cause, cure=cure)
        case request_changes.ChangedThing.COOKIES:
            cause = f"the application does not take the cookies of the request: {server} answers {was}, and {now} "
            cause += "without them"
            cure = "delete the cookies of the site in the browser; where they are too large, let the application set "
            cure += "fewer, or raise its own server's limit for headers"
            return url_facts.Cause(kind="cookies-refused", cause=cause, cure=cure)
        case request_changes.ChangedThing.AGENT:
            cause = f"the application does not take the User-Agent of `daemun why`: {server} answers {was}, and "
            cause += f"{now} to that of a browser, whose users see nothing of this"
            cure = "look as that browser: `--header 'User-Agent: Mozilla/5.0'`"
            return url_facts.Cause(kind="agent-refused", cause=cause, cure=cure)
        case request_changes.ChangedThing.SCHEME:
            cause = f"the application wants visitors to use https: {server} answers {was}, and {now} when "
            cause += "X-Forwarded-Proto says https"
            cure = "visit it by https (a site without `tls: off`); where a proxy in front of the gate has the "
            cure += "certificate, write its network into `trusted_proxies`"
            return url_facts.Cause(kind="https-wanted", cause=cause, cure=cure)
