"""The page behind an invitation's link (`daemun.judge.invitation_app`), whose address has a secret.

No log of nginx has it: not the access log, nor the error log, in which nginx writes the whole line of a request whose
server does not answer, nor those of the gate's own pages.
"""

from daemun.core import arguments, directive
from daemun.core.directive import Expr
from daemun.core.render import error_pages, login_locations, site_scope

_PATH = "/invitation"
_PAGES = "@daemun_unlogged_"


def page(scope: site_scope.Scope) -> directive.Directive:
    there = arguments.line("error_page", *error_pages.STATUSES, Expr(f"{_PAGES}$daemun_wanted"))
    passing = login_locations.passing(scope, f"/pages{_PATH}")
    return arguments.line("location", "=", _PATH, block=(*unlogged(scope), there, *passing))


def beside(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """The pages of its errors."""
    return error_pages.unlogged(_PAGES, unlogged(scope))


def unlogged(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """nginx writes nothing about a request that is an emergency."""
    where = f"{scope.environment.layout.logs}/error.log"
    return (arguments.line("access_log", "off"), arguments.line("error_log", where, "emerg"))
