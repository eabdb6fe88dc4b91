r"""Hand-written nginx becomes a tree of directives, before nginx sees it.

crossplane reads the text; this module only builds the tree and refuses what would leave its place: a brace that closes
more than was opened, a quote or a brace that is never closed, a directive without its end. Whether a directive exists
and takes these arguments is for nginx to decide (`nginx -t`).

Arguments are values as nginx sees them: quotes are gone and `\"`, `\'`, `\\`, `\t`, `\r`, `\n` are resolved
(ngx_conf_read_token in ngx_conf_file.c). So an argument that was quoted is still one argument when it is written again.
"""

import collections.abc
import dataclasses
import pathlib
import re

from daemun.core import directive, model
from daemun.core.texts import words
from daemun.sources import snippet_files

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {'"': '"', "'": "'", "\\": "\\", "t": "\t", "r": "\r", "n": "\n"}
_OPEN_VARIABLE = re.compile(r"\$\{[^}]*\s")
"""crossplane reads on behind a `${name` without its brace, where nginx ends the word."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_MAX_DEPTH = 20

Token = tuple[str, int, bool]
"""Text, line from 1, whether it was quoted."""


class SnippetError(Exception):
    """The text cannot be used. line: counts from 1 within the text."""

    def __init__(self, message: str, *, line: int) -> None:
        super().__init__(message)
        self.line = line


Place = collections.abc.Callable[[int, int], str]
"""A line and a column of the text, both from 1 -> where that is for a person: "daemun.yaml:14:9"."""


def parse_snippet(text: str, place: Place | None = None, base: pathlib.Path | None = None) -> model.Snippet:
    """place: what each directive notes beside it. base: the folder that paths of files start from; None: they must be
    absolute where nginx's own folder would count. Raises: SnippetError."""
    nodes = _parse(text, has_lines=place is not None, has_base=base is not None)
    nodes = nodes if base is None else snippet_files.absolute(nodes, base)
    return nodes if place is None else _placed(nodes, _Columns(text), place)


def parse_included(text: str, place: Place, base: pathlib.Path) -> tuple[model.Snippet, bool]:
    """The same for a file that hand-written nginx includes. Returns: whether it holds relative paths, too."""
    written = _parse(text, has_lines=True, has_base=True)
    nodes = snippet_files.absolute(written, base)
    return _placed(nodes, _Columns(text), place), nodes != written


def _parse(text: str, *, has_lines: bool, has_base: bool) -> model.Snippet:
    bad = _CONTROL.search(text)
    if bad is not None:
        line = text.count("\n", 0, bad.start()) + 1
        raise SnippetError(f"holds the control character U+{ord(bad.group()):04X}; remove it", line=line)
    return _Builder(_read_tokens(text), has_lines=has_lines, has_base=has_base).block(0)


def without_places(nodes: model.Snippet) -> model.Snippet:
    """The same, wherever it stands."""
    return tuple(
        node
        if isinstance(node, directive.Comment)
        else dataclasses.replace(node, beside="", block=None if node.block is None else without_places(node.block))
        for node in nodes
    )


class _Columns:
    """Finds the words of a text one after another; crossplane has their lines only."""

    def __init__(self, text: str) -> None:
        self._lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._line, self._end = 0, 0

    def find(self, line: int, word: str) -> int:
        if line != self._line:
            self._line, self._end = line, 0
        written = self._lines[line - 1] if line <= len(self._lines) else ""
        found = re.search(rf"(?<![^\s;{{}}\"']){re.escape(word)}(?![^\s;{{}}\"'])", written[self._end :])
        if found is None:
            return 1
        column = self._end + found.start() + 1
        self._end += found.end()
        return column


def _placed(nodes: model.Snippet, columns: _Columns, place: Place) -> model.Snippet:
    """The builder left the line beside each directive."""
    written: list[directive.Node] = []
    for node in nodes:
        if isinstance(node, directive.Directive):
            line = int(node.beside)
            where = place(line, columns.find(line, node.name))
            block = None if node.block is None else _placed(node.block, columns, place)
            written.append(dataclasses.replace(node, block=block, beside=where))
        else:
            written.append(node)
    return tuple(written)


