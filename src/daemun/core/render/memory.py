"""What was rendered before: the same site in the same surroundings gives the same bytes, so they are made once.

Not pure, but nobody can tell: whatever a memory holds, what it gives is what rendering anew would give.
"""

import collections.abc
import dataclasses

from daemun.core import model
from daemun.core.render import environment


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Rendered:
    site: model.Site
    is_default: bool
    content: bytes


class Memory:
    """Of the files of sites. One call of `rendering` at a time."""

    def __init__(self) -> None:
        self._surroundings: tuple[environment.Environment, model.Globals] | None = None
        self._known: dict[str, _Rendered] = {}

    def enter(self, env: environment.Environment, settings: model.Globals) -> None:
        """All that is asked for from now on is for these. What was made for others is forgotten."""
        if self._surroundings != (env, settings):
            self._surroundings = (env, settings)
            self._known = {}

    def file(self, site: model.Site, *, is_default: bool, render: collections.abc.Callable[[], bytes]) -> bytes:
        """The site's file. render: makes it; what it raises is raised, and it is asked again the next time."""
        known = self._known.get(site.host)
        if known is not None and known.is_default is is_default and (known.site is site or known.site == site):
            return known.content
        content = render()
        self._known[site.host] = _Rendered(site=site, is_default=is_default, content=content)
        return content

    def keep_only(self, sites: collections.abc.Iterable[model.Site]) -> None:
        """Forget all other sites."""
        hosts = {site.host for site in sites}
        if len(self._known) > len(hosts):
            self._known = {host: known for host, known in self._known.items() if host in hosts}
