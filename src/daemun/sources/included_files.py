"""What `include` brings into hand-written nginx.

nginx lets the relative paths of all its files start at the folder of the main one, which is daemun's own and moves. So
the content of a file that has any stands in place of its `include`, with paths that start where those of the including
text do. All others stay files, which nginx reads itself. Blocking, milliseconds.
"""

import collections.abc
import dataclasses
import glob
import os
import pathlib

from daemun import causes, regular_files
from daemun.core import directive, model
from daemun.sources import nginx_snippet, standard_includes

_MAX_BYTES = 1 << 20


def expand(nodes: model.Snippet, base: pathlib.Path, *, is_complete: bool = False) -> model.Snippet:
    """The same, with the content of files that hold relative paths, or of all. base: the folder at which paths start.

    What cannot be read or parsed stays an `include`, for nginx or the renderer to refuse.
    """
    return tuple(one for node in nodes for one in _expand(node, base, (), is_complete=is_complete))


def read_whole(nodes: model.Snippet, base: pathlib.Path) -> model.Snippet:
    """With the content of every file that is included. Raises: ValueError with the file and what is wrong with it."""
    return tuple(one for node in nodes for one in _read_whole(node, base, ()))


def _expand(node: directive.Node, base: pathlib.Path, seen: tuple[str, ...], *, is_complete: bool) -> model.Snippet:
    """seen: the files on the way there."""

    def expand_all(nodes: collections.abc.Iterable[directive.Node], way: tuple[str, ...]) -> model.Snippet:
        return tuple(one for part in nodes for one in _expand(part, base, way, is_complete=is_complete))

    if isinstance(node, directive.Directive) and node.block is not None:
        return (dataclasses.replace(node, block=expand_all(node.block, seen)),)
    standard = _read_standard(node, base)
    if standard is not None:
        return expand_all(standard, seen)
    found: list[directive.Node] = []
    is_needed = is_complete and _is_include(node)
    try:
        for path in _find(node, seen):
            nodes, has_relative = _parse(path, base)
            inner = expand_all(nodes, (*seen, os.path.realpath(path)))
            is_needed = is_needed or has_relative or inner != nodes
            found += inner
    except ValueError:
        return (node,)
    return tuple(found) if is_needed else (node,)


def _read_whole(node: directive.Node, base: pathlib.Path, seen: tuple[str, ...]) -> model.Snippet:
    if not _is_include(node):
        return (node,)
    return tuple(
        one
        for path in _find(node, seen)
        for part in _parse(path, base)[0]
        for one in _read_whole(part, base, (*seen, os.path.realpath(path)))
    )


def _read_standard(node: directive.Node, base: pathlib.Path) -> model.Snippet | None:
    """What is in a file that lies beside most nginx.conf, and is not there."""
    if not isinstance(node, directive.Directive) or not _is_include(node) or os.path.exists(node.args[0].value):  # noqa: PTH110
        return None
    text = standard_includes.find(node.args[0].value, str(base.absolute()))
    return None if text is None else nginx_snippet.parse_included(text, lambda line, column: node.beside, base)[0]


def _is_include(node: directive.Node) -> bool:
    """Whether it names files; of a variable nginx makes no path here."""
    if not isinstance(node, directive.Directive) or node.name != "include" or node.block is not None:
        return False
    return len(node.args) == 1 and node.args[0].value.startswith("/") and "$" not in node.args[0].value


def _find(node: directive.Node, seen: tuple[str, ...]) -> list[str]:
    """The files that it includes, in nginx's order. Raises: ValueError for a circle."""
    if not _is_include(node):
        return []
    assert isinstance(node, directive.Directive)
    pattern = node.args[0].value
    paths = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207 - an absolute pattern
    for path in paths:
        if os.path.realpath(path) in seen or len(seen) > _MOST_LEVELS:
            raise ValueError(f"{path} includes itself")
    return paths


_MOST_LEVELS = 10


def _parse(path: str, base: pathlib.Path) -> tuple[model.Snippet, bool]:
    """Returns: what the file holds, and whether it holds relative paths. Raises: ValueError."""
    try:
        content = regular_files.read(path, _MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ValueError(f"{path} is larger than {_MAX_BYTES} bytes")
        return nginx_snippet.parse_included(content.decode(), lambda line, column: f"{path}:{line}:{column}", base)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {causes.describe(error)}") from error
    except nginx_snippet.SnippetError as error:
        raise ValueError(f"{path}:{error.line}: {error}") from error
