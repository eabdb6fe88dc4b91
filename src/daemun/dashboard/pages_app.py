"""What holds for all pages: who looks, where changes may come from, and what is sent when something fails."""

import collections.abc
import contextlib
import urllib.parse

import jinja2
from starlette import exceptions, requests, responses, routing

from daemun.core.access import request_origin
from daemun.dashboard import (
    api_client,
    page_environment,
    page_messages,
    page_texts,
    visit,
)

PageHandler = collections.abc.Callable[[visit.Visit], collections.abc.Awaitable[responses.Response]]

SIGN_IN = "/enter"


class PagesApp:
    """What modules of pages make their routes with."""

    def __init__(self, client: api_client.ApiClient) -> None:
        self._client = client
        self.environment: jinja2.Environment = page_environment.make()
        self._messages = page_messages.PageMessages()

    def page(self, path: str, handler: PageHandler, *, method: str = "GET", is_open: bool = False) -> routing.Route:
        """is_open: also before the sign-in. Whatever the API refuses, and a handler does not catch, becomes a page."""

        async def answer(request: requests.Request) -> responses.Response:
            if refusal := _find_foreign(request):
                return refusal
            one = self._begin(request)
            try:
                await self._look_who(one, is_open=is_open)
                return await handler(one)
            except api_client.ApiError as error:
                return self._answer_error(one, error)
            except exceptions.HTTPException as error:
                return self._answer_error(one, api_client.ApiError(error.status_code, error.detail))

        return routing.Route(path, answer, methods=[method])

    def _begin(self, request: requests.Request) -> visit.Visit:
        accepted = request.headers.get("accept-language", "")
        return visit.Visit(
            request=request,
            client=self._client,
            environment=self.environment,
            messages=self._messages,
            language=page_texts.choose_language(request.cookies.get(page_texts.COOKIE), accepted),
            nonce=visit.draw_nonce(),
            credentials=visit.read_credentials(request),
            me={},
        )

    async def _look_who(self, one: visit.Visit, *, is_open: bool) -> None:
        """Raises: ApiError 401 when nobody is signed in and the page is not open."""
        if not one.credentials.session and not one.credentials.login:
            if not is_open:
                raise api_client.ApiError(401, "sign in first")
            return
        try:
            one.me = await one.get("me")
        except api_client.ApiError:
            if not is_open:  # who has a fresh link comes in, whatever keeps an old session from being looked up
                raise

    def _answer_error(self, one: visit.Visit, error: api_client.ApiError) -> responses.Response:
        is_part = one.request.headers.get("hx-request") == "true"
        if error.status == 401:
            there = _sign_in_path(one.request)
            if is_part:
                return responses.Response(status_code=204, headers={"HX-Redirect": there})
            return responses.RedirectResponse(there, status_code=303)
        headers = {"Retry-After": error.retry_after} if error.retry_after else {}
        answer = one.render(
            "problem.html",
            status=error.status,
            problem_status=error.status,
            message=error.message,
            is_refused=error.status == 403,
            can_leave=not one.me and bool(one.credentials.session or one.credentials.login),
            is_away=error.status == 503 and not error.values,
        )
        answer.headers.update(headers)
        return answer

    async def not_found(self, request: requests.Request, _: Exception) -> responses.Response:
        """With the entries for who is signed in."""
        one = self._begin(request)
        with contextlib.suppress(api_client.ApiError):
            await self._look_who(one, is_open=True)
        return self._answer_error(one, api_client.ApiError(404, one.text("base.no_page", path=request.url.path)))

    async def wrong_method(self, request: requests.Request, error: Exception) -> responses.Response:
        """Such as the address of a form that was sent before, opened anew."""
        one = self._begin(request)
        with contextlib.suppress(api_client.ApiError):
            await self._look_who(one, is_open=True)
        answer = self._answer_error(one, api_client.ApiError(405, one.text("base.wrong_method")))
        answer.headers.update(getattr(error, "headers", None) or {})
        return answer

    async def defect(self, request: requests.Request, error: Exception) -> responses.Response:
        """Its trace goes to the log of the process, and nothing of it to the visitor."""
        one = self._begin(request)
        return self._answer_error(one, api_client.ApiError(500, one.text("base.defect", kind=type(error).__name__)))


def _find_foreign(request: requests.Request) -> responses.Response | None:
    given = request.headers
    is_foreign = request_origin.is_foreign(
        request.method,
        origin=given.get("origin"),
        fetch_site=given.get("sec-fetch-site"),
        ours=request_origin.make_ours(given.get("x-forwarded-proto"), given.get("host", "")),
    )
    if not is_foreign:
        return None
    return responses.PlainTextResponse("This form belongs to another page. Open the dashboard anew.\n", 403)


def _sign_in_path(request: requests.Request) -> str:
    if request.method not in request_origin.SAFE_METHODS or request.headers.get("hx-request") == "true":
        return SIGN_IN
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return SIGN_IN if path == "/" else f"{SIGN_IN}?{urllib.parse.urlencode({'next': path})}"
