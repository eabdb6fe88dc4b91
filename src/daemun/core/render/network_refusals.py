"""Who is refused by the country or the autonomous system of an address (`access.countries`).

nginx has no condition for a variable but `if` with `return`, which it looks at before all others, in the location that
it has chosen, and which no location inside inherits. So each has it. A `geo` of prefixes is a radix tree: a request
costs a walk of at most 128 steps, however many networks there are (ngx_radix_tree.c).
"""

import collections.abc
import dataclasses

from daemun.core import arguments, directive
from daemun.core.directive import Expr
from daemun.core.options import access_option, country_forms
from daemun.core.render import counted_refusals, site_scope

FILE = "refused-networks.conf"
_PREFIX = "$daemun_refused_"
_REFUSED, _LET_IN = "1", "0"


def lines(scope: site_scope.Scope, access: access_option.Access, place: str) -> tuple[directive.Directive, ...]:
    """First in a location. place: what distinguishes where the access was set."""
    refuse = (*counted_refusals.marked(scope, "countries"), arguments.line("return", "403"))
    count = 1 if access.any and access.countries else len(access.countries)
    return tuple(arguments.line("if", Expr(_variable(place, number)), block=refuse) for number in range(count))


def repeat(node: directive.Node, refusals: tuple[directive.Directive, ...]) -> directive.Node:
    """The node with these in each location that it is or holds. Not in those that no visitor can request: routes with
    another access may need them, too."""
    if not refusals or not isinstance(node, directive.Directive) or node.block is None:
        return node
    block = tuple(repeat(one, refusals) for one in node.block)
    is_reached = node.name == "location" and arguments.line("internal") not in node.block
    return dataclasses.replace(node, block=(*refusals, *block) if is_reached else block)


def is_refusal(node: directive.Node) -> bool:
    """Whether it is one of `lines`, or marks why an address is refused: such are first in a location."""
    if counted_refusals.is_address_line(node):
        return True
    if not isinstance(node, directive.Directive) or node.name != "if" or len(node.args) != 1:
        return False
    return node.args[0].value.startswith(_PREFIX)


def variables(
    access: access_option.Access, place: str, addresses: access_option.Addresses
) -> tuple[directive.Node, ...]:
    if not access.countries:
        return ()
    named = "; ".join(" ".join(one.allow or one.deny) for one in access.countries)
    if access.any:
        let_in = (*access.allow, *(network for one in access.countries for network in _let_in(one)))
        every = [_geo(_variable(place, 0), _REFUSED, access_option.networks(let_in, addresses), _LET_IN)]
    else:
        every = [_one(_variable(place, number), one) for number, one in enumerate(access.countries)]
    return (directive.Comment(f"1 for addresses that are refused. Named are: {named}"), *every)


def _one(variable: str, value: country_forms.Countries) -> directive.Directive:
    if value.deny:
        found = value.database.found
        return _geo(variable, _REFUSED if found is None else _LET_IN, () if found is None else found.networks, _REFUSED)
    return _geo(variable, _REFUSED, access_option.networks(_let_in(value)), _LET_IN)


def _let_in(value: country_forms.Countries) -> tuple[str, ...]:
    found = value.database.found
    private = (access_option.PRIVATE,) if access_option.PRIVATE in value.allow else ()
    return (*private, *(() if found is None else found.networks))


def _geo(variable: str, default: str, networks: collections.abc.Iterable[str], of_networks: str) -> directive.Directive:
    block = (arguments.line("default", default), *(arguments.line(one, of_networks) for one in networks))
    return arguments.line("geo", Expr(variable), block=block)


def _variable(place: str, number: int) -> str:
    return f"{_PREFIX}{place}_{number}"
