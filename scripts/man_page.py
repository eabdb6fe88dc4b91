"""Makes the man page from the definitions of the commands: `python -m scripts.man_page > docs/daemun.1`.

Typer brings no man pages, and click-man knows Click's own classes only, of which Typer has copies. Written in man(7),
which groff and mandoc read.
"""

import collections.abc
import re
import textwrap
import typing

import typer.main

import daemun
from daemun.cli import app

_COMMON = frozenset({"config", "state", "nginx", "as_json", "help"})
"""Parameters of every command, which are told once."""

_FILES = (
    (
        "./daemun.yaml, ~/.config/daemun/daemun.yaml, /etc/daemun/daemun.yaml",
        "The configuration: the first that is there.",
    ),
    ("/var/lib/daemun, ~/.local/share/daemun", "The state directory of root, and of others."),
)
_ENVIRONMENT = (
    ("DAEMUN_CONFIG, DAEMUN_STATE, DAEMUN_NGINX", "As the options -c, --state and --nginx, which win over them."),
)
_EXIT_STATUS = (
    ("0", "Good."),
    ("1", "A problem, which is told; `doctor`: something to do."),
    ("2", "The command line is wrong."),
    ("3", "`status`, `sites` and `certs`: something is not live."),
    ("130", "Interrupted by Ctrl-C."),
)


def make_page() -> str:
    """The whole page, in man(7)."""
    root = typer.main.get_command(app.app)
    lines = [
        f'.TH DAEMUN 1 "" "daemun {daemun.__version__}" "User commands"',
        ".SH NAME",
        r"daemun \- the front gate of one machine",
        ".SH SYNOPSIS",
        r"\fBdaemun\fP [\fIOPTIONS\fP] \fICOMMAND\fP [\fIARGUMENTS\fP]",
        ".SH DESCRIPTION",
        *_paragraphs(root.help or ""),
        ".SH OPTIONS",
        "Each stands before or after the name of a command.",
        *(line for option in _options(root) for line in option),
        ".SH COMMANDS",
    ]
    for name, command in _leaves(root, "daemun"):
        lines += _command(name, command)
    for title, entries in (("FILES", _FILES), ("ENVIRONMENT", _ENVIRONMENT), ("EXIT STATUS", _EXIT_STATUS)):
        lines.append(f".SH {title}")
        for what, meaning in entries:
            lines += [".TP", rf"\fB{_escaped(what)}\fP", _inline(meaning)]
    lines += [".SH SEE ALSO", r"\fBnginx\fP(8), and the folder docs/ of the sources."]
    return "\n".join(lines) + "\n"


def _leaves(group: typing.Any, before: str) -> collections.abc.Iterator[tuple[str, typing.Any]]:
    """The commands that do something, with their whole names, in the order of `--help`."""
    for name, command in group.commands.items():
        whole = f"{before} {name}"
        if not getattr(command, "commands", None) or getattr(command, "invoke_without_command", False):
            yield whole, command
        if getattr(command, "commands", None):
            yield from _leaves(command, whole)


def _command(name: str, command: typing.Any) -> list[str]:
    words = [rf"\fB{_escaped(name)}\fP"]
    options = list(_options(command, but=_COMMON))
    if options:
        words.append(r"[\fIOPTIONS\fP]")
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    for one in arguments:
        shown = rf"\fI{_escaped(_name(one))}\fP"
        words.append(shown if one.required else f"[{shown}]")
    lines = [f".SS {' '.join(words)}", *_paragraphs(command.help or "")]
    for one in arguments:
        if one.help:
            lines += [".TP", rf"\fI{_escaped(_name(one))}\fP", _inline(one.help)]
    return [*lines, *(line for option in options for line in option)]


def _name(argument: typing.Any) -> str:
    """Without the brackets of what may be left out: "HOST..." of "[HOST]..."."""
    return str(argument.metavar or argument.name.upper()).replace("[", "").replace("]", "")


def _options(command: typing.Any, but: collections.abc.Set[str] = frozenset()) -> collections.abc.Iterator[list[str]]:
    for one in command.params:
        if one.param_type_name == "option" and one.name not in but and not one.hidden:
            names = ", ".join(rf"\fB{_escaped(name)}\fP" for name in (*one.opts, *one.secondary_opts))
            value = "" if one.is_flag else rf" \fI{_escaped(one.metavar or one.name.upper())}\fP"
            yield [".TP", f"{names}{value}", _inline(one.help or "")]


def _paragraphs(text: str) -> list[str]:
    found = re.split(r"\n\s*\n", textwrap.dedent(text).strip())
    return [line for paragraph in found for line in (".PP", _inline(paragraph))]


def _inline(text: str) -> str:
    """One line of text; what stands in backquotes is bold."""
    parts = re.split(r"`([^`]*)`", " ".join(text.split()))
    return "".join(
        rf"\fB{_escaped(part)}\fP" if number % 2 else _escaped(part, first=not number)
        for number, part in enumerate(parts)
    )


def _escaped(text: str, *, first: bool = False) -> str:
    r"""groff_char(7): `-` alone is a hyphen, which cannot be pasted; a line that starts with a dot is a request."""
    shown = (
        text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("~", r"\(ti").replace("^", r"\(ha")
    )
    return rf"\&{shown}" if first and shown.startswith(".") else shown


if __name__ == "__main__":
    print(make_page(), end="")
