"""Delays answers that nginx would give before it checks who may come in (`return`, `rewrite`).

`return` and `rewrite` belong to phases before those of access and limits, so a guarded location that answers by one of
them answers everybody (nginx.org/en/docs/dev/development_guide.html#http_phases). Such a location tries a file that is
not there instead, which nginx does after it let the visitor in, and the answer stands in a named location: nginx keeps
path, variables and captures on the way there. Ours and hand-written ones alike.

Where that cannot be done exactly, nothing is rendered. What refuses is left where it stands: a status from 400 on lets
nobody in, unless an `error_page` leads to a named location for it; nor does 204 or 200 without content, as preflight
requests (CORS) get it beside a `proxy_pass`.
"""

import collections.abc
import dataclasses
import enum

from daemun.core import arguments, directive, model
from daemun.core.access import access_levels
from daemun.core.directive import Expr
from daemun.core.render import effective_access, network_refusals, site_scope
from daemun.core.texts import names, words
from daemun.errors import RenderError

_NOTHING = "/.daemun-nothing"
"""No challenge has such a name (RFC 8555 section 8.3), so it is never there."""

_GUARDS = ("satisfy", "allow", "deny", "auth_basic", "auth_basic_user_file", "auth_request", "auth_request_set")
_LIMITS = ("limit_req", "limit_req_status", "limit_conn", "limit_conn_status")
_PAGES = ("error_page", "recursive_error_pages")
_BESIDE = (
    *_GUARDS,
    *_LIMITS,
    *_PAGES,
    *("add_header", "add_trailer", "expires", "etag", "default_type", "types", "charset", "charset_types"),
    *("access_log", "error_log", "log_not_found", "log_subrequest", "server_tokens", "keepalive_timeout"),
    *("client_max_body_size", "limit_rate", "limit_rate_after", "gzip", "gzip_types", "gzip_min_length", "gzip_vary"),
)
"""What may stand beside an answer in both locations, and what a named location does not inherit any more."""

_REWRITES = frozenset({"return", "rewrite", "if", "set", "break", "rewrite_log", "uninitialized_variable_warn"})
_MOVES = frozenset({"redirect", "permanent"})

_Lines = dict[str, tuple[directive.Directive, ...]]
"""By their name, `allow` and `deny` together: what nginx inherits, or a location replaces, as one."""


class _Answer(enum.IntEnum):
    NONE = 0
    EMPTY = 1
    CONTENT = 2


def beyond(scope: site_scope.Scope, there: str) -> tuple[directive.Directive, ...]:
    """For a location whose requests are handed to another one after nginx looked at its conditions."""
    return (
        arguments.line("root", scope.environment.layout.challenges),
        arguments.line("try_files", _NOTHING, Expr(there)),
    )


def behind_guards(scope: site_scope.Scope, nodes: tuple[directive.Node, ...]) -> tuple[directive.Node, ...]:
    """The content of a server with each answer behind what guards its location. Raises: RenderError."""
    is_guarded = access_levels.is_guarded(scope.site, scope.settings)
    if not is_guarded and not any(effective_access.of_route(scope, one).access.is_limited for one in scope.site.routes):
        return nodes
    mover = _Mover(scope)
    if is_guarded:
        _check_includes((*scope.site.snippet, *(node for one in scope.site.routes for node in one.snippet)))
        found = next((node for node in nodes if mover.answer_of((node,)) is _Answer.CONTENT), None)
        if found is not None:
            raise RenderError(_refusal(found, "the site"))
    level = _lines(nodes)
    moved = tuple(mover.move(node, level, {}) for node in nodes)
    return (*moved, *mover.named)


def _check_includes(nodes: model.Snippet) -> None:
    """Raises: RenderError when hand-written nginx holds what only nginx would read."""
    for node in nodes:
        if isinstance(node, directive.Directive) and node.name == "include":
            place = f" ({node.beside})" if node.beside else ""
            path = " ".join(one.value for one in node.args)
            raise RenderError(
                f"hand-written `include {path}`{place}: daemun cannot read that file as nginx directives, so it "
                "cannot know whether `access` guards what is in it; mend it, or write its lines instead"
            )
        if isinstance(node, directive.Directive) and node.block is not None:
            _check_includes(node.block)


