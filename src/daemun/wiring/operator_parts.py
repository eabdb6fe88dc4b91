"""Who may use the dashboard, and where it is, as the settings have it."""

from daemun.control import gate
from daemun.core import model
from daemun.core.access import dashboard_roles, dashboard_site, login_url
from daemun.core.options import dashboard_option
from daemun.operators import operators


def configure(found: operators.Operators, settings: model.Globals) -> None:
    """Follow the settings, in each round."""
    dashboard, host = dashboard_option.find(settings), dashboard_option.find_login_host(settings)
    if dashboard is None or host is None:
        found.configure(dashboard_roles.NO_RIGHTS)
        return
    found.configure(
        dashboard_roles.DashboardRights(host=host, look=dashboard.look, change=dashboard.change, own=dashboard.own)
    )


def find_url(front: gate.Gate) -> str | None:
    """Of the dashboard, without a path. None: there is none, or no round is over yet."""
    desired = None if front.last is None else front.last.desired
    if desired is None:
        return None
    site = dashboard_site.make(desired.globals) or dashboard_site.make_local(desired)
    port = login_url.write_port(login_url.find_port(desired.globals))
    return None if site is None else f"https://{site.host}{port}"
