"""A container's claim to a host and path, and the hosts that no container may claim. Pure."""

import collections.abc
import dataclasses

from daemun.core.texts import names, patterns
from daemun.sources.docker import containers, recent_claims, route_requests


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A container's request that may be granted."""

    container: containers.EngineContainer
    request: route_requests.RouteRequest
    is_guest: bool = False

    @property
    def key(self) -> recent_claims.Key:
        return (self.request.host, self.request.route.path)

    @property
    def rank(self) -> tuple[object, ...]:
        """The first one decides: the owner of the host, then what is in use before what is not, then the oldest."""
        return (self.is_guest, not self.container.is_active, *self.container.age)


def find_reservation(host: str, reserved: collections.abc.Iterable[str]) -> str | None:
    """The reserved host that forbids this one: itself, a pattern that covers it, or one that a wildcard would catch.

    A regular expression, or a wildcard at the end, might catch any name under a reserved wildcard.
    """
    return next((name for name in reserved if covers(name, host) or covers(host, name)), None)


def covers(pattern: str, host: str) -> bool:
    """Whether a site called `pattern` would serve `host`, or a host that the pattern `host` covers."""
    if names.is_pattern(pattern):
        could = host.startswith("*.") or (patterns.matches(pattern[1:], host) if pattern[0] == "~" else False)
        return pattern == host or could or (pattern.endswith(".*") and host.startswith(pattern[:-1]))
    return pattern == host or (pattern.startswith("*.") and host.removeprefix("*").endswith(pattern[1:]))
