r"""How nginx queries the judge (`daemun.judge`), and what visitors get whom it keeps out.

`auth_request` knows 2xx, 401 and 403 only; everything else is 500, also a judge that cannot be reached
(nginx.org/r/auth_request). So the judge has a header beside its 401 that names what the visitor is to get, a judge that
is not there becomes a 401 without that header, and `@daemun_refused_...` makes 401, 429 or 503 of it.

What was found right is remembered for ten seconds (`proxy_cache`): by policy, host, address and credentials, or by
policy, host and session or token. The address is among the first so that no other visitor can find out what is
remembered by trying; sessions and tokens are too long for that (`judge_memory`).

A signed-in request costs no connection to the judge while it is remembered, and nothing of a request's body is read
before it is let in.
"""

from daemun.core import arguments, directive, layout, model, render_environment, serialise, visitor_page
from daemun.core.access import basic_auth_policies, judge_policies, login_policies
from daemun.core.directive import Expr
from daemun.core.options import access_option
from daemun.core.plan import variable_definitions
from daemun.core.render import (
    counted_refusals,
    effective_access,
    internal_requests,
    judge_memory,
    login_locations,
    site_scope,
)

UPSTREAM = login_locations.UPSTREAM
_REFUSED, _DOWN = "@daemun_refused_", "@daemun_judge_down"
_USER, _ANSWER, WAIT = "$daemun_user", "$daemun_judge_answer", "$daemun_judge_wait"
_PASSED, _READABLE = "$daemun_passed_authorization", "$daemun_readable_authorization"
OWN = (_USER, _PASSED, *login_locations.OWN)
"""The variables of `identity`, which may be empty."""
LIMIT_KEY = "$daemun_limit_user"
_REMEMBERED_S = 10
USER_HEADER = "Remote-User"
"""In which servers learn who signed in."""
_FURTHER_HEADERS = ("Remote-Groups", "Remote-Email", "Remote-Name")
_OURS = ("basic_auth", "login")


# --- for all sites ---------------------------------------------------------------------------------------------


def shared(paths: layout.Layout) -> tuple[directive.Node, ...]:
    """The judge as a server. Always there: a site may be kept from an earlier generation."""
    return (
        directive.Comment("Decides who may come in by name and password, where a site asks for that."),
        arguments.line("upstream", UPSTREAM, block=(arguments.line("server", f"unix:{paths.judge_socket}"),)),
    )


def definitions(env: render_environment.Environment) -> variable_definitions.Definitions:
    passed = arguments.map_to(_USER, _PASSED, ("", login_locations.AUTHORIZATION))
    comment = directive.Comment("A password that was for the gate is not passed on; that of who came in otherwise is.")
    # A limit may count by it in a tree without a location that sets it.
    users = (arguments.map_to("", _USER), limit_key(_USER, LIMIT_KEY))
    # Another one would be a 400 of the judge's, which auth_request takes for a fault of the gate's.
    readable = arguments.map_to(
        "$http_authorization", _READABLE, (r"~^[ -~]{0,4096}\z", "$http_authorization"), default="odd"
    )
    bounds = directive.Comment("Names and passwords that the judge reads; others are wrong.")
    return {
        **judge_memory.definitions(env),
        LIMIT_KEY.removeprefix("$"): serialise.serialise((directive.Comment("What is counted by user."), *users)),
        _PASSED.removeprefix("$"): serialise.serialise((comment, passed)),
        _READABLE.removeprefix("$"): serialise.serialise((bounds, readable)),
        **login_locations.definitions(),
    }


def limit_key(user: str, key: str) -> directive.Directive:
    """What requests are counted by: a user, else the address, which is shorter. user: the variable with the name."""
    return arguments.map_to(user, key, ("", "$daemun_limit_address"), default=f"user of the gate {user}")


# --- for a server ----------------------------------------------------------------------------------------------


def is_needed(scope: site_scope.Scope) -> bool:
    """Whether a server with the content of this site has anything that daemun's own judge decides on."""
    return any(one.judge in _OURS for one in effective_access.find_judged(scope).values())


def server_lines(scope: site_scope.Scope, *, has_pages: bool) -> tuple[directive.Node, ...]:
    """The locations that decide, and the one for whom they keep out. has_pages: whether the gate's pages are there."""
    found: list[directive.Directive] = []
    for place, one in effective_access.find_judged(scope).items():
        name = place.rpartition("/")[2]
        if (policy := basic_auth_policies.make(one, name) or login_policies.make(one, name)) is not None:
            found.append(_location(place, policy))
    if not found:
        return ()
    # The judge is not there: keep everybody out.
    down = arguments.line("location", _DOWN, block=(arguments.line("return", "401"),))
    comment = directive.Comment("Who may come in by name and password, or signed in.")
    judges = {one.judge for one in effective_access.find_judged(scope).values()}
    refused = (_refused(scope, judge, has_pages=has_pages) for judge in _OURS if judge in judges)
    return (comment, *found, down, *refused, *login_locations.server_lines(scope))


