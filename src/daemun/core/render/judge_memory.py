"""What nginx remembers of judgements (`proxy_cache`), so that a judge is not queried for each request.

The files of such a cache hold what visitors signed in with: they are in memory or not at all, in a folder that only the
workers' account may enter. Nothing is remembered of who was kept out, and nothing is used beyond its time. Of a judge
of another maker that is a choice (`forward_auth: {remember: 10s}`), in a cache of its own, for its files stay longer.
"""

import dataclasses

from daemun.core import arguments, directive, render_environment, serialise
from daemun.core.directive import Expr
from daemun.core.plan import variable_definitions


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JudgeMemory:
    """nginx's cache of a judge's answers. variable: "off", or the cache's name. folder: below that in memory.
    inactive_s: how long files stay unused."""

    variable: str
    zone: str
    folder: str
    inactive_s: int
    statuses: tuple[str, ...]
    comment: str


OWN = JudgeMemory(
    variable="$daemun_judge_cache",
    zone="daemun_judge",
    folder="judge",
    inactive_s=10,
    statuses=("200",),
    comment="Whom the judge let in a moment ago. In memory, and for the workers alone.",
)
FOREIGN = JudgeMemory(
    variable="$daemun_remembered",
    zone="daemun_remembered",
    folder="remembered",
    inactive_s=600,
    statuses=("200", "201", "202", "203", "204", "206"),
    comment="Whom judges let in of which daemun.yaml says that it is remembered. In memory, and for the workers alone.",
)


def definitions(env: render_environment.Environment) -> variable_definitions.Definitions:
    """A tree has a cache when one of its files uses it, those that are kept from an earlier generation among them."""
    return {memory.variable.removeprefix("$"): _define(memory, env.judge_cache) for memory in (OWN, FOREIGN)}


def _define(memory: JudgeMemory, folder: str | None) -> bytes:
    nodes: list[directive.Node] = []
    if folder is not None:
        size = ("max_size=16m", f"inactive={memory.inactive_s}s", "use_temp_path=off")
        nodes.append(directive.Comment(memory.comment))
        nodes.append(
            arguments.line("proxy_cache_path", f"{folder}/{memory.folder}", f"keys_zone={memory.zone}:1m", *size)
        )
    value = memory.zone if folder is not None else "off"
    nodes.append(arguments.map_to("", memory.variable, default=value))
    return serialise.serialise(tuple(nodes))


def lines(memory: JudgeMemory, key: str, seconds: float) -> tuple[directive.Directive, ...]:
    """In the location that queries. Whatever an owner sets for the server does not hold here. key: an expression."""
    return (
        arguments.line("proxy_buffering", "on"),
        arguments.line("proxy_cache", Expr(memory.variable)),
        arguments.line("proxy_cache_key", Expr(key)),
        arguments.line("proxy_cache_methods", "GET", "HEAD"),
        arguments.line("proxy_cache_valid", *memory.statuses, arguments.whole_seconds(seconds)),
        arguments.line("proxy_cache_min_uses", "1"),
        arguments.line("proxy_cache_use_stale", "off"),
        arguments.line("proxy_cache_background_update", "off"),
        arguments.line("proxy_cache_revalidate", "off"),
        arguments.line("proxy_cache_bypass", "0"),
        arguments.line("proxy_no_cache", "0"),
    )
