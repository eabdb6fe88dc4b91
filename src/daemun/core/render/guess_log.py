"""How nginx reports guesses of passwords that servers behind the gate refuse (`core.access.server_guesses`).

A line in syslog's form to a socket of daemun's, for answers of servers with 401 to a request that had credentials: in
`Authorization`, or what is posted to a path that is most likely a sign-in, but not by a page of another site, which
could get a visitor banned. Of the credentials it has a number of two
digits, from which nothing can be learnt. What daemun's own judge refuses is counted there.

A request with another answer costs one look into a table of one entry.
"""

from daemun.core import arguments, directive, model, render_environment
from daemun.core.access import server_guesses
from daemun.core.directive import Expr
from daemun.core.options import bans_option

_FORMAT = "daemun_guess"
_GUESS, _OF_SERVER = "$daemun_guess", "$daemun_refused_by_server"
_KIND, _NUMBER = "$daemun_guess_kind", "$daemun_guess_number"
_POSTED, _FROM_HERE, _FORM = "$daemun_guess_posted", "$daemun_guess_from_here", "$daemun_guess_form"
_SIGN_IN = r"~*/(?:user/|users/|api/|auth/)*(?:log[-_]?in|sign[-_]?in|authenticate)(?:\.[a-z]+)?/?\z"
"""Not every path with "auth" or "session": programs whose session has ended go on posting to those."""
_TRIED = "~*^(?:Basic|Bearer) "
"""Of Digest, each request has another text."""


def is_on(settings: model.Globals) -> bool:
    return bans_option.OPTION.of(settings)


def format_line() -> directive.Directive:
    """For the http level."""
    return arguments.line("log_format", _FORMAT, Expr(f"guess {_GUESS} $remote_addr"))


def line(env: render_environment.Environment) -> directive.Directive:
    """Beside each access log, for nginx takes those of one level alone."""
    where = f"syslog:server=unix:{env.layout.guesses_socket},tag=daemun,nohostname"
    return arguments.line("access_log", where, _FORMAT, Expr(f"if={_GUESS}"))


def variables() -> tuple[directive.Node, ...]:
    share = f"{100 / server_guesses.KINDS:g}%"
    numbers = (arguments.line(share, str(number)) for number in range(1, server_guesses.KINDS))
    return (
        directive.Comment("What is most likely a wrong password for a server: of which credentials, as a number."),
        arguments.map_to("$status", _GUESS, ("401", _OF_SERVER)),
        arguments.map_to("$upstream_status", _OF_SERVER, (r"~(?:^|[ :])401\z", _KIND)),
        arguments.map_to("$http_authorization", _KIND, ("", _POSTED), (_TRIED, _NUMBER)),
        arguments.line(
            "split_clients",
            Expr("$http_authorization"),
            Expr(_NUMBER),
            block=(*numbers, arguments.line("*", str(server_guesses.KINDS))),
        ),
        arguments.map_to("$request_method", _POSTED, ("POST", _FROM_HERE)),
        arguments.map_to("$http_sec_fetch_site", _FROM_HERE, ("", _FORM), ("same-origin", _FORM)),
        arguments.map_to("$uri", _FORM, (_SIGN_IN, server_guesses.POSTED)),
    )
