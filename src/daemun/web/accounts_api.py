"""Accounts at CAs, and what other ACME clients had, on the control socket: beside the routes of `web.api`."""

import typing

from starlette import exceptions, requests, responses, routing

from daemun.control import account_port
from daemun.web import request_body_json

Json = dict[str, typing.Any]


def routes(accounts: account_port.AcmeAccounts, adopter: account_port.Adopter) -> list[routing.BaseRoute]:
    handlers = _Handlers(accounts, adopter)
    return [
        routing.Route("/accounts", handlers.list, methods=["GET"]),
        routing.Route("/accounts/rollover", handlers.roll_over, methods=["POST"]),
        routing.Route("/accounts/deactivate", handlers.deactivate, methods=["POST"]),
        routing.Route("/accounts/adopt", handlers.adopt_account, methods=["POST"]),
        routing.Route("/certs/adopt", handlers.adopt_certificate, methods=["POST"]),
        routing.Route("/certs/{host}/revoke", handlers.revoke, methods=["POST"]),
    ]


def accounts_json(found: account_port.AccountList) -> Json:
    """The whole of GET /accounts. Keys may be added, never renamed."""
    accounts = [
        {
            "directory": one.directory,
            "url": one.url,
            "email": one.email,
            "key": "own" if one.is_own else "shared",
            "state": one.state,
        }
        for one in found.accounts
    ]
    return {"accounts": accounts, "rolling": found.is_rolling}


def adoption_json(adoption: account_port.Adoption) -> Json:
    return {"verdict": adoption.verdict.value, "text": adoption.text}


def account_from(body: Json) -> account_port.ForeignAccount:
    """Raises: HTTPException 400."""
    return account_port.ForeignAccount(
        directory=request_body_json.take_text(body, "directory"),
        url=request_body_json.take_optional_text(body, "url"),
        email=request_body_json.take_optional_text(body, "email"),
        key_pem=request_body_json.take_text(body, "key").encode(),
    )


def certificate_from(body: Json) -> account_port.ForeignCertificate:
    """Raises: HTTPException 400."""
    return account_port.ForeignCertificate(
        directory=request_body_json.take_text(body, "directory"),
        fullchain_pem=request_body_json.take_text(body, "fullchain").encode(),
        key_pem=request_body_json.take_text(body, "key").encode(),
    )


class _Handlers:
    """One method per route."""

    def __init__(self, accounts: account_port.AcmeAccounts, adopter: account_port.Adopter) -> None:
        self._accounts = accounts
        self._adopter = adopter

    async def list(self, _: requests.Request) -> responses.Response:
        return responses.JSONResponse(accounts_json(self._accounts.list_accounts()))

    async def roll_over(self, request: requests.Request) -> responses.Response:
        body = await request_body_json.read_object(request)
        turns = await self._accounts.roll_over(everything=request_body_json.take_flag(body, "everything"))
        accounts = [{"directory": turn.directory, "error": turn.error} for turn in turns]
        return responses.JSONResponse({"accounts": accounts})

    async def deactivate(self, request: requests.Request) -> responses.Response:
        body = await request_body_json.read_object(request)
        directory = request_body_json.take_text(body, "directory")
        await self._accounts.deactivate(directory)
        return responses.JSONResponse({"directory": directory})

    async def revoke(self, request: requests.Request) -> responses.Response:
        host = request.path_params["host"]
        reason = request_body_json.take_text(await request_body_json.read_object(request), "reason")
        if reason not in account_port.REASONS:
            expected = ", ".join(account_port.REASONS)
            raise exceptions.HTTPException(400, f'cannot revoke for the reason "{reason}"; expected one of {expected}')
        await self._accounts.revoke(host, reason)
        return responses.JSONResponse({"host": host})

    async def adopt_account(self, request: requests.Request) -> responses.Response:
        body = await request_body_json.read_object(request)
        found = account_from(body)
        adoption = await self._adopter.adopt_account(found, dry=request_body_json.take_flag(body, "dry"))
        return responses.JSONResponse(adoption_json(adoption))

    async def adopt_certificate(self, request: requests.Request) -> responses.Response:
        body = await request_body_json.read_object(request)
        found = certificate_from(body)
        adoption = await self._adopter.adopt_certificate(found, dry=request_body_json.take_flag(body, "dry"))
        return responses.JSONResponse(adoption_json(adoption))
