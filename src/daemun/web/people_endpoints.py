"""The API's endpoints for the users of the sign-in (`login`): who is signed in, invite, change, remove."""

import typing

from starlette import exceptions, responses

from daemun.control import operator_port, people_port
from daemun.core.access import dashboard_roles, user_edits
from daemun.web import endpoint, json_values, operator_json, paging, request_body_json

Json = dict[str, typing.Any]
_USUAL_INVITATION_S = 3 * 86400
_LONGEST_NAME = 1000


def endpoints(
    people: people_port.People, sessions: people_port.PersonSessions, records: operator_port.OperatorRecords
) -> tuple[endpoint.ApiEndpoint, ...]:
    handlers = _Handlers(people, sessions, records)
    own = dashboard_roles.Role.OWN
    name = endpoint.Parameter(name="name", meaning="what the user signs in with", is_required=True)
    facts = (
        endpoint.Parameter(name="groups", meaning="all groups of the user", kind="array"),
        endpoint.Parameter(name="email", meaning="the e-mail address"),
        endpoint.Parameter(name="display", meaning="the full name"),
    )
    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/people",
            needs=own,
            is_noted=False,
            summary="List the users of the sign-in",
            handler=handlers.list_people,
            query=(*paging.QUERY, endpoint.Parameter(name="q", meaning="a part of a name, an address or a group")),
            answer="name, display, email, groups, has_codes, passkeys, state, invited_until, role (on the dashboard)",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/people",
            needs=own,
            summary="Invite a user",
            handler=handlers.invite,
            body=(name, *facts, endpoint.Parameter(name="lifetime_s", meaning="of the link; 3 days", kind="number")),
            answer="name, link (shown this once, good once) and ends_at",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/people/change",
            needs=own,
            summary="Change a user",
            handler=handlers.change,
            body=(
                name,
                *facts,
                endpoint.Parameter(name="is_disabled", meaning="the user cannot sign in, or can again", kind="boolean"),
                endpoint.Parameter(name="removes_codes", meaning="one-time codes are needed no more", kind="boolean"),
                endpoint.Parameter(name="removes_passkeys", meaning="all passkeys are removed", kind="boolean"),
            ),
            answer="the user, as a row of the list",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/people/remove",
            needs=own,
            summary="Remove a user",
            handler=handlers.remove,
            body=(name,),
            answer="what the user was",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/people/sessions",
            needs=own,
            is_noted=False,
            summary="List who is signed in by login",
            handler=handlers.list_sessions,
            query=(*paging.QUERY, endpoint.Parameter(name="user", meaning="one user alone")),
            answer="number, user, provider (null: here), email, address, agent, created_at, seen_at, hosts",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/people/sessions/end",
            needs=own,
            summary="End sessions of the sign-in",
            handler=handlers.end_sessions,
            body=(
                endpoint.Parameter(name="number", meaning="of one session"),
                endpoint.Parameter(name="user", meaning="all of a user"),
            ),
            answer="ended: how many; is_saved: false: they may be back when the judge of sign-ins starts again",
        ),
    )


