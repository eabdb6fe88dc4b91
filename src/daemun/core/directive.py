"""The nginx configuration as a tree of typed directives. Text exists only once it leaves `core.serialise`."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """A literal argument: whatever it holds reaches nginx as one argument with exactly this value.

    `$` is written so that nginx does not read a variable there (see core.serialise).
    """

    value: str


@dataclasses.dataclass(frozen=True, slots=True)
class Expr:
    """An argument that nginx evaluates: variables in it are meant. Only built from constants of the renderer,
    from `Text`-quoted parts, or from an owner's raw snippet."""

    value: str


Arg = Text | Expr


@dataclasses.dataclass(frozen=True, slots=True)
class Directive:
    """One directive: `name args;`, or `name args { block }` when block is not None.

    beside: a comment on the same line, for the person who reads the file: where it comes from.
    """

    name: str
    args: tuple[Arg, ...] = ()
    block: "tuple[Node, ...] | None" = None
    beside: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Comment:
    """A line `# text` for the person who reads the file."""

    text: str


def content(digest: str) -> str:
    """The text of a comment with a digest of a file that nginx loads once: one that differs is a change."""
    return f"Content: {digest}"


Node = Directive | Comment
