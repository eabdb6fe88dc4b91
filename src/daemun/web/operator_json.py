"""Links, sessions and tokens of the dashboard as JSON. Keys may be added, never renamed."""

import dataclasses
import typing

from starlette import exceptions

from daemun.control import operator_port
from daemun.core.access import dashboard_roles, operator_links
from daemun.core.texts import words
from daemun.web import json_values, request_body_json

Json = dict[str, typing.Any]
LONGEST_LIFETIME_S = 3660 * 86400
NO_LIFETIME = f'cannot use the body: "lifetime_s" must be a number from 1 to {LONGEST_LIFETIME_S}'


def link_json(made: operator_port.MadeLink, url: str) -> Json:
    """url: of the dashboard. The secret stands behind "#", so that no log and no server on the way gets it."""
    return {"url": f"{url}{operator_links.PATH}#{made.secret}", "ends_at": json_values.instant_json(made.ends_at)}


def session_json(session: operator_port.KnownSession) -> Json:
    return {
        "number": session.number,
        "name": session.name,
        "address": session.address,
        "agent": session.agent,
        "created_at": json_values.instant_json(session.created_at),
        "seen_at": json_values.instant_json(session.seen_at),
        "ends_at": json_values.instant_json(session.ends_at),
    }


def token_json(token: operator_port.KnownToken) -> Json:
    return {
        "name": token.name,
        "role": token.role.word,
        "by": token.by,
        "networks": list(token.networks),
        "created_at": json_values.instant_json(token.created_at),
        "ends_at": json_values.instant_json(token.ends_at),
        "seen_at": json_values.instant_json(token.seen_at),
        "is_over": token.is_over,
    }


def made_token_json(made: operator_port.MadeToken) -> Json:
    """With the secret, this once."""
    return {**token_json(made.token), "token": made.secret}


def describe(token: operator_port.KnownToken) -> str:
    """For the audit log."""
    end = "without an end" if token.ends_at is None else f"until {json_values.instant_json(token.ends_at)}"
    return f"{token.role.word} {end}" + (f" from {' '.join(token.networks)}" if token.networks else "")


def no_token(name: str) -> str:
    return f"there is no token {words.quoted(name)}; `daemun dashboard tokens` lists them"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WantedToken:
    """lifetime_s: None: without an end."""

    name: str
    role: dashboard_roles.Role
    lifetime_s: float | None
    networks: tuple[str, ...]


def read_token(body: Json) -> WantedToken:
    """Of {"name", "role", "lifetime_s", "networks"}; without `lifetime_s`, or null: without an end. Raises:
    HTTPException 400."""
    word = request_body_json.take_text(body, "role")
    role = dashboard_roles.read_role(word)
    if role is None:
        names = ", ".join(one.word for one in dashboard_roles.Role)
        raise exceptions.HTTPException(400, f"there is no role {words.quoted(word)}; expected {names}")
    lifetime_s, networks = body.get("lifetime_s"), body.get("networks", [])
    if lifetime_s is not None and not is_lifetime(lifetime_s):
        raise exceptions.HTTPException(400, f"{NO_LIFETIME}, or null")
    if not isinstance(networks, list) or not all(isinstance(one, str) for one in networks):
        raise exceptions.HTTPException(400, 'cannot use the body: "networks" must be a list of texts')
    name = request_body_json.take_text(body, "name")
    return WantedToken(name=name, role=role, lifetime_s=lifetime_s, networks=tuple(networks))


def is_lifetime(value: object) -> bool:
    """Whether it can be one, in seconds."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 1 <= typing.cast(float, value) <= LONGEST_LIFETIME_S
