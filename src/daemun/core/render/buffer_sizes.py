"""How much of an answer nginx reads ahead, at each level of nginx's configuration.

nginx wants all sizes of a location to fit each other, whoever wrote them: the larger of `proxy_buffer_size` and one of
the `proxy_buffers`, twice that (unless `proxy_busy_buffers_size` says otherwise), and all buffers but one. So where an
owner sets one of them, ours are made to fit: what stock nginx accepts, it accepts beside ours.
"""

import collections.abc
import dataclasses
import re

from daemun.core import arguments, directive, model, render_environment
from daemun.core.render import site_scope

_MODULES: tuple[tuple[str, render_environment.Feature | None], ...] = (
    ("proxy", None),
    ("fastcgi", render_environment.Feature.FASTCGI),
    ("uwsgi", render_environment.Feature.UWSGI),
    ("scgi", render_environment.Feature.SCGI),
)
_ENDINGS = ("buffer_size", "buffers", "busy_buffers_size", "temp_file_write_size", "max_temp_file_size")
_NUMBER, _LENGTH = 64, 16384
_LEAST = 4096
"""nginx's own size of a buffer: with less, it would be ours that does not fit."""
_SIZE = re.compile(r"([0-9]{1,12})([kKmM]?)\Z")

_Owned = collections.abc.Mapping[str, directive.Directive]
"""Of the lines that owners wrote at a level or around it, the last of each name."""


def first_size(nginx: render_environment.Nginx) -> str:
    """Of the first buffer, which every request takes: the head of an answer has to fit in, and an answer that is not
    buffered goes through it. With glibc 64k cost nothing and make large answers cheap. musl's allocator keeps pieces up
    to 26,192 bytes (is_bouncing in mallocng) and maps larger ones anew for each request, which takes a third of what a
    request costs (1.31.3, static). Tried for 32 kB of head, with small answers: 32k and 36k cost twice the CPU of 25k,
    and so does 36k where buffers of access logs of that size are held, since the allocator maps pieces one by one while
    few are in use (alloc_group in mallocng). From 21,821 bytes on a piece is of the class that OpenSSL's handshakes
    fill with zeros (BUF_MEM_grow) and give back: an idle WebSocket, which has two, takes 75 kB then, and 57 with this.
    """
    return "64k" if nginx.keeps_large_pieces else "21808"


def shared(module: str, settings: model.Globals, nginx: render_environment.Nginx) -> tuple[directive.Directive, ...]:
    """For the http level. Besides the first buffer those of answers that are read ahead: a megabyte of memory for each,
    and no file. Files for answers would let strangers fill the disk, and nginx leaves servers waiting once one is full
    (1 GB), so that an answer ends in its middle."""
    sizes = _fitting(module, _owned({}, settings.snippet), nginx)
    return (*sizes.values(), arguments.line(f"{module}_max_temp_file_size", "0"))


def fit_site(scope: site_scope.Scope) -> site_scope.Scope:
    """The same site, with sizes of ours beside those of an owner's."""
    site, nginx = scope.site, scope.environment.nginx
    gate = _owned({}, scope.settings.snippet)
    inside = _owned(gate, site.snippet)
    routes = tuple(
        dataclasses.replace(
            route,
            snippet=_fit_inner(route.snippet, inside, nginx) if route.replaced else _fit(route.snippet, inside, nginx),
        )
        for route in site.routes
    )
    return dataclasses.replace(
        scope, site=dataclasses.replace(site, snippet=_fit(site.snippet, gate, nginx), routes=routes)
    )


def fit_gate(nodes: model.Snippet, settings: model.Globals, nginx: render_environment.Nginx) -> model.Snippet:
    """Hand-written nginx for the http level, whose own level has `shared`."""
    return _fit_inner(nodes, _owned({}, settings.snippet), nginx)


def _fit(nodes: model.Snippet, around: _Owned, nginx: render_environment.Nginx) -> model.Snippet:
    here = _owned(around, nodes)
    inner = _fit_inner(nodes, here, nginx)
    added: list[directive.Node] = []
    for module, feature in _MODULES:
        if feature is None or feature in nginx.features:
            outer = _fitting(module, around, nginx)
            written = {node.name for node in nodes if isinstance(node, directive.Directive)}
            sizes = _fitting(module, here, nginx).items()
            added += [line for name, line in sizes if name not in written and line != outer.get(name)]
    return (*added, *inner) if added else inner


def _fit_inner(nodes: model.Snippet, here: _Owned, nginx: render_environment.Nginx) -> model.Snippet:
    return tuple(
        dataclasses.replace(node, block=_fit(node.block, here, nginx))
        if isinstance(node, directive.Directive) and node.block is not None and node.name in {"server", "location"}
        else node
        for node in nodes
    )


def _owned(around: _Owned, nodes: model.Snippet) -> _Owned:
    names = {f"{module}_{ending}" for module, _ in _MODULES for ending in _ENDINGS}
    own = {node.name: node for node in nodes if isinstance(node, directive.Directive) and node.name in names}
    return {**around, **own}


def _fitting(module: str, owned: _Owned, nginx: render_environment.Nginx) -> dict[str, directive.Directive]:
    """Our lines beside those of an owner's that hold at a level (ngx_http_proxy_merge_loc_conf)."""
    first, further, busy = (f"{module}_{ending}" for ending in _ENDINGS[:3])
    bounds = (_bytes(owned.get(f"{module}_{ending}")) for ending in _ENDINGS[2:])
    bound = min((one for one in bounds if one), default=_LENGTH * _NUMBER)
    buffers = owned.get(further) or arguments.line(
        further, str(_NUMBER), arguments.size(max(_LEAST, min(_LENGTH, bound)))
    )
    all_but_one = (_number(buffers) - 1) * _bytes(buffers)
    most = max(_LEAST, min(bound, all_but_one if busy in owned else all_but_one // 2))
    default = arguments.line(first, first_size(nginx))
    ours = (default if most >= _bytes(default) else arguments.line(first, arguments.size(most)), buffers)
    return {line.name: line for line in ours if line.name not in owned}


def _number(buffers: directive.Directive) -> int:
    written = buffers.args[0].value if buffers.args else ""
    return int(written) if re.fullmatch(r"[0-9]{1,9}", written) else 0


def _bytes(line: directive.Directive | None) -> int:
    """The size at the end of a line; 0 where none can be read, which is for nginx to refuse."""
    match = _SIZE.match(line.args[-1].value) if line is not None and line.args else None
    return int(match[1]) * {"": 1, "k": 1 << 10, "m": 1 << 20}[match[2].lower()] if match else 0
