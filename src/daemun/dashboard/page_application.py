"""The pages as one application: where they are, what they load, and the headers of all."""

from starlette import applications, middleware, routing, types

from daemun.dashboard import api_client, page_warm_up, pages_app, static_assets

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer that has none of its own."""


def create_app(client: api_client.ApiClient) -> applications.Starlette:
    """client: with which the pages request the API."""
    pages = pages_app.PagesApp(client)
    routes = [route for module in page_warm_up.load_pages() for route in module.routes(pages)]
    found = applications.Starlette(
        routes=[*routes, routing.Route("/static/{name:path}", static_assets.answer, methods=["GET"])],
        middleware=[middleware.Middleware(_Headers)],
        exception_handlers={404: pages.not_found, 405: pages.wrong_method, Exception: pages.defect},
    )
    found.router.redirect_slashes = False  # it would lead to http://, with what a form holds
    page_warm_up.load_templates(pages.environment)
    return found


class _Headers:
    """What every answer has."""

    def __init__(self, app: types.ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        async def add(message: types.Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.setdefault("headers", [])
                known = {name.lower() for name, _ in headers}
                headers += [
                    (name.lower().encode(), value.encode())
                    for name, value in _HEADERS.items()
                    if name.lower().encode() not in known
                ]
            await send(message)

        await self._app(scope, receive, add if scope["type"] == "http" else send)
