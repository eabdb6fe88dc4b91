"""Which answers are compressed.

gzip makes a weak ETag of a strong one, and a client that sends it back as `If-Match` is refused (RFC 9110 section
13.1.1). So what WebDAV does is left alone, as far as nginx can see it: requests that are neither GET nor HEAD, those
for a range, those with WebDAV's headers, and WebDAV clients. nginx cannot decide by the content of an answer, so
what other programs get of a WebDAV server needs `compress: false`.
"""

from daemun.core import arguments, directive, model
from daemun.core.directive import Expr
from daemun.core.options import compress_option
from daemun.core.render import site_scope

_PROGRAMS = (
    "dav|litmus|cadaver|gvfs|mirall|nextcloud|owncloud|rclone|cyberduck|mountain ?duck|neon/|winscp|kio/|akonadi"
    "|evolution|thunderbird|dataaccessd|calendaragent|addressbook|accountsd|remindd|ical4android|vdirsyncer|khal"
    "|joplin|omnifocus|em ?client|zotero|libreoffice"
)
"""In User-Agent, in any case: most have "dav" somewhere, mirall is the client of ownCloud and Nextcloud, neon/ the
library of many, dataaccessd Apple's. Not okhttp, which most programs for Android have; for those: `compress: false`."""


def shared() -> tuple[directive.Node, ...]:
    """For the http level, beside the option's own line."""
    return (
        arguments.line("gzip_vary", "on"),
        arguments.line("gzip_proxied", "any"),
        arguments.line("gzip_comp_level", "5"),
        arguments.line("gzip_min_length", "1024"),
        arguments.line("gzip_disable", _PROGRAMS),
    )


def variables() -> tuple[directive.Node, ...]:
    # Without anything between them, which would cost each request 500 instructions.
    source = "$request_method$http_range$http_depth$http_lock_token$http_translate"
    return (
        directive.Comment("1 for a request whose answer is not compressed."),
        arguments.map_to(source, "$daemun_as_is", ("GET", ""), ("HEAD", ""), default="1"),
    )


def as_is(scope: site_scope.Scope, route: model.Route, *, always: bool = False) -> tuple[directive.Directive, ...]:
    """For a location whose server answers. Not where an owner sets in nginx what is compressed.

    always: it is for requests with a body, or for single ones that waited.
    """
    snippets = (route.snippet, scope.site.snippet, scope.settings.snippet)
    chosen = compress_option.OPTION.of(route, scope.site, scope.settings)
    if not chosen.is_on or any(site_scope.owned(snippet, "gzip") for snippet in snippets):
        return ()
    off = compress_option.off_lines(chosen, scope.environment.nginx.features)
    return off if always else (arguments.line("if", Expr("$daemun_as_is"), block=off),)
