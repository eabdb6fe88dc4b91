"""Sign-in and sign-out: by a link of `daemun dashboard`, or as a user of the sign-in.

The secret of a link stands behind the "#", which browsers send nowhere, and is used up by the button alone: programs
that look at links beforehand use none up.
"""

from starlette import responses, routing

from daemun.core.access import dashboard_paths
from daemun.dashboard import api_client, form_body, page_frame, pages_app, visit

_LONGEST_LINK = 1000


def routes(pages: pages_app.PagesApp) -> list[routing.Route]:
    return [
        pages.page(pages_app.SIGN_IN, show, is_open=True),
        pages.page(pages_app.SIGN_IN, enter, method="POST", is_open=True),
        pages.page(dashboard_paths.SIGNED_IN, come_back, is_open=True),
        pages.page("/sign-out", leave, method="POST", is_open=True),
    ]


async def show(one: visit.Visit) -> responses.Response:
    there = form_body.local_path(one.query("next", "/"))
    if one.me:
        return one.go_to(there)
    return await _form(one, there)


async def enter(one: visit.Visit) -> responses.Response:
    there = form_body.local_path(await one.field("next") or "/")
    try:
        link = (await one.field("link")).strip()[:_LONGEST_LINK]
        found = await one.send("POST", "sign-in", body={"link": link, "former": one.credentials.session})
    except api_client.ApiError as error:
        if error.status not in {401, 429}:
            raise
        failed = error.message if error.status == 429 else one.text("sign_in.used")
        answer = await _form(one, there, status=error.status, failed=failed)
        if error.retry_after:
            answer.headers["Retry-After"] = error.retry_after
        return answer
    answer = one.go_to(there)
    answer.set_cookie(visit.SESSION_COOKIE, found["session"], secure=True, httponly=True, samesite="lax")
    return answer


async def _form(one: visit.Visit, there: str, *, status: int = 200, failed: str = "") -> responses.Response:
    """Raises: ApiError."""
    ways = await one.get("sign-in")
    return one.render(
        "enter.html",
        status=status,
        command="daemun dashboard",
        next=there,
        has_login=bool(ways.get("login")),
        failed=failed,
    )


async def come_back(one: visit.Visit) -> responses.Response:
    """nginx let in who is a user of the sign-in; whether that one may use the dashboard is the API's business."""
    if not one.me:
        message = one.text("sign_in.not_for_you") if one.credentials.login else one.text("sign_in.again")
        raise api_client.ApiError(403, message)
    return one.go_to("/")


async def leave(one: visit.Visit) -> responses.Response:
    """Of a user of the sign-in on every site, as by the sign-in's own page. The browser forgets it in any case."""
    done = page_frame.Message(tone=page_frame.Tone.DONE, text=one.text("sign_in.left"))
    if one.credentials.session or one.credentials.login:
        try:
            found = await one.send("POST", "sign-out")
        except api_client.ApiError as error:
            if error.status != 401:  # whose session ended before is out
                text = one.text("sign_in.left_here", reason=error.message)
                done = page_frame.Message(tone=page_frame.Tone.WARNING, text=text)
        else:
            if found.get("is_saved") is False:
                done = page_frame.Message(tone=page_frame.Tone.WARNING, text=one.text("operators.unsaved"))
    one.credentials = api_client.VisitorCredentials(address=one.credentials.address)  # whose message it is
    answer = one.go_to(pages_app.SIGN_IN, done)
    for name in (visit.SESSION_COOKIE, visit.LOGIN_COOKIE):
        answer.delete_cookie(name, secure=True, httponly=True, samesite="lax")
    return answer
