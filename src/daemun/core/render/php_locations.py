r"""The locations of PHP applications (`php`): which requests get a file, which run a script, and which the front
controller.

A path has one candidate: the script in it, up to the first `.php` that ends a name; else, where it ends in a slash,
that folder's `index.php`, or its page; else the file of that name. nginx looks whether the candidate is a file before
anything is sent to PHP, so PHP never guesses a script (`cgi.fix_pathinfo`): "/photo.jpg/x.php" is no script, and runs
none.

Before `access`, nothing but the choice of a location depends on what is there: `if` with `set` alone, and `return` to
a named location, in which nginx looks at the conditions. What is never a file, in any case of letters: names that
hold `.php` or another ending of PHP's and are no script, includes, backups of editors, and whatever begins with a dot.
"""

import collections.abc

from daemun.core import arguments, directive, model
from daemun.core.access import access_levels
from daemun.core.directive import Expr
from daemun.core.render import (
    cache_headers,
    early_answers,
    error_pages,
    header_directives,
    internal_clients,
    option_lines,
    request_body,
    site_scope,
    slash_redirects,
    static_files,
)
from daemun.core.texts import names, route_paths

_WAY, _SCRIPT, _INFO = "$daemun_php_way", "$daemun_php_script", "$daemun_php_info"
_NONE_STATUS = "419"
"""Never leaves nginx (`request_body.APART_STATUS`)."""
_OF_FILES = frozenset({"location", "root", "alias", "try_files"})
"""What an owner may write that finds files."""
_PAGE = "index.html"
_INDEX = "index.php"

_NO_CODE = "wp-content/uploads"
"""Wherever it is: WordPress may be in a folder of the application, and has one for each site of a network."""

_SOURCES = r"\.(?:php|phtml|pht|phar)[^/]*|\.inc(?:[^a-z0-9/][^/]*)?"
_COPIES = r"(?:~|\.(?:bak|old|orig|save|sw[a-z]))"
_UNSHOWN = rf"(?i:[^/]*(?:{_SOURCES}|{_COPIES}))"
"""The names of sources, and of what editors keep of them."""


def parameters(route: model.Route, php: model.Php) -> dict[str, directive.Arg]:
    """What names the script."""
    folder = arguments.literal((php.server_folder or php.folder).rstrip("/"))
    name = f"{arguments.literal(_base(route).rstrip('/'))}{_SCRIPT}"
    return {
        "DOCUMENT_ROOT": Expr(folder or "/"),
        "DOCUMENT_URI": Expr(f"{name}{_INFO}"),
        "SCRIPT_FILENAME": Expr(f"{folder}{_SCRIPT}"),
        "SCRIPT_NAME": Expr(name),
        "PATH_INFO": Expr(_INFO),
        "GATEWAY_INTERFACE": Expr("CGI/1.1"),
        "REDIRECT_STATUS": Expr("200"),  # PHP built with --enable-force-cgi-redirect requires it
    }


def place(scope: site_scope.Scope, route: model.Route) -> str:
    """The location that sends requests to PHP."""
    return f"@{names.upstream_name(scope.site.host, route.name)}_php"


def _base(route: model.Route) -> str:
    """What of a path stands for the folder. Under an exact path, a suffix or an expression the whole path is in it."""
    return route.path if route_paths.is_prefix(route.path) else "/"


# --- what a path is --------------------------------------------------------------------------------------------


