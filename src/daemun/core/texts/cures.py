"""Advice in messages on what to write instead. Each text is tested by the check that refused the first one, and printed
only when the check accepts it: a cure that fails at the next try is worse than none. Pure."""

import collections.abc
import json
import re
import shlex

Check = collections.abc.Callable[[str], str | None]
"""The cause of a refusal; None: the text is good."""


_ELSEWHERE = r"fleet (?:join|leave)\b[^`\n]*` (?:there|on)\b"
"""For another machine, where this gate's options are wrong."""
_COMMAND = re.compile(rf"`((?:[^`\n]* && )?daemun (?!demo\b|schema\b|{_ELSEWHERE})[a-z][^`\n]*)`")


def with_options(text: str, options: str) -> str:
    """The text, in which each command of daemun has the options that it needs to reach the same gate. options: "" for a
    gate that is found without any."""
    if not options:
        return text
    return _COMMAND.sub(lambda found: f"`{_with(found.group(1), options)}`", text)


def complete(command: str, options: str) -> str:
    """The same for a command alone."""
    return _with(command, options) if options and command.startswith("daemun ") else command


def _with(command: str, options: str) -> str:
    """A command that names one of them itself keeps its own."""
    own = command.split()
    words = shlex.split(options)
    pairs = zip(words[::2], words[1::2], strict=False)
    missing = [word for name, value in pairs if name not in own for word in (name, value)]
    return f"{command} {shlex.join(missing)}" if missing else command


def write(check: Check, *candidates: str) -> str:
    """'; write "http://web"' with the first candidate that is good; '' when none is."""
    good = next((one for one in candidates if one and one.isprintable() and check(one) is None), None)
    return "" if good is None else f"; write {json.dumps(good, ensure_ascii=False)}"
