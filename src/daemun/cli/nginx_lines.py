"""What differs in nginx's files between two configurations, as lines. Pure."""

import typing

from daemun.cli import history_lines, output

if typing.TYPE_CHECKING:
    from daemun.wiring.offline import past_diff


def lines_of(found: "past_diff.NginxDiff") -> list[str]:
    """Pure."""
    lines = [f"note: {one}" for one in found.notes]
    if not found.tree.files:
        return [*lines, f"no difference for nginx between {found.before} and {found.after}"]
    lines.append(f"nginx's files, from {found.before} to {found.after}:")
    for one in found.tree.files:
        lines.append(f"{history_lines.SIGNS[one.kind.value]} {one.file}")
        lines += [f"    {line}" for line in one.lines]
        if one.more:
            lines.append(f"    ... {output.count(one.more, 'more line')}")
    if found.tree.more:
        lines.append(f"... {output.count(found.tree.more, 'more file')}")
    return lines