def maps(scope: site_scope.Scope, route: model.Route, php: model.Php) -> tuple[directive.Node, ...]:
    """For the http level. Evaluated anew after nginx went from a folder to its page."""
    prefix, folder = arguments.in_regex(_base(route)), f"{arguments.literal(php.folder.rstrip('/'))}/"
    candidate = (
        (rf"~(?s)^{prefix}(?<daemun_php_a>.*?\.php)(?:/|\z)", f"{folder}$daemun_php_a"),
        (rf"~(?s)^{prefix}(?<daemun_php_b>(?:.*/)?)\z", f"{folder}${{daemun_php_b}}{_INDEX}"),
        (rf"~(?s)^{prefix}(?<daemun_php_c>.*)\z", f"{folder}$daemun_php_c"),
    )
    front = "none" if php.front is None else f"/{php.front}"
    hidden = static_files.hidden(_base(route)).removeprefix("(?s)^")
    own = "|".join(_path_in_regex(one) for one in php.no_code)
    code = r"(?:.*\.php.*|.*/)?"
    script = (
        (rf"~(?s)^[^|]*\|{hidden}", front),
        # Atomic, as the first such folder decides: each further one would have nginx read the rest once more.
        (rf"~(?s)^[^|]*\|(?i:(?>.*?/{_path_in_regex(_NO_CODE)}/){code})\z", front),
        *(((rf"~(?s)^[^|]*\|(?i:{prefix}(?:{own})/{code})\z", front),) if own else ()),
        *((rf"~(?s)^file\|{one}", front) for one in _elsewhere(scope, route, php)),
        (rf"~(?s)^file\|{prefix}(?<daemun_php_d>.*?\.php)(?:/|\z)", "/$daemun_php_d"),
        (rf"~(?s)^file\|{prefix}(?<daemun_php_e>(?:.*/)?)\z", f"/${{daemun_php_e}}{_INDEX}"),
        (rf"~(?s)^file\|{prefix}(?:.*/)?{_UNSHOWN}\z", front),
        (r"~(?s)^(?:file\|.*|page\|.*/|folder\|.*[^/])\z", ""),
    )
    info = ((rf"~(?s)^/(?<daemun_php_f>.+)\|{prefix}(?P=daemun_php_f)(?<daemun_php_g>/.*)\z", "$daemun_php_g"),)
    return (
        directive.Comment("The only file that a path may mean; the script that it runs, if not a file; what follows."),
        arguments.map_to("$uri", _variable(scope, route, "file"), *candidate, default=folder, volatile=True),
        arguments.map_to(f"{_WAY}|$uri", _variable(scope, route, "script"), *script, default=front, volatile=True),
        arguments.map_to(f"{_SCRIPT}|$uri", _variable(scope, route, "info"), *info, volatile=True),
    )


def _elsewhere(scope: site_scope.Scope, route: model.Route, php: model.Php) -> collections.abc.Iterator[str]:
    """Other spellings of scripts that a route of their own may guard or deny, by an exact path or a suffix: what
    follows a script in a path, or the folder whose index it is, leads past that. Of an expression it cannot be known
    (`validation.php_spellings` warns)."""
    front = None if php.front is None else f"{_base(route)}{php.front}"
    for other in scope.site.routes:
        kind = route_paths.find_kind(other.path)
        if kind is route_paths.PathKind.SUFFIX and _is_for_scripts_of(scope, other, route):
            yield from _behind_suffix(other, arguments.in_regex(_base(route)))
        if kind is not route_paths.PathKind.EXACT or other is route:
            continue
        path = other.path.removeprefix("= ")
        if path.endswith(".php") and path != front:
            yield f"{arguments.in_regex(path)}/"
            if path.endswith(f"/{_INDEX}"):
                yield rf"{arguments.in_regex(path.removesuffix(_INDEX))}\z"


def _is_for_scripts_of(scope: site_scope.Scope, suffix: model.Route, route: model.Route) -> bool:
    """Whether scripts that a route would run are that of a suffix, which treats visitors otherwise. An exact path is
    written as it is meant, and an expression before the suffix comes first for scripts, too."""
    if suffix.path == route.path or not access_levels.is_other(suffix, route):
        return False
    match route_paths.find_kind(route.path):
        case route_paths.PathKind.EXACT:
            return False
        case route_paths.PathKind.EXPRESSION:
            order = [one.name for one in scope.site.routes]
            return order.index(suffix.name) < order.index(route.name)
        case _:
            return True


