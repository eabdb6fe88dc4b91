"""A container's claim to a host and path. Pure."""

import dataclasses

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
