"""/language: the visitor's choice of a language, in a cookie. Before the sign-in, too."""

from starlette import responses, routing

from daemun.dashboard import form_body, page_texts, pages_app, visit

YEAR_S = 365 * 86400


def routes(pages: pages_app.PagesApp) -> list[routing.Route]:
    return [pages.page("/language", _choose, method="POST", is_open=True)]


async def _choose(one: visit.Visit) -> responses.Response:
    answer = one.go_to(form_body.local_path(await one.field("back")))
    language = await one.field("language")
    if language in page_texts.LANGUAGES:
        answer.set_cookie(
            page_texts.COOKIE, language, max_age=YEAR_S, path="/", secure=True, httponly=True, samesite="lax"
        )
    return answer
