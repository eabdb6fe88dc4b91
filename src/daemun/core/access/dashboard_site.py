"""The site of the dashboard (`core.options.dashboard_option`): daemun's own, which no source has. Pure.

With a host of its own it is a site among the others. Without, it is for browsers on this machine alone, and no site for
who lists sites: it stands in a file of its own, and never in the way of one of that name.
"""

import dataclasses

from daemun.core import model
from daemun.core.access import access_levels, dashboard_paths
from daemun.core.options import access_option, catalogue, dashboard_option, login_rule_form

_LOOPBACK = ("127.0.0.0/8", "::1/128")


def make(settings: model.Globals) -> model.Site | None:
    """With a host of its own. Conditions of the gate that a judge has no part in hold there, too. None: it has none."""
    found = dashboard_option.find(settings)
    if found is None or found.host is None:
        return None
    own = access_levels.without_judges(settings)
    routes = [_route("/", found.host)]
    if dashboard_option.find_login_host(settings) is not None:
        signed_in = dataclasses.replace(own, login=login_rule_form.LoginRule())
        options = catalogue.values(access_option.OPTION.set(signed_in))
        routes.append(dataclasses.replace(_route(dashboard_paths.SIGNED_IN, found.host), options=options))
    return _site(found.host, own, *routes)


def make_local(desired: model.Desired) -> model.Site | None:
    """For browsers on this machine. None: it has a host, or there is none, or a site has the name."""
    settings, host = desired.globals, dashboard_option.LOCAL_HOST
    found = dashboard_option.find(settings)
    if found is None or found.host is not None or settings.like_nginx_proxy:
        return None
    if any(host in site.names for site in desired.sites):
        return None
    return _site(host, access_option.Access(allow=_LOOPBACK), _route("/", host))


def without_local(certificates: tuple[model.CertificateStatus, ...]) -> tuple[model.CertificateStatus, ...]:
    """Those that people have to know of: nobody asked for the one of `make_local`, which is listed when something is
    wrong with it. A site of that name is listed with the sites."""
    good = (dashboard_option.LOCAL_HOST, model.CertificateState.LOCAL)
    return tuple(one for one in certificates if (one.host, one.state) != good)


def is_it(site: model.Site) -> bool:
    return site.origin == dashboard_option.ORIGIN


def _route(path: str, host: str) -> model.Route:
    return model.Route(path=path, action=model.Redirect(to=f"https://{host}/"), origin=dashboard_option.ORIGIN)


def _site(host: str, access: access_option.Access, *routes: model.Route) -> model.Site:
    options = catalogue.values(access_option.OPTION.set(access)) if access != access_option.Access() else ()
    return model.Site(host=host, routes=routes, options=options, origin=dashboard_option.ORIGIN)
