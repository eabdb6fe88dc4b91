"""Locations of regular expressions, in groups that nginx tries by one expression each.

nginx compares a request with every expression of a server until one is found, which takes half a microsecond for each.
A group is a location whose expression has all of theirs as alternatives, so that a request that none is for is
compared once. It is found exactly when one of its members is, and its members are compared in the same order as
before, so the same location is found (ngx_http_core_find_location in ngx_http_core_module.c: locations inside one with
an expression are looked up once that is found). Nothing else is in it, so its members inherit what they did.

Expressions that begin at the start of a path have groups apart from those that begin anywhere: PCRE tries them once,
and not at each character.
"""

import collections.abc
import dataclasses

from daemun.core import arguments, directive, model
from daemun.core.directive import Expr
from daemun.core.texts import expressions, patterns, route_paths

FEWEST = 5
"""A request that a member is for is compared twice: with few members, that costs what the others save."""
_MOST_CHARACTERS = 1600
"""nginx takes arguments of 4,096 bytes, in which a character may be written as two."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """A location with a regular expression. alternative: the expression without names of groups."""

    alternative: str
    is_at_start: bool


def in_groups(site: model.Site, nodes: collections.abc.Sequence[directive.Node]) -> tuple[directive.Node, ...]:
    """The nodes of a server, with groups where enough locations of the site's routes follow each other. Others with an
    expression, of an owner's, stay where they are between them."""
    by_name = dict(_members(site))
    if len(by_name) < FEWEST:
        return tuple(nodes)
    run: list[int] = []
    groups: dict[int, list[int]] = {}
    for index, node in enumerate(nodes):
        if not _is_by_expression(node):
            continue
        member = by_name.get(_name(node))
        if run and (member is None or not _goes_with([by_name[_name(nodes[one])] for one in run], member)):
            groups[run[0]] = run
            run = []
        if member is not None:
            run.append(index)
    if run:
        groups[run[0]] = run
    groups = {first: members for first, members in groups.items() if len(members) >= FEWEST}
    return tuple(_written(nodes, groups, by_name)) if groups else tuple(nodes)


def _members(site: model.Site) -> collections.abc.Iterator[tuple[str, _Member]]:
    for one in site.routes:
        if one.entry not in {None, 0}:
            continue
        match route_paths.find_kind(one.path):
            case route_paths.PathKind.SUFFIX:
                suffix = route_paths.written_suffix(one.path).removeprefix(expressions.EVERYTHING)
                yield _name(arguments.location(one.path, ())), _Member(alternative=f"(?i:{suffix})", is_at_start=False)
            case route_paths.PathKind.EXPRESSION if route_paths.is_of_file(one.path):
                sign, expression = route_paths.split_expression(one.path)
                text = patterns.written(expression)
                yield (
                    _name(arguments.location(one.path, ())),
                    _Member(
                        alternative=f"(?i:{text})" if sign == "~*" else text,
                        is_at_start=expressions.begins_at_start(expression),
                    ),
                )
            case _:
                pass


def _is_by_expression(node: directive.Node) -> bool:
    if not isinstance(node, directive.Directive) or node.name != "location":
        return False
    return len(node.args) == 2 and node.args[0].value in {"~", "~*"}


def _name(node: directive.Node) -> str:
    return " ".join(one.value for one in node.args) if isinstance(node, directive.Directive) else ""


def _goes_with(run: list[_Member], member: _Member) -> bool:
    size = sum(len(one.alternative) + 1 for one in run) + len(member.alternative)
    return run[0].is_at_start == member.is_at_start and size <= _MOST_CHARACTERS


def _written(
    nodes: collections.abc.Sequence[directive.Node],
    groups: dict[int, list[int]],
    by_name: dict[str, _Member],
) -> collections.abc.Iterator[directive.Node]:
    """A title stands where its location went, and where others of its route stay."""
    moved = {index for members in groups.values() for index in members}
    for index, node in enumerate(nodes):
        if index in groups:
            yield from _group(nodes, groups[index], by_name)
        if index in moved:
            continue
        is_title = index + 1 in moved and isinstance(node, directive.Comment)
        if is_title and (index + 2 >= len(nodes) or isinstance(nodes[index + 2], directive.Comment)):
            continue
        yield node


def _group(
    nodes: collections.abc.Sequence[directive.Node], members: list[int], by_name: dict[str, _Member]
) -> collections.abc.Iterator[directive.Node]:
    alternatives = "|".join(by_name[_name(nodes[index])].alternative for index in members)
    block: list[directive.Node] = []
    for index in members:
        if index and isinstance(nodes[index - 1], directive.Comment):
            block.append(nodes[index - 1])
        block.append(nodes[index])
    yield directive.Comment(f"Found when one of these {len(members)} expressions is, which are looked at only then.")
    block.append(arguments.line("return", "404"))
    yield arguments.line("location", "~", Expr(f"{expressions.EVERYTHING}{alternatives}"), block=tuple(block))
