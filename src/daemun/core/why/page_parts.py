"""The parts that a page names (scripts, styles, pictures), and those of them that the gate does not give. Pure."""

import collections.abc
import re
import shlex
import urllib.parse

from daemun.core.texts import route_paths, words
from daemun.core.why import requested_url, url_facts

Causes = collections.abc.Iterator[url_facts.Cause]

MOST = 6
_TAG = re.compile(r"<(script|img|link|base)\b([^<>]{1,4000})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    r"""([a-z-]{1,20})\s*=\s*(?:"([^"]{0,2000})"|'([^']{0,2000})'|([^\s"'>]{1,2000}))""", re.IGNORECASE
)
_LOADED = frozenset({"stylesheet", "modulepreload", "preload"})


def find_parts(visit: url_facts.GateVisit) -> tuple[requested_url.RequestedUrl, ...]:
    """Those of the page's own host that a browser loads with it."""
    answer = visit.answer
    if answer is None or answer.status != 200 or "html" not in (answer.header("content-type") or "").lower():
        return ()
    found: dict[str, requested_url.RequestedUrl] = {}
    base = str(visit.url)
    for tag in _TAG.finditer(answer.body):
        given = {one[1].lower(): one[2] or one[3] or one[4] or "" for one in _ATTRIBUTE.finditer(tag[2])}
        kind = tag[1].lower()
        if kind == "base":
            base = _join(base, given.get("href", "")) or base
            continue
        if kind == "link" and not _LOADED & set(given.get("rel", "").lower().split()):
            continue
        named = _join(base, given.get("href" if kind == "link" else "src", ""))
        part = None if named is None else requested_url.join(visit.url, named)
        if part is not None and (part.scheme, part.authority) == (visit.url.scheme, visit.url.authority):
            found.setdefault(str(part), part)
    return tuple(found.values())[:MOST]


def _join(base: str, link: str) -> str | None:
    if not link.strip() or link.lower().startswith(("data:", "blob:", "about:", "javascript:")):
        return None
    try:
        return urllib.parse.urljoin(base, link.strip())
    except ValueError:
        return None


def find(facts: url_facts.UrlFacts) -> Causes:
    """The first part that does not come as it should."""
    for part in facts.parts:
        answer = part.answer
        if answer is None:
            continue
        shown = words.quoted(part.url.sent, at_most=120)
        is_page = _is_script(part.url) and answer.status == 200 and "text/html" in (answer.header("content-type") or "")
        if answer.status < 400 and not is_page:
            continue
        what = "answers with a page in its place (text/html)" if is_page else f"answers {answer.status}"
        prefix = outer_prefix(facts, part.url)
        if prefix is not None:
            yield lost_prefix(facts, prefix, f"its page names {shown}, without it, which {what}")
            return
        yield url_facts.Cause(
            kind="part-missing",
            cause=f"the page comes, and its part {shown} does not: the gate {what}",
            cure=f"`daemun why {shlex.quote(str(part.url))}` tells why; where a build of the application moved its "
            "files, let browsers load the page anew",
        )
        return


def _is_script(url: requested_url.RequestedUrl) -> bool:
    return url.path.endswith((".js", ".mjs", ".css"))


def outer_prefix(facts: url_facts.UrlFacts, there: requested_url.RequestedUrl) -> str | None:
    """The prefix of the page's route, where a path of the same site lies outside of it."""
    route = facts.route
    prefix = None if route is None else route_paths.find_literal(route.path)
    if route is None or prefix is None or prefix == "/" or not route_paths.is_prefix(route.path):
        return None
    is_inside = f"{there.path}/".startswith(f"{prefix.rstrip('/')}/")
    return prefix if there.host == facts.url.host and not is_inside else None


def lost_prefix(facts: url_facts.UrlFacts, prefix: str, evidence: str) -> url_facts.Cause:
    shown = words.quoted(prefix)
    view = next((one for one in facts.servers if not one.is_judge), None)
    target = None if view is None else url_facts.without_path(view.written)
    cure = (
        f"set the application's base path (base URL, root path) to {shown}; if it has none, give it a host of its own"
    )
    if target is not None and view is not None and target != view.written:
        cure += f". With a base path most want the whole path, which the target without a path sends: `{target}`"
    return url_facts.Cause(
        kind="path-prefix",
        cause=f"the application does not know that visitors reach it at {shown}: {evidence}",
        cure=cure,
    )
