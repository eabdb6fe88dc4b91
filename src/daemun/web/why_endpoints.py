"""The API of `daemun why`: the story of a URL, of a request, or of a stream."""

import asyncio
import typing

from starlette import exceptions

from daemun.control import gate_port, site_port
from daemun.core.access import dashboard_roles
from daemun.core.why import requested_url
from daemun.web import endpoint, request_body_json

MOST_AT_ONCE = 2
"""Each queries the gate, its servers and DNS; further ones wait."""
MOST_WAITING = 10

Json = dict[str, typing.Any]


def endpoints(gate: gate_port.GatePort, stories: site_port.StoryMaker) -> tuple[endpoint.ApiEndpoint, ...]:
    return (
        endpoint.ApiEndpoint(
            method="POST",
            path="/why",
            needs=dashboard_roles.Role.LOOK,
            summary="Show why a URL answers as it does, or what happened to a request",
            handler=_Handler(gate, stories).answer,
            body=(
                endpoint.Parameter(
                    name="subject",
                    meaning="a URL of this gate (of any host for owners), the id of a request, or the name of a stream",
                    is_required=True,
                ),
            ),
            answer="As `daemun why --json`.",
        ),
    )


class _Handler:
    def __init__(self, gate: gate_port.GatePort, stories: site_port.StoryMaker) -> None:
        self._gate = gate
        self._stories = stories
        self._places = asyncio.Semaphore(MOST_AT_ONCE)
        self._waiting = 0

    async def answer(self, call: endpoint.Call) -> Json:
        subject = request_body_json.take_text(call.body, "subject").strip()
        if not subject or len(subject) > requested_url.LONGEST or not subject.isprintable():
            expected = "a URL such as https://app.example.com/path, or the id of a request as error pages show it"
            raise exceptions.HTTPException(400, f"cannot look for this: expected {expected}")
        if self._waiting >= MOST_WAITING:
            raise exceptions.HTTPException(429, "too many look at once; try again in a while", {"Retry-After": "10"})
        self._waiting += 1
        try:
            async with self._places:
                return await self._make_story(subject, is_owner=call.operator.role >= dashboard_roles.Role.OWN)
        finally:
            self._waiting -= 1

    async def _make_story(self, subject: str, *, is_owner: bool) -> Json:
        report = site_port.GateReport(
            status=self._gate.status(added=False),
            old=await self._gate.look_at_old_workers(),
            bans=tuple((one.network, one.note or one.reason.value) for one in self._gate.bans()),
        )
        return await asyncio.to_thread(self._stories.make_story, subject, report, is_owner=is_owner)
