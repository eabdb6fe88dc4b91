"""Under Settings: the machine: nginx, its weaknesses, old workers, memory, disks, and what `daemun doctor` finds."""

import datetime

from starlette import responses, routing

from daemun.dashboard import list_view, pages_app, visit

PATH = "/settings/machine"


def routes(pages: pages_app.PagesApp) -> list[routing.Route]:
    return [pages.page(PATH, show)]


async def show(one: visit.Visit) -> responses.Response:
    """?look=1: with the findings, which take seconds."""
    found = await one.get("machine")
    is_looked = one.query("look") == "1"
    findings = await one.get("machine", "findings") if is_looked else None
    return one.render(
        "machine.html",
        entry="settings",
        command="daemun doctor",
        as_of=datetime.datetime.now(datetime.UTC),
        machine=found,
        findings=None if findings is None else findings["findings"],
        looked_at=None if findings is None else findings["looked_at"],
        weakness_columns=_columns(one, "weakness", "severity", "laid_open", "mended"),
        old_columns=_columns(one, "generation", "age", "workers", "sockets", "memory", numbers=("workers", "sockets")),
        disk_columns=_columns(one, "folder", "free", "total", numbers=("free", "total")),
    )


def _columns(one: visit.Visit, *keys: str, numbers: tuple[str, ...] = ()) -> tuple[list_view.Column, ...]:
    return tuple(
        list_view.Column(key=key, label=one.text(f"machine.{key}"), sortable=False, number=key in numbers)
        for key in keys
    )
