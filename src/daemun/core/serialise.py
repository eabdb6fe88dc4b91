r"""The one place where the tree becomes text, and so the one that quotes.

How nginx reads a word (`ngx_conf_read_token` in ngx_conf_file.c, tried against 1.31.3): in double quotes everything
is literal but a backslash before `"`, `'`, `\`, `t`, `r` or `n`. A word takes at most 4096 bytes of the file, quotes
and escapes included; so does a comment.

Quoting does not concern variables: some directives look for `$name` in the word they got, others do not. A `$` in a
`Text` is written for the directive it stands in, and refused where this module does not know which kind it is.
"""

import collections.abc
import functools
import re

from daemun.core import directive
from daemun.core.texts import words
from daemun.errors import RenderError

MAX_WORD_BYTES = 4000
MAX_COMMENT_CHARACTERS = 400

DOLLAR = "${daemun_dollar}"
"""A variable that holds a dollar sign: nginx has no escape for one."""

_BARE = re.compile(rb"[A-Za-z0-9_./:@=~^*+,%?&|!<>()\[\]$-]+\Z")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ESCAPES = {"\t": "\\t", "\r": "\\r", "\n": "\\n"}
_INDENT = "    "

_EVALUATED = frozenset(
    {
        "add_header",
        "alias",
        "fastcgi_param",
        "grpc_set_header",
        "grpc_ssl_name",
        "hash",
        "proxy_redirect",
        "proxy_set_header",
        "proxy_ssl_name",
        "return",
        "rewrite",
        "root",
        "scgi_param",
        "uwsgi_param",
    }
)
"""Directives of ours that read variables in the words that `Text` is given for."""

_LITERAL = frozenset(
    {"location", "server", "proxy_ssl_trusted_certificate", "grpc_ssl_trusted_certificate", "error_log", "pid"}
)


def serialise(nodes: collections.abc.Iterable[directive.Node]) -> bytes:
    """Write a tree as a file that a person can read.

    Raises: RenderError when a value cannot be one word of an nginx configuration.
    """
    lines: list[str] = []
    _add_lines(lines, nodes, "")
    lines.append("")
    return "\n".join(lines).encode(errors="replace")


def _add_lines(lines: list[str], nodes: collections.abc.Iterable[directive.Node], indent: str) -> None:
    before: directive.Node | None = None
    for node in nodes:
        if before is not None and _is_apart(before, node):
            lines.append("")
        before = node
        if isinstance(node, directive.Comment):
            lines.append(f"{indent}# {_shown(node.text)}".rstrip())
            continue
        head = indent + " ".join(_words(node))
        if node.block is None:
            lines.append(f"{head};  # {_shown(node.beside)}" if node.beside else f"{head};")
            continue
        lines.append(f"{head} {{  # {_shown(node.beside)}" if node.beside else f"{head} {{")
        _add_lines(lines, node.block, indent + _INDENT)
        lines.append(f"{indent}}}")


def _is_apart(before: directive.Node, node: directive.Node) -> bool:
    """Blocks stand apart from their neighbours, and a comment belongs to what follows it."""
    if isinstance(before, directive.Comment):
        return False
    return before.block is not None or isinstance(node, directive.Comment) or node.block is not None


def _words(node: directive.Directive) -> list[str]:
    written = [_write(argument, node.name) for argument in node.args]
    if node.name == "if" and written and not written[0].startswith(("(", '"(')):
        written = _in_parentheses(written)  # parsers of nginx files leave them out
    return [_quote(node.name, node.name), *written]


def _in_parentheses(written: list[str]) -> list[str]:
    """Beside a quoted word they stand alone: inside the quotes they would belong to it."""
    written = ["(", *written] if written[0].startswith('"') else [f"({written[0]}", *written[1:]]
    return [*written, ")"] if written[-1].startswith('"') else [*written[:-1], f"{written[-1]})"]


def _write(argument: directive.Arg, name: str) -> str:
    value = argument.value
    return _quote(value, name) if isinstance(argument, directive.Expr) else _write_text(value, name)


# Sites are alike: of a hundred words that thousands of them need, a few are their own.
@functools.lru_cache(maxsize=8192)
def _write_text(value: str, name: str) -> str:
    found = CONTROL.search(value)
    if found is not None:
        raise RenderError(
            f"cannot write {words.quoted(value)} for `{name}`: it holds the control character "
            f"U+{ord(found.group()):04X}; remove it"
        )
    if "$" in value and name in _EVALUATED:
        value = value.replace("$", DOLLAR)
    elif "$" in value and name not in _LITERAL:
        raise RenderError(f"cannot write {words.quoted(value)} for `{name}`: a $ has no literal form there; remove it")
    return _quote(value, name)


@functools.lru_cache(maxsize=8192)
def _quote(value: str, name: str) -> str:
    try:
        raw = value.encode()
    except UnicodeEncodeError as error:
        raise RenderError(f"cannot write {words.quoted(value)} for `{name}`: it is not Unicode text") from error
    if b"\x00" in raw:
        raise RenderError(f"cannot write {words.quoted(value)} for `{name}`: it holds the control character U+0000")
    written = value if _BARE.match(raw) and "${" not in value else _in_quotes(value)
    size = len(written.encode())
    if size > MAX_WORD_BYTES:
        raise RenderError(
            f"cannot write {words.quoted(value)} for `{name}`: it takes {size} bytes, at most {MAX_WORD_BYTES}"
        )
    return written


def _in_quotes(value: str) -> str:
    """A backslash is doubled only where nginx would read an escape, so that regular expressions stay readable."""
    written = []
    for here, after in zip(value, value[1:] + '"', strict=False):
        if here == "\\":
            written.append("\\\\" if after in "\"'\\trn\t\r\n" else "\\")
        else:
            written.append('\\"' if here == '"' else _ESCAPES.get(here, here))
    return f'"{"".join(written)}"'


def _shown(text: str) -> str:
    """A comment that stays one comment, whatever it quotes."""
    flat = CONTROL.sub("?", text)
    return flat if len(flat) <= MAX_COMMENT_CHARACTERS else flat[: MAX_COMMENT_CHARACTERS - 1] + "…"
