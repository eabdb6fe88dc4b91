"""Texts that would like to be more than one word of an nginx file, and files read back by a parser that is not ours."""

import pathlib
import re
import tempfile
import typing

import crossplane
import hypothesis.strategies as st

_ESCAPE = re.compile(r"\\([\\\"'trn])")
_ESCAPED = {"t": "\t", "r": "\r", "n": "\n"}

# --- hostile texts ---

HOSTILE = st.text(
    st.one_of(
        st.sampled_from(" ;{}\"'\\#$/~*^=@:?&()[]|%<>-_.,!+`\n\r\t\0\x7f\x85\u2028abtrnzAZ059가"), st.characters()
    ),
    max_size=60,
)
"""Any text, mostly of the characters that mean something to nginx."""

INJECTIONS = (
    "; return 200 pwned; #",
    '"; return 200 pwned; #',
    "'; return 200 pwned; #",
    "\\",
    '\\"; return 200 pwned; #',
    "x\\\\",
    "} server { listen 81; } #",
    "x\n    return 200 pwned;",
    "x\rreturn 200 pwned;",
    "$host",
    "${host}",
    "${",
    "$",
    "$$host",
    "x{y}z",
    "x y",
    "x#y",
    "# x",
    "~ .*",
    "@x",
    "*",
    "= /x",
    "%0a%0d",
    "%2e%2e/",
    "가나다",
    "\ud800",
    "\0",
    "a" * 300,
    "a" * 5000,
    '"' * 1500,
    "$" * 500,
    "default",
    "unix:/x",
    "off",
)

# --- reading back ---

Tree = list[tuple[str, list[str], "Tree | None"]]


def parse(content: bytes) -> Tree:
    """Directives as nginx holds them: name, arguments, block. Comments are left out."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "some.conf")
        path.write_bytes(content)
        found = crossplane.parse(
            str(path), single=True, strict=False, check_ctx=False, check_args=False, catch_errors=False
        )
    return _tree(found["config"][0]["parsed"])


def _tree(parsed: list[dict[str, typing.Any]]) -> Tree:
    return [
        (
            _unescape(node["directive"]),
            [_unescape(arg) for arg in node["args"]],
            _tree(node["block"]) if "block" in node else None,
        )
        for node in parsed
    ]


def _unescape(text: str) -> str:
    """crossplane leaves all escapes but those of the quote itself as they are; nginx reads these."""
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match.group(1), match.group(1)), text)


def skeleton(tree: Tree, *, named: bool = True) -> list[typing.Any]:
    """The structure alone: which directives, how many arguments, what is inside. In maps the names are values."""
    return [
        (
            name if named else "*",
            len(args),
            None if block is None else skeleton(block, named=name not in {"map", "geo", "types"}),
        )
        for name, args, block in tree
    ]


def words(tree: Tree) -> list[str]:
    """Every name and argument."""
    found = []
    for name, args, block in tree:
        found += [name, *args, *([] if block is None else words(block))]
    return found
