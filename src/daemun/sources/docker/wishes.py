"""What a container wishes, whatever words it was said in: the middle between labels and sites."""

import dataclasses

from daemun.core import model


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteOptions:
    """What concerns a whole host."""

    tls: model.Tls = dataclasses.field(default_factory=model.Tls)
    http: model.HttpMode = model.HttpMode.REDIRECT
    hsts: model.Hsts | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One container wishes to be reached under one host and path.

    host: as `model.Site.host`. route: its action is a redirect, or a proxy whose only target says what is spoken and
    which path replaces the prefix, but not where the server is. port: None when the container leaves it open.
    weight: share of requests beside other containers of the route. site: None when it does not care.
    """

    host: str
    route: model.Route
    port: int | None = None
    weight: int = 1
    site: SiteOptions | None = None

    @property
    def scheme(self) -> model.Scheme | None:
        """What the container speaks; None for a redirect."""
        return self.route.action.targets[0].scheme if isinstance(self.route.action, model.Proxy) else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wished:
    """All wishes of one container. faults: what is wrong with its words; then there are no wishes."""

    wishes: tuple[Wish, ...] = ()
    faults: tuple[str, ...] = ()