class _Handlers:
    """One method per endpoint."""

    def __init__(
        self,
        people: people_port.People,
        sessions: people_port.PersonSessions,
        records: operator_port.OperatorRecords,
    ) -> None:
        self._people = people
        self._sessions = sessions
        self._records = records

    async def list_people(self, call: endpoint.Call) -> Json:
        sought = call.query("q")
        found = [one for one in await self._people.list_people() if user_edits.holds(one, sought)]
        page = paging.read(call)
        shown = found[page.first : page.first + page.size]
        return page.of([self._row(one) for one in shown], total=len(found))

    async def invite(self, call: endpoint.Call) -> responses.Response:
        call.target = name = _name(call.body)
        lifetime_s = call.body.get("lifetime_s", _USUAL_INVITATION_S)
        if not operator_json.is_lifetime(lifetime_s):
            raise exceptions.HTTPException(400, operator_json.NO_LIFETIME)
        made = await self._people.invite(name, _read_change(call.body), lifetime_s=lifetime_s)
        call.after = f"until {json_values.instant_json(made.ends_at)}"
        answer = {"name": name, "link": made.link, "ends_at": json_values.instant_json(made.ends_at)}
        return responses.JSONResponse(answer, status_code=201)

    async def change(self, call: endpoint.Call) -> Json:
        call.target = name = _name(call.body)
        before, after = await self._people.change(name, _read_change(call.body))
        call.before, call.after = _difference(before, after)
        return self._row(after)

    async def remove(self, call: endpoint.Call) -> Json:
        call.target = name = _name(call.body)
        gone = await self._people.remove(name)
        call.before = _write(_facts_of(gone))
        return self._row(gone)

    async def list_sessions(self, call: endpoint.Call) -> Json:
        user = call.query("user")
        found = [one for one in await self._sessions.list_sessions() if user in {"", one.user}]
        page = paging.read(call)
        shown = found[page.first : page.first + page.size]
        return page.of([_session_json(one) for one in shown], total=len(found))

    async def end_sessions(self, call: endpoint.Call) -> Json:
        user, number = (request_body_json.take_optional_text(call.body, key) for key in ("user", "number"))
        if (user is None) is (number is None):
            raise exceptions.HTTPException(400, 'cannot end a session: send its "number", or a "user"')
        call.target = user or number or ""
        ended, is_saved = await self._sessions.end_sessions(user=user, number=number)
        if number is not None and not ended:
            raise exceptions.HTTPException(404, "there is no such session; `daemun sessions` lists them")
        return {"ended": ended, "is_saved": is_saved}

    def _row(self, person: people_port.Person) -> Json:
        role = dashboard_roles.find_role(self._records.rights, person.name, person.groups)
        return {
            "name": person.name,
            "display": person.display,
            "email": person.email,
            "groups": list(person.groups),
            "has_codes": person.has_codes,
            "passkeys": list(person.passkeys),
            "state": person.state.value,
            "invited_until": json_values.instant_json(person.invited_until),
            "role": None if role is None else role.word,
        }


def _name(body: Json) -> str:
    """Raises: HTTPException 400."""
    name = request_body_json.take_text(body, "name")
    if len(name) > _LONGEST_NAME:
        raise exceptions.HTTPException(400, f'cannot use the body: "name" has more than {_LONGEST_NAME} characters')
    return name


def _read_change(body: Json) -> people_port.PersonChange:
    """Raises: HTTPException 400."""
    groups, is_disabled = body.get("groups"), body.get("is_disabled")
    if groups is not None and not (isinstance(groups, list) and all(isinstance(one, str) for one in groups)):
        raise exceptions.HTTPException(400, 'cannot use the body: "groups" must be a list of texts')
    if not isinstance(is_disabled, bool | None):
        raise exceptions.HTTPException(400, 'cannot use the body: "is_disabled" must be true or false')
    return people_port.PersonChange(
        groups=None if groups is None else tuple(groups),
        email=request_body_json.take_optional_text(body, "email"),
        display=request_body_json.take_optional_text(body, "display"),
        is_disabled=is_disabled,
        removes_codes=request_body_json.take_flag(body, "removes_codes"),
        removes_passkeys=request_body_json.take_flag(body, "removes_passkeys"),
    )


def _facts_of(person: people_port.Person) -> dict[str, str]:
    """For the audit log."""
    return {
        "groups": " ".join(person.groups) or "none",
        "email": person.email or "none",
        "full name": person.display or "none",
        "one-time codes": "yes" if person.has_codes else "no",
        "passkeys": str(len(person.passkeys)),
        "state": person.state.value,
    }


def _difference(before: people_port.Person, after: people_port.Person) -> tuple[str, str]:
    old, new = _facts_of(before), _facts_of(after)
    keys = [key for key in old if old[key] != new[key]]
    return _write({key: old[key] for key in keys}), _write({key: new[key] for key in keys})


def _write(facts: dict[str, str]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in facts.items())


def _session_json(session: people_port.PersonSession) -> Json:
    return {
        "number": session.number,
        "user": session.user,
        "provider": session.provider,
        "email": session.email,
        "address": session.address,
        "agent": session.agent,
        "created_at": json_values.instant_json(session.created_at),
        "seen_at": json_values.instant_json(session.seen_at),
        "hosts": list(session.hosts),
    }
