"""The policies of all sites: who may come in by name and password, where. Pure."""

from daemun.core import model
from daemun.core.access import access_levels, judge_policies
from daemun.core.options import access_option


def make(access: access_option.Access, place: str) -> judge_policies.Policy | None:
    """place: of `access_levels.EffectiveAccess`. None: no name and password is needed."""
    basic = access.basic_auth
    if basic is None:
        return None
    return judge_policies.Policy(name=place, realm=basic.realm, users=tuple(sorted(basic.known_users)))


def find_policies(desired: model.Desired) -> tuple[judge_policies.Policy, ...]:
    """What the judge must know before nginx runs what is desired."""
    found = (make(held.access, held.place) for held in access_levels.find_all(desired))
    return tuple(policy for policy in found if policy is not None)
