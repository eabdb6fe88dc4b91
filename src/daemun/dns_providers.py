"""The DNS providers of dns-lexicon and their options, read from its files: importing it takes a third of a second.

Blocking, milliseconds.
"""

import ast
import functools
import importlib.metadata
import importlib.util
import pathlib
import pkgutil
import re

GENERAL_OPTIONS = ("ttl",)
"""What the library takes for every provider."""


@functools.cache
def find_providers() -> tuple[str, ...]:
    """Sorted; empty when dns-lexicon is not installed. Without the one that guesses which other one is meant."""
    folder = _folder()
    if folder is None:
        return ()
    return tuple(
        sorted(found.name for found in pkgutil.iter_modules([str(folder)]) if found.name not in {"auto", "base"})
    )


@functools.cache
def find_options(provider: str) -> tuple[str, ...]:
    """The options of one of `find_providers`, as its command line calls them, with _ for -; empty: not known."""
    folder = _folder()
    try:
        tree = ast.parse((folder / f"{provider}.py").read_bytes()) if folder is not None else ast.Module([], [])
    except (OSError, SyntaxError, ValueError):
        return ()
    found = {text[2:].replace("-", "_") for text in _arguments_of(tree, "add_argument") if text.startswith("--")}
    if not found:
        return ()
    return tuple(sorted({*found, *_arguments_of(tree, "_get_provider_option"), *GENERAL_OPTIONS} - {"domain"}))


@functools.cache
def find_missing_package(provider: str) -> str | None:
    """A package that a provider needs and that is not installed."""
    try:
        lines = importlib.metadata.requires("dns-lexicon") or []
    except importlib.metadata.PackageNotFoundError:
        return "dns-lexicon"
    for line in lines:
        wanted, _, marker = line.partition(";")
        name = re.match(r"[\w.-]+", wanted)
        if name is None or not re.search(rf"extra\s*==\s*['\"]{re.escape(provider)}['\"]", marker):
            continue
        try:
            importlib.metadata.distribution(name.group())
        except importlib.metadata.PackageNotFoundError:
            return name.group()
    return None


def _folder() -> pathlib.Path | None:
    spec = importlib.util.find_spec("lexicon")  # looks for the package without running it
    if spec is None or spec.origin is None:
        return None
    return pathlib.Path(spec.origin).parent / "_private" / "providers"


def _arguments_of(tree: ast.Module, method: str) -> set[str]:
    """The texts that calls of a method begin with."""
    return {
        argument.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method
        for argument in node.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }
