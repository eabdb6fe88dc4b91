"""/language: the visitor's choice of a language, in a cookie. Before the sign-in, too."""

from starlette import requests, responses, routing

from daemun.dashboard import form_body, page_texts

YEAR_S = 365 * 86400


def routes(app: object) -> list[routing.Route]:
    return [routing.Route("/language", _choose, methods=["POST"])]


async def _choose(request: requests.Request) -> responses.Response:
    form = await form_body.read_form(request, largest=16 * 1024)
    answer = responses.RedirectResponse(form_body.local_path(form.get("back", "")), status_code=303)
    language = form.get("language")
    if language in page_texts.LANGUAGES:
        answer.set_cookie(
            page_texts.COOKIE, language, max_age=YEAR_S, path="/", secure=True, httponly=True, samesite="lax"
        )
    return answer
