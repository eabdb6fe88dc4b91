"""What a site shows over HTTPS and plain HTTP: what an owner wrote for the server, and the locations of the routes."""

import collections.abc

from daemun.core import arguments, directive, model
from daemun.core.render import (
    accel_redirect,
    access,
    answer_headers,
    buffer_sizes,
    built_in_site_content,
    client_certificates,
    early_answers,
    effective_access,
    error_pages,
    expression_groups,
    forward_auth,
    header_directives,
    judge_locations,
    maintenance_lines,
    route_choice,
    route_locations,
    server_blocks,
    site_scope,
    static_files,
    traffic_routes,
    trailing_slashes,
)
from daemun.core.texts import route_paths, words
from daemun.errors import RenderError


def nodes(scope: site_scope.Scope, *, https: bool) -> tuple[directive.Node, ...]:
    """What an owner wrote for the server, and the locations of the routes."""
    closed = (*maintenance_lines.server_lines(scope), *trailing_slashes.server_lines(scope))
    if built_in_site_content.is_one(scope):
        return (*closed, *built_in_site_content.content(scope))
    if _has_snippets(scope.site):
        scope = buffer_sizes.fit_site(header_directives.keep_in_site(scope, https=https))
    content = (
        *accel_redirect.lines(scope),
        *access.server_lines(scope),
        *client_certificates.before_judges(scope, forward_auth.server_lines(scope)),
        *client_certificates.judge_locations(scope),
        *client_certificates.before_judges(
            scope,
            judge_locations.server_lines(scope, has_pages=error_pages.is_on(scope.settings, scope.site.snippet)),
        ),
        *static_files.around(scope),
        *access.guarded_beside(scope, scope.site.snippet),
        *_locations(scope, https=https),
    )
    counted = traffic_routes.of_routes(scope, early_answers.behind_guards(scope, content))
    return (*closed, *expression_groups.in_groups(scope.site, counted))


def _has_snippets(site: model.Site) -> bool:
    return bool(site.snippet) or any(one.snippet for one in site.routes)


def _locations(scope: site_scope.Scope, *, https: bool) -> tuple[directive.Node, ...]:
    """Where an owner wrote a location of the same name, it stands instead of ours. Raises: RenderError."""
    site = scope.site
    own = {site_scope.location_name(node) for node in site_scope.owned(site.snippet, "location")}
    _check_guards(scope, own)
    written = [
        node
        for node in _of_routes(scope, https=https)
        if isinstance(node, directive.Comment) or site_scope.location_name(node) not in own
    ]
    taken = {one.path for one in site.routes} | own
    has_robots = any(route_paths.takes(one.path, answer_headers.ROBOTS_PATH) for one in site.routes)
    if not has_robots and not {answer_headers.ROBOTS_PATH, f"= {answer_headers.ROBOTS_PATH}"} & own:
        written += answer_headers.robots_file(scope)
    if "/" not in taken:
        rest = access.guarded_beside(scope, (server_blocks.anything(_answer(site.otherwise)),))
        written += [directive.Comment("No route has the other paths."), *rest]
    return tuple(written)


def _of_routes(scope: site_scope.Scope, *, https: bool) -> collections.abc.Iterator[directive.Node]:
    """In the order of the file, which decides between expressions: what chooses of a list stands before its routes."""
    lists = {entries[0].name: entries for entries in route_choice.find_lists(scope.site)}
    for one in scope.site.routes:
        if one.name in lists:
            yield from route_choice.locations(scope, lists[one.name])
        yield from route_locations.locations(scope, one, https=https)


def _check_guards(scope: site_scope.Scope, own: set[str]) -> None:
    """own: the hand-written locations of the site. Raises: RenderError where one takes the place of a guarded route."""
    for one in scope.site.routes:
        is_replaced = {one.path, f"{one.path.rstrip('/')}/"} & own
        if is_replaced and effective_access.of_route(scope, one) != effective_access.of_site(scope):
            raise RenderError(
                f"the `access` of route {words.quoted(one.path)} cannot hold: hand-written nginx of the site has a "
                "location of that path, which replaces it; write its lines in the route's own `nginx:`"
            )


def _answer(answer: model.FixedAnswer) -> directive.Directive:
    if answer.text is None:
        return arguments.line("return", str(answer.status))
    is_redirect = 300 <= answer.status < 400
    text = arguments.redirection(answer.text, is_rewritten=False) if is_redirect else arguments.expression(answer.text)
    return arguments.line("return", str(answer.status), text)
