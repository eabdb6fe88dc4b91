"""What of daemun.yaml only an operator with the role `own` may change: who is an operator, which files are read and
written, which programs run and as which account, which fleet decides. Pure.

Compared are the values as they are written, with anchors, aliases and merges followed: no other spelling leads past.
"""

import collections.abc

from daemun.core import model
from daemun.core.options import (
    dashboard_option,
    fleet_option,
    login_option,
    metrics_option,
    node_option,
    user_option,
)
from daemun.errors import ConfigError, ForbiddenError
from daemun.sources import yaml_context, yaml_excerpt, yaml_include, yaml_positions

_REASONS = {
    yaml_include.KEY: "decides which files are read and written",
    dashboard_option.OPTION.name: "decides who is an operator",
    login_option.OPTION.name: "decides who signs in, operators among them",
    metrics_option.OPTION.name: "decides who reads the numbers of the gate",
    user_option.OPTION.name: "decides as which account nginx's workers run",
    fleet_option.OPTION.name: "decides which database governs this machine",
    node_option.OPTION.name: "decides what is this machine's own",
}
_PROGRAMS = frozenset({"hook", "command"})
"""Keys of programs that run as daemun's account, wherever they stand: `acme.hook`, `command` of a `dns`."""


def find_changes(main: str, before: bytes | None, after: bytes | None) -> tuple[model.Problem, ...]:
    """main: how messages call daemun.yaml. before: what it holds. after: what it is to hold; None: there is none.
    Raises: ConfigError when that cannot be read."""
    if before == after:
        return ()
    old, new = _read(before), _read(after)
    if new is None:
        raise ConfigError(f"cannot change {main}: it cannot be read so; correct it first")
    lines = (after or b"").split(b"\n")
    found = (
        _problem(main, _find_line(lines, key), f"{key}: it {why}, and changing it needs the role `own`")
        for key, why in _REASONS.items()
        if new.get(key) != (old or {}).get(key)
    )
    return (*found, *find_programs(main, before, after))


def find_programs(name: str, before: bytes | None, after: bytes | None) -> tuple[model.Problem, ...]:
    """Of any file of the configuration: programs that it did not run before. What cannot be read runs none."""
    if before == after or not _may_run(after):
        return ()
    known = _list_programs(before) if _may_run(before) else ()
    new = [key for key, value in _list_programs(after) if (key, value) not in known]
    lines = (after or b"").split(b"\n")
    return tuple(
        _problem(
            name,
            next((number for number, line in enumerate(lines, start=1) if key.encode() in line), 1),
            f"{key}: it decides which program runs as daemun's account, and changing it needs the role `own`",
        )
        for key in dict.fromkeys(new)
    )


def _may_run(content: bytes | None) -> bool:
    """Thousands of sites are not read in vain. A key in quotes may have escapes."""
    return content is not None and any(sign in content for sign in (b"hook", b"command", b"\\"))


def _list_programs(content: bytes | None) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    left: list[object] = [yaml_positions.load(content or b"", is_literal=True).value]
    seen: set[int] = set()  # what aliases repeat is looked at once
    while left:
        one = left.pop()
        if id(one) in seen or not isinstance(one, dict | list):
            continue
        seen.add(id(one))
        left += one.values() if isinstance(one, dict) else one
        if isinstance(one, dict):
            found += [(key, value) for key, value in one.items() if key in _PROGRAMS]
    return found


def check_include(main: str, before: bytes | None, after: bytes | None) -> None:
    """What cannot be read includes nothing. Raises: ForbiddenError."""
    key = yaml_include.KEY
    if before != after and (_read(after) or {}).get(key) not in (None, (_read(before) or {}).get(key)):
        raise ForbiddenError(f"cannot change {main}: `{key}` {_REASONS[key]}, which needs the role `own`")


def _read(content: bytes | None) -> collections.abc.Mapping[str, object] | None:
    """None: it cannot be read."""
    text = yaml_positions.decode(content or b"", [])
    if text is None:
        return None
    excerpt = yaml_excerpt.make(text, lambda _: False)
    document = yaml_positions.load(text if excerpt is None else excerpt.text, is_literal=True)
    if document.value is None:
        return None if document.faults else {}
    return document.value if isinstance(document.value, dict) else {}


def _find_line(lines: collections.abc.Iterable[bytes], key: str) -> int:
    """1 where it stands nowhere any more, or in another spelling."""
    return next((number for number, line in enumerate(lines, start=1) if line.startswith(f"{key}:".encode())), 1)


def _problem(main: str, line: int, message: str) -> model.Problem:
    return model.Problem(origin=model.Origin(source=yaml_context.SOURCE, place=f"{main}:{line}:1"), message=message)
