"""What nginx passes on of a link of `daemun clients add --link`: GET and POST /client?token=SECRET over the unix socket
(`core.render.client_link_location`)."""

import asyncio

import structlog
from starlette import requests, responses, types

from daemun import errors
from daemun.certs.served import client_link_pages, client_links

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_MOST_WAITING = 32
"""Requests that look up a link at a time, or wait for their turn; others come again."""
_RETRY_AFTER_S = 5


def create_app(links: client_links.ClientLinks) -> types.ASGIApp:
    """An ASGI application, to be run on one event loop."""
    turns, waiting = asyncio.Lock(), 0

    async def answer(request: requests.Request) -> responses.Response:
        nonlocal waiting
        if request.method not in {"GET", "HEAD", "POST"}:
            return responses.Response(status_code=405, headers={"Allow": "GET, HEAD, POST"})
        words = client_link_pages.choose_words(request.headers.get("accept-language", ""))
        if waiting >= _MOST_WAITING:
            return _busy(words)
        secret, is_taken = request.query_params.get("token", ""), request.method == "POST"
        waiting += 1
        try:
            async with turns:  # so that two that come together do not both find it
                link = await asyncio.to_thread(links.take if is_taken else links.find, secret)
        except (errors.EnvironmentProblemError, OSError) as error:
            log.warning(f"cannot hand over a certificate of `daemun clients add`: {error}")
            return _busy(words)
        finally:
            waiting -= 1
        if link is None:
            return _page(client_link_pages.over(words), 404)
        if not is_taken:
            end = link.ends_at.strftime("%Y-%m-%d %H:%M")
            return _page(client_link_pages.offer(words, name=link.name, end=end))
        log.info("a certificate was handed over by its link", client=link.name)
        return _file(link)

    async def app(scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        await (await answer(requests.Request(scope)))(scope, receive, send)

    return app


def _page(text: str, status: int = 200) -> responses.Response:
    return responses.Response(text, status_code=status, headers=client_link_pages.HEADERS)


def _busy(words: client_link_pages.Words) -> responses.Response:
    answer = _page(client_link_pages.unsaved(words), 503)
    answer.headers["Retry-After"] = str(_RETRY_AFTER_S)
    return answer


def _file(link: client_links.ClientLink) -> responses.Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{link.name}.p12"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return responses.Response(link.p12, media_type="application/x-pkcs12", headers=headers)
