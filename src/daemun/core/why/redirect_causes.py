"""Redirects that lead visitors to where nothing is. Those that go round are `server_causes.find_loop`'s. Pure."""

import collections.abc

from daemun.core.texts import words
from daemun.core.why import page_parts, requested_url, url_facts

Causes = collections.abc.Iterator[url_facts.Cause]


def find(facts: url_facts.UrlFacts) -> Causes:
    yield from _of_dead_end(facts)
    yield from _of_prefix(facts)


def _of_dead_end(facts: url_facts.UrlFacts) -> Causes:
    if facts.dead_end is None:
        return
    host, failure = facts.dead_end
    last = facts.visits[-1]
    to = words.quoted(last.answer.location or "", at_most=120) if last.answer is not None else host
    is_own = any(one.answer is not None and one.answer.location is not None for one in facts.servers)
    who = "the application redirects" if is_own else "the gate redirects"
    yield url_facts.Cause(
        kind="redirect-unknown",
        cause=f"{who} visitors to {to}, and no site of the gate has the name {host}, which does not resolve: {failure}",
        cure=f"set the application's base URL to {last.url.scheme}://{last.url.authority}, and let it believe Host or "
        "X-Forwarded-Host from this machine"
        if is_own
        else "correct the redirect in the file, or the name in DNS",
    )


def _of_prefix(facts: url_facts.UrlFacts) -> Causes:
    """An application below a path that redirects to its own root."""
    first, last = facts.visit, facts.visits[-1] if facts.visits else None
    if first is None or first.answer is None or first.answer.location is None or last is None or last is first:
        return
    if last.answer is None or last.answer.status < 400:
        return
    there = requested_url.join(first.url, first.answer.location)
    prefix = None if there is None else page_parts.outer_prefix(facts, there)
    if prefix is None or there is None or not any(one.answer and one.answer.location for one in facts.servers):
        return
    shown = words.quoted(there.sent, at_most=120)
    evidence = f"it redirects to {shown}, without it, which answers {last.answer.status}"
    yield page_parts.lost_prefix(facts, prefix, evidence)