def _behind_suffix(route: model.Route, prefix: str) -> collections.abc.Iterator[str]:
    for ending in route_paths.find_endings(route.path):
        if f".{ending}".lower().endswith(".php"):
            yield rf"{prefix}.*?\.(?i:{arguments.in_regex(ending)})/"
        if ending.lower() == "php":
            yield rf"{prefix}(?:.*/)?\z"


def _path_in_regex(path: str) -> str:
    return "/+".join(arguments.in_regex(part) for part in path.strip("/").split("/"))


def _variable(scope: site_scope.Scope, route: model.Route, what: str) -> str:
    return f"$daemun_php_{what}_{names.variable_suffix(scope.site.host, route.name)}"


# --- where requests begin --------------------------------------------------------------------------------------


def locations(
    scope: site_scope.Scope, route: model.Route, php: model.Php, *, https: bool
) -> tuple[directive.Directive, ...]:
    """The location that serves files, and hands on what is for PHP. Raises: RenderError."""
    extra = () if cache_headers.find(scope, route) is not None else static_files.CACHED
    way = (
        arguments.line("set", Expr(_WAY), "nothing"),
        _if(Expr("-d"), "$request_filename", "folder"),
        _if(Expr("-f"), f"${{request_filename}}{_PAGE}", "page"),
        _if(Expr("-f"), _variable(scope, route, "file"), "file"),
        arguments.line("set", Expr(_SCRIPT), Expr(_variable(scope, route, "script"))),
        arguments.line("set", Expr(_INFO), Expr(_variable(scope, route, "info"))),
    )
    missing = f"@{names.upstream_name(scope.site.host, route.name)}_missing"
    none = (
        arguments.line("error_page", _NONE_STATUS, "=", missing),
        arguments.line("if", Expr(_SCRIPT), "=", "none", block=(arguments.line("return", _NONE_STATUS),)),
    )
    lines: tuple[directive.Node, ...] = (
        static_files.refuse_control(),
        *internal_clients.lines(route),
        *option_lines.of_route(scope, route),
        *header_directives.response_lines(scope, route, https=https, hide_header=None, extra=extra),
        error_pages.RECURSIVE,
        *error_pages.repeated(scope, route),
        static_files.folder_line(_base(route), php.folder),
        *static_files.link_lines(scope, route, php.trusted),
        arguments.line("index", _PAGE),
        *way,
        *(none if php.front is None else ()),
        *request_body.handing(place(scope, route), _SCRIPT),
    )
    block = (*site_scope.yielding(lines, route.snippet), *route.snippet)
    is_alone = route.entry is None and route_paths.is_prefix(route.path)
    to_slash = slash_redirects.locations(scope, route.path) if is_alone else ()
    found = (arguments.location(route.path, block), *to_slash)
    return found if php.front is not None else (*found, _missing(scope, route, missing, https=https))


def _missing(scope: site_scope.Scope, route: model.Route, place: str, *, https: bool) -> directive.Directive:
    """Where no front controller gets what is no file: 404, and that behind `access`, or whoever is kept out would see
    which files there are."""
    lines: tuple[directive.Node, ...] = (
        *internal_clients.lines(route),
        *option_lines.of_route(scope, route, is_named=True),
        *header_directives.response_lines(scope, route, https=https, hide_header=None),
        error_pages.RECURSIVE,
        *error_pages.repeated(scope, route),
    )
    owners = tuple(
        node for node in route.snippet if not isinstance(node, directive.Directive) or node.name not in _OF_FILES
    )
    block = (*site_scope.yielding(lines, owners), *owners, *early_answers.beyond(scope, "=404"))
    return arguments.location(place, block)


def _if(test: Expr, variable: str, way: str) -> directive.Directive:
    return arguments.line("if", test, Expr(variable), block=(arguments.line("set", Expr(_WAY), way),))
