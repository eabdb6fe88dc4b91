"""The sites that daemun serves itself, which no source has: the sign-in, the dashboard, the status page. Pure."""

import collections.abc
import dataclasses

from daemun.core import model
from daemun.core.access import dashboard_site, login_site, status_site
from daemun.core.options import dashboard_option, login_option, status_page_option


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BuiltInSite:
    """name, use, short: for messages: what it is with its key, what its host is for, what it is. make: of the gate's
    settings; None: there is none."""

    origin: model.Origin
    name: str
    use: str
    short: str
    make: collections.abc.Callable[[model.Globals], model.Site | None]


EVERY = (
    BuiltInSite(
        origin=login_option.ORIGIN,
        name="the sign-in (`login`)",
        use="where people sign in (`login` in daemun.yaml)",
        short="the sign-in",
        make=login_site.make,
    ),
    BuiltInSite(
        origin=dashboard_option.ORIGIN,
        name="the dashboard (`dashboard`)",
        use="where the dashboard is (`dashboard` in daemun.yaml)",
        short="the dashboard",
        make=dashboard_site.make,
    ),
    BuiltInSite(
        origin=status_page_option.ORIGIN,
        name="the status page (`status_page`)",
        use="where the status page is (`status_page` in daemun.yaml)",
        short="the status page",
        make=status_site.make,
    ),
)


def find_all(settings: model.Globals) -> tuple[tuple[BuiltInSite, model.Site], ...]:
    """Those that there are, with hosts of their own."""
    made = ((one, one.make(settings)) for one in EVERY)
    return tuple((one, site) for one, site in made if site is not None)


def find(part: model.Site | model.Route) -> BuiltInSite | None:
    """Which one a site, or a route, is of; None: it is somebody else's. What such a route does is nginx's
    (`core.render.built_in_site_content`), and its action, a redirect to itself, is none that anybody gets."""
    return next((one for one in EVERY if one.origin == part.origin), None)
