"""What nginx needs for daemun's own sign-in (`core.options.login_option`), beside the judge's location.

The session of a site is a cookie of that site alone. It is for the gate, and removed from what servers receive, and so
is the token of a script. Who has neither is sent to `/.daemun/login/start` on the same site, from there to the page on
the host of the sign-in, and back to `/.daemun/login/return` with a code that is good once. All three are answered by
the judge's process.
"""

from daemun.core import arguments, directive, serialise
from daemun.core.directive import Expr
from daemun.core.plan import variable_definitions
from daemun.core.render import effective_access, internal_requests, site_scope

UPSTREAM = "daemun_judge"
"""Of `judge_locations`."""
SESSION, TOKEN = "$daemun_session", "$daemun_bearer"
GROUPS, EMAIL, NAME = "$daemun_user_groups", "$daemun_user_email", "$daemun_user_name"
COOKIES = "$daemun_passed_cookies"
AUTHORIZATION = "$daemun_foreign_authorization"
OWN = (GROUPS, EMAIL, NAME, COOKIES, AUTHORIZATION)
"""Variables that may be empty."""
WITHOUT_OURS = {"Cookie": COOKIES, "Authorization": AUTHORIZATION}
"""For servers and other judges: a visitor's headers without what is for the gate."""
_PATH = "/.daemun/login/"
_GOES = "$daemun_sign_in_here"
_COOKIE = "__Host-daemun-[a-z-]+=[^;]*"
_LARGEST_FORM = "16k"


def is_needed(scope: site_scope.Scope) -> bool:
    return any(one.login is not None for one in effective_access.find_judged(scope).values())


# --- for all sites ---------------------------------------------------------------------------------------------


def definitions() -> variable_definitions.Definitions:
    """A visitor's cookie header without ours, of which there are two kinds at most; whoever sends more sends none."""
    session = r"~(?:^|;\s*)__Host-daemun-session=(?<daemun_session_id>[A-Za-z0-9_-]{43})\s*(?:;|\z)"
    token = (r"~*^bearer +(?<daemun_sent_bearer>daemun_[A-Za-z0-9_-]{43}) *\z", "$daemun_sent_bearer")
    odd = (r"~*^\s*bearer\s+daemun_", "odd")
    left = (_left("$http_cookie", 1), _left("$daemun_left_cookies_1", 2))
    passed = arguments.map_to(
        "$daemun_left_cookies_2", COOKIES, ("~__Host-daemun-", ""), default="$daemun_left_cookies_2"
    )
    found = (
        (
            "The session of a visitor who signed in.",
            arguments.map_to("$http_cookie", SESSION, (session, "$daemun_session_id")),
        ),
        (
            "The token of a script, of a form that the judge reads.",
            arguments.map_to("$http_authorization", TOKEN, token, odd),
        ),
        (
            "What is no token of the gate is for servers.",
            arguments.map_to(TOKEN, AUTHORIZATION, ("", "$http_authorization")),
        ),
        ("Cookies for servers: without those of the gate.", left[0]),
        ("The same without a second one.", left[1]),
        ("The same, or nothing.", passed),
    )
    return {
        node.args[-1].value.removeprefix("$"): serialise.serialise((directive.Comment(comment), node))
        for comment, node in found
    }


def _left(source: str, number: int) -> directive.Directive:
    first = rf"~^\s*{_COOKIE}(?:;\s*(?<daemun_cookies_{number}a>.*))?\z"
    later = rf"~^(?<daemun_cookies_{number}b>.*?);\s*{_COOKIE}(?<daemun_cookies_{number}c>.*)\z"
    return arguments.map_to(
        source,
        f"$daemun_left_cookies_{number}",
        (first, f"$daemun_cookies_{number}a"),
        (later, f"$daemun_cookies_{number}b$daemun_cookies_{number}c"),
        default=source,
    )


# --- for a server ----------------------------------------------------------------------------------------------


def server_lines(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """Where a visitor leaves for the sign-in, and comes back."""
    if not is_needed(scope):
        return ()
    block = (*effective_access.open_lines(scope.environment, _address_rules(scope)), *passing(scope, "/site/"))
    return (arguments.line("location", "^~", _PATH, block=block),)


def _address_rules(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """Whose address is refused needs not sign in. Where one condition is enough, everybody may."""
    every = {
        () if one.any else effective_access.address_rules(one, scope.environment)
        for one in effective_access.find_judged(scope).values()
        if one.login is not None
    }
    return every.pop() if len(every) == 1 else ()


def pages(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """The sign-in's own host, where conditions of the gate without a judge hold (`core.access.login_site`)."""
    return (arguments.line("location", "/", block=passing(scope, "/pages/")),)


def passing(scope: site_scope.Scope, path: str) -> tuple[directive.Node, ...]:
    """The judge reads these headers, and no other of the visitor's."""
    port = scope.forwarded.named_port if scope.site.https_port is None else "$daemun_https_port"
    sent = {
        "Host": "judge",
        "Connection": "close",
        "Accept-Language": "$http_accept_language",
        "Content-Type": "$content_type",
        "Cookie": "$http_cookie",
        "Origin": "$http_origin",
        "User-Agent": "$http_user_agent",
        "X-Real-IP": "$remote_addr",
        "X-Forwarded-Host": scope.forwarded.host,
        "X-Forwarded-Proto": scope.forwarded.forwarded_proto,
        "X-Daemun-Port": port,
        **({} if scope.site.https_port is None else {"X-Daemun-Site-Port": str(scope.site.https_port)}),
    }
    return (
        arguments.line("client_max_body_size", _LARGEST_FORM),
        *internal_requests.lines(sent, read_timeout="60s", has_body=True),
        arguments.line("proxy_cache", "off"),
        arguments.line("proxy_pass", f"http://{UPSTREAM}{path}"),
    )


def refused_lines(answer: str) -> tuple[directive.Directive, ...]:
    """In the location of those whom the judge does not let in: browsers are sent to the sign-in, programs cannot use
    it. answer: the variable with what the judge answered, 302 for who is to sign in."""
    there = (arguments.line("return", "302", Expr(f"{_PATH}start?$request_uri")),)
    return (
        # The port that a visitor named may be another than nginx's own.
        arguments.line("absolute_redirect", "off"),
        arguments.line("set", Expr(_GOES), Expr(f"{answer} $request_method $daemun_wanted")),
        arguments.line("if", Expr(_GOES), "~", r"^302 (?:GET|HEAD) html\z", block=there),
        arguments.line("if", Expr(answer), "=", "302", block=(arguments.line("return", "401"),)),
    )


def request_lines() -> tuple[directive.Directive, ...]:
    """Beside `auth_request`: what is kept of the judge's answer."""
    kept = ((GROUPS, "groups"), (EMAIL, "email"), (NAME, "name"))
    return tuple(
        arguments.line("auth_request_set", Expr(variable), Expr(f"$upstream_http_x_daemun_{header}"))
        for variable, header in kept
    )
