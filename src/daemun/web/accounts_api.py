"""What other ACME clients had, on the control socket: beside the routes of `web.api`."""

import typing

from starlette import requests, responses, routing

from daemun.control import accounts_port
from daemun.web import body as body_

Json = dict[str, typing.Any]


def routes(adopter: accounts_port.Adopter) -> list[routing.BaseRoute]:
    handlers = _Handlers(adopter)
    return [
        routing.Route("/accounts/adopt", handlers.adopt_account, methods=["POST"]),
        routing.Route("/certs/adopt", handlers.adopt_certificate, methods=["POST"]),
    ]


def adoption_json(adoption: accounts_port.Adoption) -> Json:
    return {"verdict": adoption.verdict.value, "text": adoption.text}


def account_from(body: Json) -> accounts_port.ForeignAccount:
    """Raises: HTTPException 400."""
    return accounts_port.ForeignAccount(
        directory=body_.take_text(body, "directory"),
        url=body_.take_optional_text(body, "url"),
        email=body_.take_optional_text(body, "email"),
        key_pem=body_.take_text(body, "key").encode(),
    )


def certificate_from(body: Json) -> accounts_port.ForeignCertificate:
    """Raises: HTTPException 400."""
    return accounts_port.ForeignCertificate(
        directory=body_.take_text(body, "directory"),
        fullchain_pem=body_.take_text(body, "fullchain").encode(),
        key_pem=body_.take_text(body, "key").encode(),
    )


class _Handlers:
    """One method per route."""

    def __init__(self, adopter: accounts_port.Adopter) -> None:
        self._adopter = adopter

    async def adopt_account(self, request: requests.Request) -> responses.Response:
        body = await body_.read_object(request)
        found = account_from(body)
        adoption = await self._adopter.adopt_account(found, dry=body_.take_flag(body, "dry"))
        return responses.JSONResponse(adoption_json(adoption))

    async def adopt_certificate(self, request: requests.Request) -> responses.Response:
        body = await body_.read_object(request)
        found = certificate_from(body)
        adoption = await self._adopter.adopt_certificate(found, dry=body_.take_flag(body, "dry"))
        return responses.JSONResponse(adoption_json(adoption))
