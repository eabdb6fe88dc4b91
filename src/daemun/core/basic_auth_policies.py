"""The policies of all sites: who may come in by name and password, where. Pure."""

import collections.abc

from daemun.core import judge_policies, model, names
from daemun.core.options import access_option

GATE = "gate"
"""The name of the gate's own; others have that of their site or route (`render.held_access`)."""


def make(access: access_option.Access, place: str) -> judge_policies.Policy | None:
    """None: nobody has to sign in."""
    basic = access.basic_auth
    if basic is None:
        return None
    return judge_policies.Policy(name=place, realm=basic.realm, users=tuple(sorted(basic.users)))


def find_policies(desired: model.Desired) -> tuple[judge_policies.Policy, ...]:
    """What the judge must know before nginx runs what is desired."""
    return tuple(dict.fromkeys(_find(desired)))


def _find(desired: model.Desired) -> collections.abc.Iterator[judge_policies.Policy]:
    holders: list[tuple[access_option.Access | None, str]] = [(access_option.OPTION.of(desired.globals), GATE)]
    for site in desired.enabled:
        holders.append((access_option.OPTION.of(site), names.variable_suffix(site.host, "")))
        holders += [
            (access_option.OPTION.of(route), names.variable_suffix(site.host, route.path)) for route in site.routes
        ]
    for access, place in holders:
        policy = make(access, place) if access is not None else None
        if policy is not None:
            yield policy