class _Mover:
    def __init__(self, scope: site_scope.Scope) -> None:
        self.named: list[directive.Directive] = []
        self._scope = scope
        snippets = (scope.settings.snippet, scope.site.snippet, *(one.snippet for one in scope.site.routes))
        self._answered = frozenset(code for snippet in snippets for code in _answered_codes(snippet))

    def move(self, node: directive.Node, outer: _Lines, above: _Lines) -> directive.Node:
        """outer: all that holds where the node stands. above: what of it stands in locations around the node."""
        if not isinstance(node, directive.Directive) or node.name != "location" or node.block is None:
            return node
        own = _lines(node.block)
        held, inside = {**outer, **own}, {**above, **own}
        block = tuple(self.move(one, held, inside) for one in node.block)
        answer = self.answer_of(block)
        if answer is _Answer.NONE or not (_is_guarded(held) or _is_limited(held)) or _is_unreachable(node):
            return dataclasses.replace(node, block=block)
        if not _can_move(block):
            if answer is _Answer.CONTENT and _is_guarded(held):
                found = next(one for one in block if self.answer_of((one,)) is _Answer.CONTENT)
                raise RenderError(_refusal(found, f"location {words.quoted(site_scope.location_name(node))}"))
            return dataclasses.replace(node, block=block)
        return self._move(node, block, above)

    def _move(self, node: directive.Directive, block: tuple[directive.Node, ...], above: _Lines) -> directive.Directive:
        place = names.variable_suffix(self._scope.site.host, site_scope.location_name(node))
        there = f"@daemun_behind_{place}_{len(self.named)}"
        beside = tuple(one for one in block if _name(one) in _BESIDE)
        refusals = tuple(one for one in block if network_refusals.is_refusal(one))
        rewrites = tuple(one for one in block if _name(one) in _REWRITES and one not in refusals)
        own = _lines(block)
        further = tuple(line for key, lines in above.items() if key not in own for line in lines)
        self.named.append(arguments.line("location", there, block=(*further, *beside, *rewrites)))
        return dataclasses.replace(node, block=(*refusals, *beside, *beyond(self._scope, there)))

    def answer_of(self, nodes: collections.abc.Iterable[directive.Node]) -> _Answer:
        """The most that any of these gives away."""
        return max((self._answer(node) for node in nodes), default=_Answer.NONE)

    def _answer(self, node: directive.Node) -> _Answer:
        if not isinstance(node, directive.Directive):
            return _Answer.NONE
        written = [one.value for one in node.args]
        if node.name == "if":
            return self.answer_of(node.block or ())
        if node.name == "rewrite" and len(written) > 1:
            leads_away = written[1].startswith(("http://", "https://", "$scheme")) or written[-1] in _MOVES
            return _Answer.CONTENT if leads_away else _Answer.NONE
        return self._of_return(written) if node.name == "return" and written else _Answer.NONE

    def _of_return(self, written: list[str]) -> _Answer:
        status = int(written[0]) if written[0].isdecimal() else 0
        if status >= 400 and written[0] not in self._answered:
            return _Answer.NONE
        return _Answer.EMPTY if status in (200, 204) and len(written) == 1 else _Answer.CONTENT


def _name(node: directive.Node) -> str:
    return node.name if isinstance(node, directive.Directive) else ""


def _lines(nodes: collections.abc.Iterable[directive.Node]) -> _Lines:
    found: _Lines = {}
    for node in nodes:
        if isinstance(node, directive.Directive) and node.name in _BESIDE:
            key = "allow" if node.name == "deny" else node.name
            found[key] = (*found.get(key, ()), node)
    return found


def _is_guarded(held: _Lines) -> bool:
    """Whether nginx looks at conditions before it serves anything."""
    rules = [(line.name, line.args[0].value) for line in held.get("allow", ()) if line.args]
    opened = rules.index(("allow", "all")) if ("allow", "all") in rules else len(rules)
    judges = (line for name in ("auth_request", "auth_basic") for line in held.get(name, ()) if line.args)
    return any(name == "deny" for name, _ in rules[:opened]) or any(line.args[-1].value != "off" for line in judges)


def _is_limited(held: _Lines) -> bool:
    return "limit_req" in held or "limit_conn" in held


def _is_unreachable(node: directive.Directive) -> bool:
    """Whether no visitor can request it."""
    is_named = bool(node.args) and node.args[0].value.startswith("@")
    return (is_named and not site_scope.is_entry(node)) or arguments.line("internal") in (node.block or ())


def _can_move(block: tuple[directive.Node, ...]) -> bool:
    """Whether a named location answers the same. What is beside an answer that always comes is never used."""
    found = [one for one in block if isinstance(one, directive.Directive)]
    rewrites = [one for one in found if one.name in _REWRITES]
    inner = [part for one in rewrites for part in one.block or () if isinstance(part, directive.Directive)]
    if any(one.name == "location" for one in found) or any(one.name not in _REWRITES | {*_BESIDE} for one in inner):
        return False
    ends = any(
        one.name == "break" or (one.name == "rewrite" and one.args[-1].value == "break") for one in rewrites + inner
    )
    always = any(one.name == "return" for one in found) and not ends
    return always or all(one.name in _REWRITES or one.name in _BESIDE for one in found)


def _answered_codes(nodes: model.Snippet) -> collections.abc.Iterator[str]:
    """The statuses that an owner answers by a named location, in which an answer of nginx's is for everybody."""
    for node in nodes:
        if not isinstance(node, directive.Directive):
            continue
        if node.name == "error_page" and node.args and node.args[-1].value.startswith("@"):
            yield from (one.value for one in node.args[:-1])
        yield from _answered_codes(node.block or ())


def _refusal(node: directive.Node, where: str) -> str:
    assert isinstance(node, directive.Directive)
    written = f"{node.name} {' '.join(one.value for one in node.args)}".strip()
    shown = f"{written} {{ ... }}" if node.block is not None else written
    place = f" ({node.beside})" if node.beside else ""
    return (
        f"hand-written `{shown}`{place} in {where} would answer everybody, as nginx does that before it looks at "
        "`access`; "
        "write it in a location of its own under the site's `nginx:`, such as "
        "`location = /old { return 301 /new; }`, which daemun puts behind the guard"
    )
