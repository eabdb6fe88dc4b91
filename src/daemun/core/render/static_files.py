"""Locations of routes that are answered from a folder.

`alias` with a prefix that does not end in a slash lets a client leave the folder (`/assets../secret`), so both the
location and the folder always end in one.

nginx writes the path of a file that is missing into its error log as it is (`open() "..." failed`), so a line break in
it (`%0a`) would begin a line that a visitor chose. Such paths are refused together with those of hidden files.
"""

from daemun.core import arguments, directive, model
from daemun.core.directive import Expr
from daemun.core.options import index_option, spa_option
from daemun.core.render import (
    access,
    cache_headers,
    early_answers,
    error_pages,
    header_directives,
    option_lines,
    site_scope,
    slash_redirects,
)
from daemun.core.texts import names, route_paths

# nginx answers 304 by the ETag of a file.
CACHED = ((cache_headers.HEADER, cache_headers.CHECKED),)

_NO_FOLDER = "/dev/null"
_OF_FILES = frozenset({"alias", "include", "root", "try_files"})
_CONTROL, _PLAIN = r"[\x00-\x1f\x7f]", r"[^\x00-\x1f\x7f]"


def locations(
    scope: site_scope.Scope, route: model.Route, files: model.Files, *, https: bool
) -> tuple[directive.Directive, ...]:
    """Raises: RenderError."""
    if route.entry is not None:
        return _of_entry(scope, route, files, https=https)
    if not route_paths.is_prefix(route.path):
        return (_of_whole_paths(scope, route, files, https=https),)
    prefix = route.path.rstrip("/") + "/"
    lines: list[directive.Node] = [
        *option_lines.of_route(scope, route),
        *header_directives.response_lines(scope, route, https=https, hide_header=None, extra=_extra(scope, route)),
        folder_line(prefix, files.folder),
        *link_lines(scope, route, files.trusted),
    ]
    # What an owner wrote for the whole site or gate holds here, too, as nginx has it of `index`.
    if not _written(scope, "index") and not index_option.OPTION.of(files):
        lines.append(_index(files))
    # nginx has no use for it outside a location, where people write it.
    fallback = site_scope.owned(scope.site.snippet, "try_files") if prefix == "/" else ()
    if fallback or spa_option.OPTION.of(files):
        lines += fallback or [_fallback(prefix, index_option.find_pages(files)[0])]
    if site_scope.owned(route.snippet, "error_page"):
        lines += error_pages.repeated(scope, route)
    inner: list[directive.Node] = []
    if spa_option.OPTION.of(files):
        inner.append(_page_location(scope, route, files, index_option.find_pages(files)[0]))
    inner.append(directive.Comment("Hidden files stay hidden; no control characters get into the error log."))
    inner.append(arguments.line("location", "~", Expr(hidden(prefix)), block=(arguments.line("return", "404"),)))
    own = {site_scope.location_name(node) for node in site_scope.owned(route.snippet, "location")}
    inner = [node for node in inner if isinstance(node, directive.Comment) or site_scope.location_name(node) not in own]
    block = (*site_scope.yielding(lines, route.snippet), *route.snippet, *inner)
    location = arguments.line("location", prefix, block=block)
    return (location, *slash_redirects.locations(scope, route.path))


def _of_whole_paths(
    scope: site_scope.Scope, route: model.Route, files: model.Files, *, https: bool
) -> directive.Directive:
    """Of an exact path, a suffix or an expression, which have no prefix that could be left off."""
    refused = (arguments.line("return", "404"),)
    lines: list[directive.Node] = [
        arguments.line("if", Expr("$uri"), "~", Expr(hidden("/")), block=refused),
        *option_lines.of_route(scope, route),
        *header_directives.response_lines(scope, route, https=https, hide_header=None, extra=_extra(scope, route)),
        arguments.line("root", files.folder.rstrip("/") + "/"),
        *link_lines(scope, route, files.trusted),
    ]
    if site_scope.owned(route.snippet, "error_page"):
        lines += error_pages.repeated(scope, route)
    return arguments.location(route.path, (*site_scope.yielding(lines, route.snippet), *route.snippet))


def _of_entry(
    scope: site_scope.Scope, route: model.Route, files: model.Files, *, https: bool
) -> tuple[directive.Directive, ...]:
    """Of a list of routes, in a named location: nginx takes no `alias` and no locations there, and what it looks up
    anew by an internal redirect would be another path. So the prefix is cut off before, and pages of folders are files
    that are tried. A path without the slash of a folder is looked at behind what guards the route."""
    prefix = f"{route.path.rstrip('/')}/" if route_paths.is_prefix(route.path) else "/"
    folder, bare = files.folder.rstrip("/"), arguments.in_regex(prefix.rstrip("/"))
    missing = (arguments.line("return", "404"),)
    slash = Expr("$daemun_sent_uri/$is_args$args")
    lines: list[directive.Node] = [
        arguments.line("if", Expr("$uri"), "~", Expr(hidden(prefix)), block=missing),
        arguments.line("if", Expr("$uri"), "!~", Expr(rf"(?s)^{bare}(?:/|\z)"), block=missing),
        arguments.line("if", Expr("-d"), Expr(_bare(scope, route)), block=(arguments.line("return", "301", slash),)),
        *option_lines.of_route(scope, route),
        *header_directives.response_lines(scope, route, https=https, hide_header=None, extra=_extra(scope, route)),
        arguments.line("root", f"{folder}/"),
    ]
    if files.trusted is not None and _is_ours(scope, route):
        lines.append(_links(files.trusted))
    if site_scope.owned(route.snippet, "error_page"):
        lines += error_pages.repeated(scope, route)
    if prefix != "/":
        lines.append(
            arguments.line("rewrite", Expr(rf"(?s)^{bare}/(?<daemun_rest>.*)\z"), Expr("/$daemun_rest"), "break")
        )
    pages = index_option.find_pages(files)
    tried = [Expr("$uri"), *(Expr(f"$uri/{arguments.literal(page)}") for page in pages)]
    if spa_option.OPTION.of(files):
        tried.append(Expr(f"/{arguments.literal(pages[0])}"))
    lines.append(arguments.line("try_files", *tried, "=404"))
    block = (*site_scope.yielding(lines, route.snippet), *route.snippet)
    if not access.is_guarded(scope, route):
        return (arguments.location(route.path, block),)
    there = f"@{names.upstream_name(scope.site.host, route.name)}_files"
    return (
        arguments.location(route.path, early_answers.beyond(scope, there)),
        arguments.line("location", there, block=block),
    )


