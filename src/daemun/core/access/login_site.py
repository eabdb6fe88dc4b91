"""The site on which people sign in (`core.options.login_option`): daemun's own, which no source has. Pure."""

import dataclasses

from daemun.core import model
from daemun.core.access import access_levels
from daemun.core.options import access_option, catalogue, login_option


def make(settings: model.Globals) -> model.Site | None:
    """None: there is none. Conditions of the gate that a judge has no part in hold there, too."""
    login = login_option.OPTION.of(settings)
    if login is None:
        return None
    outer = access_levels.of_gate(settings).access
    own = dataclasses.replace(outer, basic_auth=None, forward_auth=None, login=None)
    if own.any or (own.is_limited and not own.conditions):
        # To have signed in is enough. Limits alone would leave the conditions of the gate, this page's among them.
        open_to = (access_option.PUBLIC,) if own.is_limited else ()
        own = access_option.Access(allow=open_to, rate_limit=outer.rate_limit, connections=outer.connections)
    page = model.Route(path="/", action=model.Redirect(to=f"https://{login.host}/"), origin=login_option.ORIGIN)
    options = catalogue.values(access_option.OPTION.set(own))
    return model.Site(host=login.host, routes=(page,), options=options, origin=login_option.ORIGIN)


def is_it(site: model.Site, settings: model.Globals) -> bool:
    login = login_option.OPTION.of(settings)
    return login is not None and site.origin == login_option.ORIGIN and site.host == login.host
