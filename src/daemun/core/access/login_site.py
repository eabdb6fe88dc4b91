"""The site on which people sign in (`core.options.login_option`): daemun's own, which no source has. Pure."""

from daemun.core import model
from daemun.core.access import access_levels
from daemun.core.options import access_option, catalogue, login_option


def make(settings: model.Globals) -> model.Site | None:
    """None: there is none. Conditions of the gate that a judge has no part in hold there, too."""
    login = login_option.OPTION.of(settings)
    if login is None:
        return None
    page = model.Route(path="/", action=model.Redirect(to=f"https://{login.host}/"), origin=login_option.ORIGIN)
    options = catalogue.values(access_option.OPTION.set(access_levels.without_judges(settings)))
    return model.Site(host=login.host, routes=(page,), options=options, origin=login_option.ORIGIN)


def is_it(site: model.Site, settings: model.Globals) -> bool:
    login = login_option.OPTION.of(settings)
    return login is not None and site.origin == login_option.ORIGIN and site.host == login.host