def _location(place: str, policy: judge_policies.Policy | judge_policies.LoginPolicy) -> directive.Directive:
    """Where a policy is requested. Whatever an owner sets for the server does not hold here."""
    if isinstance(policy, judge_policies.LoginPolicy):
        key = f"{policy.name} {policy.digest} $host {login_locations.SESSION} {login_locations.TOKEN}"
        sent = {"Host": "judge", "X-Daemun-Session": login_locations.SESSION, "X-Forwarded-Host": "$host"}
        sent |= {"X-Daemun-Token": login_locations.TOKEN, "X-Real-IP": "$remote_addr"}
        sent |= {"X-Daemun-Goes": "$request_method $daemun_wanted"}
    else:
        key = f"{policy.name} {policy.digest} $host $remote_addr {_READABLE}"
        sent = {"Host": "judge", "Authorization": _READABLE, "X-Real-IP": "$remote_addr"}
    # nginx keeps connections by itself since 1.29.7, and a question would be lost on one that the judge closes then.
    sent |= {"Content-Length": "", "Connection": "close"}
    lines = (
        arguments.line("internal"),
        arguments.line("proxy_method", "GET"),
        *internal_requests.lines(sent, read_timeout="30s"),
        *judge_memory.lines(judge_memory.OWN, key, _REMEMBERED_S),
        # The 401 that comes of it is for nginx, which makes a page of it only in the visitor's own request.
        arguments.line("recursive_error_pages", "off"),
        arguments.line("error_page", "500", "502", "503", "504", "=", _DOWN),
        arguments.line("proxy_pass", f"http://{UPSTREAM}{policy.path}"),
    )
    return arguments.line("location", "=", place, block=lines)


def request_lines(access: access_option.Access) -> tuple[directive.Directive, ...]:
    """Beside `auth_request`: what is kept of the judge's answer."""
    if access.judge not in _OURS:
        return ()
    return (
        *(login_locations.request_lines() if access.login is not None else ()),
        arguments.line("auth_request_set", Expr(_USER), Expr("$upstream_http_x_daemun_user")),
        arguments.line("auth_request_set", Expr(_ANSWER), Expr("$upstream_http_x_daemun_answer")),
        arguments.line("auth_request_set", Expr(WAIT), Expr("$upstream_http_retry_after")),
    )


def refused_page(access: access_option.Access) -> directive.Directive:
    """For every location that is guarded."""
    return arguments.line("error_page", "401", "=", f"{_REFUSED}{access.judge}")


def _refused(scope: site_scope.Scope, judge: str, *, has_pages: bool) -> directive.Directive:
    """An owner may let nginx look at the errors of servers: a 401 of theirs is for a visitor who came in."""
    conditions = (
        arguments.line("if", Expr(_USER), block=(arguments.line("return", "401"),)),
        *counted_refusals.marked(scope, judge),
        *(
            arguments.line("if", Expr(_ANSWER), "=", status, block=(arguments.line("return", status),))
            for status in ("401", "429")
        ),
        *(login_locations.refused_lines(_ANSWER) if judge == "login" else ()),
    )
    # Its own 401 comes back here otherwise.
    where = arguments.line("error_page", "401", "429", "503", Expr(visitor_page.LOCATION)) if has_pages else None
    pages = (arguments.line("recursive_error_pages", "on" if has_pages else "off"), *((where,) if where else ()))
    return arguments.line(
        "location", f"{_REFUSED}{judge}", block=(*pages, *conditions, arguments.line("return", "503"))
    )


# --- for what is guarded ---------------------------------------------------------------------------------------


def find_headers(access: access_option.Access) -> tuple[str, ...]:
    """In which servers learn who came in by this."""
    if access.basic_auth is not None:
        return (USER_HEADER,)
    return (USER_HEADER, *_FURTHER_HEADERS) if access.login is not None else ()


def identity(scope: site_scope.Scope, route: model.Route) -> tuple[tuple[str, str], ...]:
    """The headers by which servers of a route learn who the visitor is, and their values. What was for the gate is not
    for them."""
    _, found = effective_access.find_judge(scope, route)
    has_login = login_locations.is_needed(scope)
    cookies = (("Cookie", login_locations.COOKIES),) if has_login else ()
    if found.basic_auth is not None:
        return ((USER_HEADER, _USER), ("Authorization", _PASSED), *cookies)
    copied = () if found.forward_auth is None else found.forward_auth.headers
    is_judges = "authorization" in {name.lower() for name in copied}
    own = (*cookies, ("Authorization", login_locations.AUTHORIZATION)) if has_login and not is_judges else cookies
    if found.login is None:
        return own
    further = (login_locations.GROUPS, login_locations.EMAIL, login_locations.NAME)
    return (
        (USER_HEADER, _USER),
        *zip(_FURTHER_HEADERS, further, strict=True),
        *own,
    )
