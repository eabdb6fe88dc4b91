"""Sites of one line each, `host: http://server:port`: most of what stands in a long daemun.yaml. Pure.

To read a site as YAML, to check and to judge it takes 0.25 ms. Such a line can only be wrong in its two texts, and the
rest of its site is as in every other one. So of a run of them, those between the first and the last are made from one
that was read (`yaml_cutting.cut_within` has why that is sound).
"""

import dataclasses
import re

from daemun.core import model, value_parsers
from daemun.core.texts import rules
from daemun.sources import yaml_blocks, yaml_context, yaml_positions

EXAMPLE = "sites:\n  a.test: http://a.test:8080\n"
"""A file with one of them."""
_LINE = re.compile(r"( +)([a-z0-9][a-z0-9.-]*): +(http://[a-z0-9][a-z0-9.-]*(?::[0-9]{1,5})?) *")


def find_blocks(lines: yaml_blocks.Lines, example: model.Site, file_name: str) -> tuple[yaml_blocks.Block, ...]:
    """The lines that are such sites, provided that they are sites at all, and which have no problem by themselves.

    example: the site of `EXAMPLE`. file_name: how messages call the file.
    """
    found = [(number, match) for number, line in enumerate(lines) if (match := _LINE.fullmatch(line)) is not None]
    indent = found[0][1][1] if found else ""
    actions: dict[str, model.Proxy | None] = {}
    blocks = []
    for number, match in found:
        _, host, target = match.groups()
        if target not in actions:
            actions[target] = _make_action(example, target)
        action = actions[target]
        if action is not None and match[1] == indent and _is_good(host):
            origin = yaml_context.make_origin(file_name, yaml_positions.TextPosition(number + 1, len(indent) + 1))
            site = _make_site(example, host, action, origin)
            blocks.append(yaml_blocks.Block(key=host, start=number, end=number + 1, size=1, site=site, is_good=True))
    return tuple(blocks)


def _is_good(host: str) -> bool:
    return rules.check_host(host) is None and value_parsers.parse_host(host) == host


def _make_action(example: model.Site, text: str) -> model.Proxy | None:
    """None: the target is none."""
    try:
        url = value_parsers.parse_target(text)
    except ValueError:
        return None
    action = example.routes[0].action
    assert isinstance(action, model.Proxy)
    target = dataclasses.replace(action.targets[0], host=url.host, port=url.port)
    return dataclasses.replace(action, targets=(target,)) if str(target) == str(url) else None


def _make_site(example: model.Site, host: str, action: model.Proxy, origin: model.Origin) -> model.Site:
    route = dataclasses.replace(example.routes[0], action=action, origin=origin)
    return dataclasses.replace(example, host=host, routes=(route,), origin=origin)