def shared(scope: site_scope.Scope, route: model.Route, files: model.Files) -> tuple[directive.Node, ...]:
    """Of a list of routes: the folder that a path without its slash may be, for the http level."""
    if route.entry is None:
        return ()
    prefix = route.path.rstrip("/") if route_paths.is_prefix(route.path) else ""
    pattern = rf"~(?s)^{arguments.in_regex(prefix)}(?<daemun_rest>|/.*[^/])\z"
    folder = f"{arguments.literal(files.folder.rstrip('/'))}$daemun_rest/"
    return (arguments.map_to("$uri", _bare(scope, route), (pattern, folder), default=_NO_FOLDER),)


def _bare(scope: site_scope.Scope, route: model.Route) -> str:
    return f"$daemun_bare_{names.variable_suffix(scope.site.host, route.name)}"


def _extra(scope: site_scope.Scope, route: model.Route) -> tuple[model.Header, ...]:
    return CACHED if cache_headers.find(scope, route) is None else ()


def around(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """What hand-written locations beside the one for files inherit: they are most often for some of these files. And
    the end of requests by which theirs would let a visitor write lines of the error log."""
    written = (*scope.site.snippet, *(line for route in scope.site.routes for line in route.snippet))
    refused = (refuse_control(),) if _looks_for_files(written) else ()
    return (*refused, *_inherited(scope))


def _looks_for_files(snippet: model.Snippet) -> bool:
    """What is included is not known, and may."""
    return any(
        isinstance(node, directive.Directive) and (node.name in _OF_FILES or _looks_for_files(node.block or ()))
        for node in snippet
    )


def _inherited(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    whole = (route.action for route in scope.site.routes if route.path == "/")
    files = next((action for action in whole if isinstance(action, model.Files)), None)
    if files is None or not site_scope.owned(scope.site.snippet, "location"):
        return ()
    lines = (arguments.line("root", files.folder.rstrip("/") + "/"), _index(files))
    return tuple(line for line in lines if not _written(scope, line.name))


def _index(files: model.Files) -> directive.Directive:
    return arguments.line("index", *index_option.find_pages(files))


def _written(scope: site_scope.Scope, name: str) -> bool:
    """Whether an owner wrote such a directive for the site or the gate."""
    return bool(site_scope.owned(scope.site.snippet, name) or site_scope.owned(scope.settings.snippet, name))


def _fallback(prefix: str, page: str) -> directive.Directive:
    """A path that is no file, a folder without a page among them, is the application's own business."""
    return arguments.line("try_files", Expr("$uri"), Expr(f"${{uri}}{page}"), Expr(f"{prefix}{page}"))


def _page_location(scope: site_scope.Scope, route: model.Route, files: model.Files, name: str) -> directive.Directive:
    """Ends the internal redirect of try_files, also when the page is missing: nginx would go round in circles."""
    prefix, folder = route.path.rstrip("/") + "/", files.folder.rstrip("/") + "/"
    page = f"{prefix}{name}"
    if prefix == "/":
        return arguments.line("location", "=", page, block=(arguments.line("try_files", Expr("$uri"), "=404"),))
    lines = [arguments.line("alias", f"{folder}{name}")]
    if _is_ours(scope, route):
        # $document_root is the page itself here, so the usual line would follow a link in its place.
        lines.append(_links(files.trusted or folder))
    return arguments.line("location", "=", page, block=tuple(lines))


def _is_ours(scope: site_scope.Scope, route: model.Route) -> bool:
    """Whether the owner wrote nothing of which links are followed."""
    snippets = (route.snippet, scope.site.snippet, scope.settings.snippet)
    return not any(site_scope.owned(snippet, "disable_symlinks") for snippet in snippets)


def _links(trusted: str) -> directive.Directive:
    """nginx looks at no link in the part of a path that it begins from."""
    return arguments.line("disable_symlinks", "if_not_owner", Expr(f"from={arguments.literal(trusted)}"))


def folder_line(prefix: str, folder: str) -> directive.Directive:
    """`root` for the whole site, `alias` for a part of it: that cuts the location's prefix off the path."""
    return arguments.line("root" if prefix == "/" else "alias", folder.rstrip("/") + "/")


def link_lines(scope: site_scope.Scope, route: model.Route, trusted: str | None) -> tuple[directive.Directive, ...]:
    """Which links are followed. trusted: as of `model.Files`."""
    return () if trusted is None or not _is_ours(scope, route) else (_links(trusted),)


def hidden(prefix: str) -> str:
    """A regular expression for paths of which a part begins with a dot, or that have control characters."""
    return rf"(?s)^{arguments.in_regex(prefix)}(?:(?:.*/)?\.(?!well-known(?:/|\z))|{_PLAIN}*+{_CONTROL})"


def refuse_control() -> directive.Directive:
    """For a server or location that looks for files in another way."""
    return arguments.line("if", Expr("$uri"), "~", Expr(_CONTROL), block=(arguments.line("return", "400"),))