def _read_tokens(text: str) -> list[Token]:
    """The tokens of the text. Braces that do not fit are left to the builder, which knows where a block was opened."""
    from crossplane import errors, lexer  # noqa: PLC0415 - most files hold no hand-written nginx

    # Space ends a "${" that is still open, so that it becomes a token; a backslash at the end takes one of the two.
    source = f"{text}\n\n".replace("\r\n", "\n").replace("\r", "\n")
    tokens: list[Token] = []
    try:
        for token, line, quoted in lexer.lex_string(source):
            if not quoted and _OPEN_VARIABLE.search(token):
                raise SnippetError(f'{words.quoted(token.strip())}: "${{" is never closed', line=line)
            tokens.append((token, line, quoted))
    except errors.NgxParserSyntaxError as error:
        if error.strerror == 'unexpected "}"':
            tokens.append(("}", error.lineno, False))
        elif not error.strerror.endswith('expecting "}"'):
            raise SnippetError("a quote is opened here, and never closed", line=error.lineno) from None
    return tokens


@dataclasses.dataclass(slots=True)
class _Builder:
    """Reads tokens from left to right. has_lines: whether each directive notes its line. has_base: whether relative
    paths have a meaning."""

    tokens: list[Token]
    has_lines: bool = False
    has_base: bool = False
    position: int = 0

    def block(self, opened_on_line: int, *, depth: int = 0) -> tuple[directive.Node, ...]:
        """The nodes up to the brace that closes the block, or to the end of the text for line 0."""
        nodes: list[directive.Node] = []
        for token, line, quoted in self._rest():
            sign = "" if quoted else token[:1]
            if sign == "#":
                nodes.append(_comment(token))
            elif sign == "}":
                if not opened_on_line:
                    raise SnippetError(
                        'unexpected "}": it would close the block that daemun writes around it', line=line
                    )
                return tuple(nodes)
            elif sign in {"{", ";"}:
                raise SnippetError(f"unexpected {words.quoted(token)}: expected a directive", line=line)
            else:
                nodes += self._directive(token, line, depth)
        if opened_on_line:
            raise SnippetError('"{" is never closed', line=opened_on_line)
        return tuple(nodes)

    def _rest(self) -> collections.abc.Iterator[Token]:
        while self.position < len(self.tokens):
            self.position += 1
            yield self.tokens[self.position - 1]

    def _directive(self, name: str, line: int, depth: int) -> list[directive.Node]:
        """A directive, behind the comments that stood among its arguments."""
        _check_name(name, line)
        nodes: list[directive.Node] = []
        args: list[directive.Arg] = []
        for token, token_line, quoted in self._rest():
            sign = "" if quoted else token[:1]
            if sign not in {";", "{", "}"}:
                if sign == "#":
                    nodes.append(_comment(token))
                else:
                    args.append(directive.Expr(_unescape(token)))
                continue
            if sign == "}":
                raise SnippetError(f'expected ";" after {words.quoted(name)}, found "}}"', line=token_line)
            if sign == "{" and depth >= _MAX_DEPTH:
                raise SnippetError("is nested too deeply", line=token_line)
            block = self.block(token_line, depth=depth + 1) if sign == "{" else None
            if not self.has_base:
                _check_arguments(name, args, line)
            beside = str(line) if self.has_lines else ""
            return [*nodes, directive.Directive(_unescape(name), tuple(args), block, beside)]
        raise SnippetError(f'expected ";" after {words.quoted(name)}, found the end of the text', line=line)


def _check_name(name: str, line: int) -> None:
    if "_by_lua" in name:
        raise SnippetError(f"{words.quoted(name)}: Lua is not part of the nginx that daemun runs", line=line)


def _check_arguments(name: str, args: list[directive.Arg], line: int) -> None:
    if name == "include" and args and not args[0].value.startswith("/"):
        found = words.quoted(args[0].value)
        raise SnippetError(f"include {found}: expected an absolute path (daemun's own files move)", line=line)


def _comment(token: str) -> directive.Comment:
    return directive.Comment(token.removeprefix("#").strip().replace("\t", " "))


def _unescape(token: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match.group(1), match.group(0)), token)
