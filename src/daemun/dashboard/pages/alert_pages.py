"""Under Settings: who gets alerts, what was sent, what is in danger; and a test."""

from starlette import responses, routing

from daemun.dashboard import api_client, list_view, page_frame, pages_app, visit

PATH = "/settings/alerts"


def routes(pages: pages_app.PagesApp) -> list[routing.Route]:
    return [pages.page(PATH, show), pages.page(f"{PATH}/test", test, method="POST")]


async def show(one: visit.Visit) -> responses.Response:
    listed = list_view.read_list(PATH, one.request.query_params, sorts=(), filters=())
    found = await one.get("alerts", page=listed.page, size=listed.size)
    return one.render(
        "alerts.html",
        entry="settings",
        command="daemun alerts test",
        list=listed.with_total(found["total"]),
        target_columns=_columns(one, "target", "state", "sent"),
        danger_columns=_columns(one, "about", "kind", "raised", "why", "sent_to"),
        rows=found["rows"],
        targets=found["targets"],
        kinds=found["kinds"],
    )


async def test(one: visit.Visit) -> responses.Response:
    try:
        found = await one.send("POST", "alerts", "test")
    except api_client.ApiError as error:
        if not error.is_refusal:
            raise
        return one.go_to(PATH, page_frame.Message(tone=page_frame.Tone.FAILED, text=error.message))
    results = found["results"]
    failed = [each for each in results if each["error"]]
    details = "\n".join(
        f"{each['target']}: {each['error'] or each['remark'] or one.text('alerts.taken')}" for each in results
    )
    if not results:
        tone, text = page_frame.Tone.FAILED, one.text("alerts.nobody")
    elif failed:
        tone, text = page_frame.Tone.FAILED, one.text("alerts.test_failed", n=len(failed), total=len(results))
    else:
        tone, text = page_frame.Tone.DONE, one.text("alerts.test_done", n=len(results))
    return one.go_to(PATH, page_frame.Message(tone=tone, text=text, details=details))


def _columns(one: visit.Visit, *keys: str) -> tuple[list_view.Column, ...]:
    return tuple(list_view.Column(key=key, label=one.text(f"alerts.{key}"), sortable=False) for key in keys)
