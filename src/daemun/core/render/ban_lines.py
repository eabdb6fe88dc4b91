"""How nginx refuses banned addresses (`core.access.banned_networks`) on every site, in every location.

A ban is a file in the run folder, whose name is what the visitor's address begins with. Each server tests for it before
it chooses a location (nginx.org/r/if), on each request, so a ban needs no reload and holds on open connections. That is
one stat(2) a request, a microsecond; two more where whole networks are banned, and none while nothing can be.

Of symbolic links there are none in that folder. With `disable_symlinks` nginx would open each part of the path, but not
where what it trusts (`from=`) is the path itself, so it is that as long as the test lasts.
"""

import collections.abc

from daemun.core import arguments, directive, layout, model, render_environment
from daemun.core.access import access_levels, banned_networks
from daemun.core.directive import Expr
from daemun.core.options import bans_option, crowdsec_option
from daemun.core.render import counted_refusals, server_blocks

FILE = "bans.conf"
WAIT_S = 60
"""When one who waits may try again. nginx cannot know how long it is to last."""
_STEP, _FOLLOWED, _WAIT = "$daemun_ban_step", "$daemun_symlinks_from", "$daemun_ban_wait"
_NAME = "$daemun_ban_name_"
_NEVER = "-"
"""The name of what is no address; no file has it."""
_PAGE = "/.daemun/banned"
_MOST_STEPS = len(banned_networks.LENGTHS[4])


def find_steps(desired: model.Desired, env: render_environment.Environment) -> int:
    """How many names of an address are tested."""
    settings = desired.globals
    if crowdsec_option.OPTION.of(settings) is not None:
        return max(env.ban_steps, 1)
    can_guess = any(held.access.basic_auth is not None for held in access_levels.find_all(desired))
    return max(env.ban_steps, int(bans_option.OPTION.of(settings) and can_guess))


def included() -> directive.Directive:
    """For every server, before what an owner wrote for it."""
    return arguments.line("include", FILE)


def followed(desired: model.Desired, env: render_environment.Environment) -> str:
    """Below what nginx follows no links of others."""
    return _FOLLOWED if find_steps(desired, env) else "$document_root"


def nodes(desired: model.Desired, env: render_environment.Environment) -> tuple[directive.Node, ...]:
    """The included file."""
    steps = range(1, find_steps(desired, env) + 1)
    if not steps:
        return (directive.Comment("No address can be banned."),)
    return (
        directive.Comment("Addresses that are refused: each has a file. Never certificate authorities' requests."),
        *(node for step in steps for node in _test(step, env.layout)),
        _clear(),
        arguments.line("location", "=", _PAGE, block=tuple(_answer(steps, desired.globals, env.layout))),
    )


def _test(step: int, paths: layout.Layout) -> tuple[directive.Directive, ...]:
    others = rf"^(?!{server_blocks.CHALLENGE_PATH.replace('.', chr(92) + '.')})"
    refuse = (_clear(), arguments.line("rewrite", Expr(others), _PAGE, "last"))
    return (
        arguments.line("set", Expr(_STEP), str(step)),
        arguments.line("if", "-e", Expr(_path(step, paths)), block=refuse),
    )


def _clear() -> directive.Directive:
    return arguments.line("set", Expr(_STEP), "")


def _path(step: int, paths: layout.Layout) -> str:
    return f"{arguments.literal(paths.bans)}/{_NAME}{step}"


def _answer(
    steps: range, settings: model.Globals, paths: layout.Layout
) -> collections.abc.Iterator[directive.Directive]:
    """A page of the gate. By itself: an owner's `error_page` would lead back here. Who waits has an executable file."""
    yield arguments.line("internal")
    yield arguments.line("disable_symlinks", "off")
    yield arguments.line("default_type", "")
    yield arguments.line("add_header", "Content-Type", Expr("$daemun_page_type"), "always")
    yield arguments.line("add_header", "Cache-Control", "no-store", "always")
    yield arguments.line("add_header", "Retry-After", Expr(_WAIT), "always")
    page = Expr("$daemun_page")
    yield from counted_refusals.marked_everywhere(settings, "bans")
    for step in steps:
        wait = (arguments.line("set", Expr(_WAIT), str(WAIT_S)), arguments.line("return", "429", page))
        yield arguments.line("if", "-x", Expr(_path(step, paths)), block=wait)
    yield arguments.line("return", "403", page)


def variables(paths: layout.Layout) -> tuple[directive.Node, ...]:
    last = r"~^(?<daemun_ban_part_{step}>.+)[.:][^.:]+\z"
    return (
        directive.Comment("The names by which an address may be banned: itself or its /64, and networks around it."),
        arguments.map_to("$remote_addr", f"{_NAME}1", *_entries(), default=_NEVER),
        *(
            arguments.map_to(
                f"{_NAME}{step - 1}",
                f"{_NAME}{step}",
                (last.replace("{step}", str(step)), f"$daemun_ban_part_{step}"),
                default=_NEVER,
            )
            for step in range(2, _MOST_STEPS + 1)
        ),
        directive.Comment("Which of them is tested for just now."),
        arguments.map_to("", _STEP),
        arguments.map_to("", _WAIT),
        arguments.map_to(
            _STEP,
            _FOLLOWED,
            *((str(step), _path(step, paths)) for step in range(1, _MOST_STEPS + 1)),
            volatile=True,
            default="$document_root",
        ),
    )


def _entries() -> tuple[tuple[str, str], ...]:
    """The address as nginx writes it (RFC 5952) -> the same, or the first four groups of IPv6."""
    group = "[0-9a-f]+"
    some = {number: ":".join([group] * number) for number in range(1, 5)}
    return (
        (r"~^[0-9.]+\z", "$remote_addr"),
        (r"~^::ffff:(?<daemun_ban_mapped>[0-9.]+)\z", "$daemun_ban_mapped"),
        (f"~^(?<daemun_ban_4>{some[4]}):", "$daemun_ban_4"),
        (f"~^(?<daemun_ban_3>{some[3]})::", "${daemun_ban_3}:0"),
        (f"~^(?<daemun_ban_2>{some[2]})::", "${daemun_ban_2}:0:0"),
        (
            rf"~^(?<daemun_ban_1>{group})::(?<daemun_ban_after>{group})(?::{group}){{4}}\z",
            "${daemun_ban_1}:0:0:${daemun_ban_after}",
        ),
        (f"~^(?<daemun_ban_first>{group})::", "${daemun_ban_first}:0:0:0"),
        (rf"~^::(?<daemun_ban_two>{some[2]})(?::{group}){{4}}\z", "0:0:$daemun_ban_two"),
        (rf"~^::(?<daemun_ban_one>{group})(?::{group}){{4}}\z", "0:0:0:$daemun_ban_one"),
        ("~^::", "0:0:0:0"),
    )
