"""The public status page (`core.options.status_page_option`): files that daemun writes and nginx serves, daemun or not.

Only these names are served, whatever lies in the folder.
"""

from daemun.core import arguments, directive
from daemun.core.directive import Expr
from daemun.core.options import status_page_option
from daemun.core.render import site_scope

PAGES = {"en": "/en", "ko": "/ko"}
"""By language."""
STYLE, SCRIPT, DATA, FEED = "/status.css", "/status.js", "/status.json", "/incidents.atom"
_TYPES = {
    STYLE: "text/css",
    SCRIPT: "text/javascript",
    DATA: "application/json",
    FEED: "application/atom+xml",
}


def file_of(path: str) -> str:
    """The name of the file behind a path."""
    return f"{path}.html" if path in PAGES.values() else path


def files(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    found = status_page_option.OPTION.of(scope.settings)
    language = status_page_option.Language.AUTO if found is None else found.language
    folder = scope.environment.layout.status_page
    korean, english = PAGES["ko"], PAGES["en"]
    first = korean if language is status_page_option.Language.KOREAN else english
    choice: tuple[directive.Node, ...] = ()
    if language is status_page_option.Language.AUTO:
        there = (arguments.line("return", "302", korean),)
        # The port that a visitor named may be another than nginx's own.
        choice = (
            arguments.line("absolute_redirect", "off"),
            arguments.line("if", Expr("$http_accept_language"), "~*", r"^ko\b", block=there),
        )
    return (
        arguments.line("location", "=", "/", block=(*choice, *_file(folder, first))),
        *(arguments.line("location", "=", path, block=_file(folder, path)) for path in PAGES.values()),
        *(arguments.line("location", "=", path, block=_file(folder, path, kind)) for path, kind in _TYPES.items()),
        arguments.line("location", "/", block=(arguments.line("return", "404"),)),
    )


def _file(folder: str, path: str, kind: str = "text/html") -> tuple[directive.Node, ...]:
    return (
        arguments.line("root", folder),
        arguments.line("types", block=()),
        arguments.line("default_type", f"{kind}; charset=utf-8"),
        arguments.line("try_files", file_of(path), "=503"),
    )
