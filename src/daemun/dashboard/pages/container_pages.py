"""Under Settings: containers that request to be reached, and why one is not served."""

from starlette import responses, routing

from daemun.dashboard import list_view, page_commands, pages_app, visit

LIST = "/settings/containers"


def routes(pages: pages_app.PagesApp) -> list[routing.Route]:
    return [pages.page(LIST, show_list)]


async def show_list(one: visit.Visit) -> responses.Response:
    listed = list_view.read_list(LIST, one.request.query_params, sorts=(), filters=("q", "lamp"))
    wanted, lamp = one.query("q")[:200], one.query("lamp")[:20]
    found = await one.get("containers", page=listed.page, size=listed.size, q=wanted, lamp=lamp)
    columns = tuple(
        list_view.Column(key=key, label=one.text(f"containers.{key}"), sortable=False, number=key == "restarts")
        for key in ("name", "served", "hosts", "health", "restarts", "started", "why")
    )
    return one.render(
        "containers.html",
        entry="settings",
        command=page_commands.write("containers", search=wanted.strip(), only=lamp),
        list=listed.with_total(found["total"]),
        columns=columns,
        rows=found["rows"],
        lamps=found["lamps"],
        problems=found["problems"],
        engines=found["engines"],
        q=wanted,
        lamp=lamp,
    )
