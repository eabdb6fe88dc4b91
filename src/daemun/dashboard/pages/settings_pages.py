"""Settings: what there is below, each with what it is for."""

import dataclasses

from starlette import responses, routing

from daemun.dashboard import pages_app, visit

PATH = "/settings"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SettingsPart:
    """key: of its texts. needs: the role without which its page shows nothing."""

    key: str
    path: str
    needs: str = "look"


PARTS = (
    SettingsPart(key="containers", path="/settings/containers"),
    SettingsPart(key="bans", path="/settings/bans"),
    SettingsPart(key="machine", path="/settings/machine"),
    SettingsPart(key="alerts", path="/settings/alerts"),
    SettingsPart(key="uptime", path="/settings/uptime"),
    SettingsPart(key="status_page", path="/settings/status-page"),
    SettingsPart(key="people", path="/settings/people", needs="own"),
    SettingsPart(key="sessions", path="/settings/sessions", needs="own"),
    SettingsPart(key="tokens", path="/settings/tokens", needs="own"),
    SettingsPart(key="audit", path="/settings/audit"),
)


def routes(pages: pages_app.PagesApp) -> list[routing.Route]:
    return [pages.page(PATH, show)]


async def show(one: visit.Visit) -> responses.Response:
    """Only what there is a page of."""
    there = {route.path for route in one.request.app.routes if isinstance(route, routing.Route)}
    return one.render(
        "settings.html",
        entry="settings",
        command="daemun status",
        parts=[part for part in PARTS if part.path in there],
    )
