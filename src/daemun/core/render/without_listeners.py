"""Files without the addresses that nginx cannot listen on now (see `plan.listeners`)."""

import collections.abc
import dataclasses

from daemun.core import directive
from daemun.core.plan import generation_files, listeners


def without(nodes: collections.abc.Iterable[directive.Node], denied: frozenset[str]) -> tuple[directive.Node, ...]:
    """The same tree without its `listen` lines for these addresses, and without the servers that are left with none:
    those would be reached where they should not be, as nginx lets them listen on port 80."""
    if not denied:
        return tuple(nodes)
    return tuple(kept for node in nodes if (kept := _without(node, denied)) is not None)


def _without(node: directive.Node, denied: frozenset[str]) -> directive.Node | None:
    if isinstance(node, directive.Comment) or node.block is None:
        return node
    block = tuple(inner for inner in without(node.block, denied) if not _listens_on(inner, denied))
    if node.name == "server" and _listens(node.block) and not _listens(block):
        return None
    return dataclasses.replace(node, block=block)


def _listens_on(node: directive.Node, denied: frozenset[str]) -> bool:
    if isinstance(node, directive.Comment) or node.name != "listen" or not node.args:
        return False
    return not denied.isdisjoint(listeners.addresses_of(node.args[0].value))


def _listens(block: tuple[directive.Node, ...]) -> bool:
    return any(_is_listening(node) for node in block)


def _is_listening(node: directive.Node) -> bool:
    if isinstance(node, directive.Comment):
        return False
    return (
        node.name == "listen"
        or _includes(node, generation_files.LISTEN_HTTP)
        or _includes(node, generation_files.LISTEN_HTTPS)
    )


def _includes(node: directive.Directive, path: str) -> bool:
    return node.name == "include" and [arg.value for arg in node.args] == [path]


# --- what is left ----------------------------------------------------------------------------------------------


def has_servers(nodes: collections.abc.Iterable[directive.Node]) -> bool:
    return any(isinstance(node, directive.Directive) and node.name == "server" for node in nodes)


def speaks_tls(nodes: collections.abc.Iterable[directive.Node]) -> bool:
    """Whether any server of a site's file can be reached over HTTPS."""
    return any(
        isinstance(node, directive.Directive) and node.name == "server" and any(map(_is_tls, node.block or ()))
        for node in nodes
    )


def _is_tls(node: directive.Node) -> bool:
    if isinstance(node, directive.Comment):
        return False
    if node.name == "listen":
        return any(arg.value == "ssl" for arg in node.args)
    return _includes(node, generation_files.LISTEN_HTTPS)
