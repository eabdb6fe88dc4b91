"""What nginx requests for a visitor's request that got no answer: GET /ROUTE/RETRY/REQUEST/FATE over the unix socket.

FATE is "lost" when a server has just taken the request and then closed the connection, else "unsent". `X-Tried` names
the addresses where the request was, as $upstream_addr does; this socket among them when it comes again. `Accept` is its
client's, `X-Request-ID` what its page and the logs call it: REQUEST, or what a trusted proxy does.

The answer is either "send it there", as headers for nginx, or what the visitor is to see. The request comes back to the
location @ROUTE_RETRY; to @PLACE_RETRY where many sites share their locations and nginx requests /@PLACE/ROUTE/... When
nginx closes the connection, its client is gone or nginx is, and the wait is over.
"""

import asyncio
import re

from starlette import datastructures, responses, types

from daemun.hold import hold_limits, hold_pages, hold_queue

_PATH = re.compile(
    r"(?:/@(?P<place>[^/]+))?/(?P<route>[^/]+)/(?P<retry>[a-z]+(?:_[a-z]+)?)/(?P<request>[0-9a-f]{32})"
    r"/(?P<fate>lost|unsent)\Z"
)
_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}\Z")
_MOST_VISITS = 3
"""That all others distinguish."""


def create_app(queue: hold_queue.HoldQueue, socket: str) -> types.ASGIApp:
    """An ASGI application, to be run on the queue's event loop. socket: the path at which nginx reaches it."""

    async def app(scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        match = _PATH.match(scope["path"])
        if match is None:
            await responses.PlainTextResponse("no such page\n", status_code=404)(scope, receive, send)
            return
        headers = datastructures.Headers(scope=scope)
        request = hold_limits.HoldRequest(
            route=match["route"],
            request=match["request"],
            visits=min(headers.get("x-tried", "").count(f"unix:{socket}"), _MOST_VISITS),
            is_lost=match["fate"] == "lost",
        )
        answer = queue.answer_at_once(request) or await _wait(queue, request, receive)
        if answer is not None:
            retry = f"@{match['place'] or match['route']}_{match['retry']}"
            page = hold_pages.find_page(
                headers.get("accept", ""),
                named if _NAME.match(named := headers.get("x-request-id", "")) else request.request,
                is_starting=queue.is_starting(request),
            )
            await _respond(answer, retry, page)(scope, receive, send)

    return app


async def _wait(
    queue: hold_queue.HoldQueue, request: hold_limits.HoldRequest, receive: types.Receive
) -> hold_queue.Answer | None:
    """None: the client is gone."""
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(queue.wait(request))
        leaving = group.create_task(_until_gone(receive))
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        leaving.cancel()
    return None if waiting.cancelled() else waiting.result()


async def _until_gone(receive: types.Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _respond(answer: hold_queue.Answer, retry: str, page: tuple[str, str]) -> responses.Response:
    if isinstance(answer, str):
        # Nothing about caching: nginx would add it to what the server says of its answer.
        return responses.Response(headers={"X-Accel-Redirect": retry, "X-Daemun-To": answer})
    media_type, text = page
    headers = {"Retry-After": str(hold_pages.RETRY_AFTER_S), "Cache-Control": "no-store", "Content-Type": media_type}
    return responses.Response(text, status_code=503, headers=headers)
