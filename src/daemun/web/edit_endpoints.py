"""The API's endpoints for changing the configuration: an operator's draft, what it would do, and how it goes live."""

import collections.abc
import typing

from starlette import exceptions, responses

from daemun.control import applied_port, draft_port, history_port
from daemun.core.access import dashboard_roles
from daemun.core.texts import words
from daemun.errors import ConfigError
from daemun.web import draft_json, endpoint, error_answers, history_endpoints, request_body_json

Json = dict[str, typing.Any]

COMMAND = "dashboard: draft"
"""What the history has as the author's command."""
_LARGEST_TEXT_BYTES = 9 << 20
"""A file may have 4 MB, and JSON needs more for some signs."""
_LARGEST_EDITS_BYTES = 1 << 20
_LONGEST_OWNER = 1000
_LONGEST_MESSAGE = 500
_EDIT_TEXTS = ("host", "path", "target", "app", "file")
_EDIT_KEYS = ("what", *_EDIT_TEXTS, "hosts", "index", "values", "inputs", "unset")
_OF_EDIT = endpoint.Parameter(
    name="edits",
    meaning="a list, done as a whole or not at all, of {what: add, host, target, path?, app?, file?}, {what: remove, "
    "host}, {what: enable, disable, maintenance_on or maintenance_off, host or hosts (a list of all that are "
    "switched)}, {what: remove_route, host, path} and {what: set, host?, path?, index?, values?, inputs? (as written "
    "into a form of /options), unset?}: keys of a route, of a site without `path`, of the gate without `host`",
    kind="array",
    is_required=True,
)


def endpoints(
    drafts: draft_port.Drafts,
    tries: draft_port.TargetTrier,
    applied: applied_port.AppliedConfigurations,
) -> tuple[endpoint.ApiEndpoint, ...]:
    handlers = _Handlers(drafts, tries, applied)
    look, change = dashboard_roles.Role.LOOK, dashboard_roles.Role.CHANGE
    state = (
        "files (name, text, is_changed, is_new, is_changed_by_others, version, refusal), version, began_at, "
        "changed_at, others; edited: how many sites an edit changed"
    )
    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/draft",
            needs=look,
            summary="Show the files of the configuration as your draft has them",
            handler=handlers.show,
            hides_secrets=True,
            answer=f"{state}; without the role `own`, secrets are shown as (hidden 1), and are put back by themselves",
        ),
        endpoint.ApiEndpoint(
            method="PUT",
            path="/draft/file",
            needs=change,
            summary="Set the text of a file in your draft",
            handler=handlers.set_text,
            hides_secrets=True,
            body=(
                endpoint.Parameter(name="file", meaning="its name, as GET /draft has it", is_required=True),
                endpoint.Parameter(name="text", meaning="the whole text", is_required=True),
                endpoint.Parameter(name="version", meaning="of the text that was edited; another one is refused (409)"),
            ),
            answer=state,
            most_body_bytes=_LARGEST_TEXT_BYTES,
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/draft/check",
            needs=change,
            summary="Check a text of a file as it is typed, and keep nothing of it",
            handler=handlers.check,
            body=(
                endpoint.Parameter(name="file", meaning="its name, as GET /draft has it", is_required=True),
                endpoint.Parameter(name="text", meaning="the whole text", is_required=True),
            ),
            answer="problems (severity, message, host, file, line, column, cure) of all files",
            most_body_bytes=_LARGEST_TEXT_BYTES,
            is_noted=False,
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/schema",
            needs=look,
            summary="Show the JSON Schema of daemun.yaml",
            handler=handlers.schema,
            hides_secrets=True,
            answer="as `daemun schema` prints it",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/draft/edits",
            needs=change,
            summary="Change sites, routes and options in your draft",
            handler=handlers.edit,
            hides_secrets=True,
            body=(_OF_EDIT,),
            answer=state,
            most_body_bytes=_LARGEST_EDITS_BYTES,
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/options",
            needs=look,
            summary="List what can be set for the gate, a site or a route, and what your draft sets",
            handler=handlers.describe,
            hides_secrets=True,
            query=(
                endpoint.Parameter(name="host", meaning="of a site; without: the gate"),
                endpoint.Parameter(name="path", meaning="of a route, as it is written"),
                endpoint.Parameter(
                    name="index", meaning="which of several routes of this path, from 0", kind="integer"
                ),
            ),
            answer="options (key, help, kind, default, levels, beside, control, choices, number, keys, holds_secret, "
            "value, text, source: file, defaults or a container, file, line), and of a site file, line, containers, "
            "routes",
        ),
        endpoint.ApiEndpoint(
            method="DELETE",
            path="/draft",
            needs=change,
            summary="Discard your draft",
            handler=handlers.discard,
            hides_secrets=True,
            query=(
                endpoint.Parameter(name="file", meaning="what it changes in this file alone"),
                endpoint.Parameter(name="of", meaning="that of another operator, as GET /draft names it; needs `own`"),
            ),
            answer=state,
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/draft/review",
            needs=change,
            summary="Check your draft, and show what it would change",
            handler=handlers.review,
            hides_secrets=True,
            answer="version, problems (severity, message, host, file, line, column, is_new), changes (as /diff), plan "
            "(sites, streams, reload, steps), plan_error, nginx_files, more_nginx_files, notes, conflicts",
            is_noted=False,
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/draft/rebase",
            needs=change,
            summary="Put your draft and what others changed meanwhile together",
            handler=handlers.rebase,
            hides_secrets=True,
            answer=f"{state}; 409 with conflicts (file, mine, theirs, can_be_merged) where both change the same lines",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/draft/apply",
            needs=change,
            summary="Apply your draft",
            handler=handlers.apply,
            body=(
                endpoint.Parameter(name="message", meaning="why, for the history"),
                endpoint.Parameter(
                    name="confirm_s",
                    meaning="undo it after so many seconds unless it is kept; 60 without it, 0: it stays",
                    kind="number",
                ),
                endpoint.Parameter(name="version", meaning="of the review; 409 where something is another by now"),
            ),
            answer="live, waits, trial (number, until), sites, streams, problems; 409 with conflicts where files were "
            "changed meanwhile, 422 with problems where it cannot go live: the files are as before then",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/targets/try",
            needs=change,
            summary="Try a server before a site leads to it",
            handler=handlers.try_target,
            body=(
                endpoint.Parameter(name="target", meaning="as in a file, such as http://app:3000", is_required=True),
                endpoint.Parameter(name="host", meaning="of the site, which the server sees", is_required=True),
                endpoint.Parameter(name="path", meaning="of the route; / without it"),
            ),
            answer="servers (server, works, status, cause, cure), one for each address; works",
        ),
    )


class _Handlers:
    def __init__(
        self, drafts: draft_port.Drafts, tries: draft_port.TargetTrier, applied: applied_port.AppliedConfigurations
    ) -> None:
        self._drafts = drafts
        self._tries = tries
        self._applied = applied

    async def show(self, call: endpoint.Call) -> Json:
        return draft_json.report_json(
            await self._drafts.show(find_owner(call.operator), shows_secrets=_sees_all(call.operator))
        )

    async def set_text(self, call: endpoint.Call) -> Json | responses.Response:
        name, text = (request_body_json.take_text(call.body, key) for key in ("file", "text"))
        version = request_body_json.take_optional_text(call.body, "version")
        call.target = f"draft of {name[:100]}"
        found = self._drafts.set_text(
            find_owner(call.operator), name, text, shows_secrets=_sees_all(call.operator), version=version
        )
        return await _answer(found, draft_json.report_json)

    async def check(self, call: endpoint.Call) -> Json | responses.Response:
        name, text = (request_body_json.take_text(call.body, key) for key in ("file", "text"))
        found = self._drafts.check_text(find_owner(call.operator), name, text, shows_secrets=_sees_all(call.operator))
        return await _answer(found, lambda problems: {"problems": draft_json.problems_json(problems)})

    async def schema(self, _: endpoint.Call) -> Json:
        return await self._drafts.find_schema()

    async def edit(self, call: endpoint.Call) -> Json | responses.Response:
        written = call.body.get("edits")
        if not isinstance(written, list) or not written:
            raise exceptions.HTTPException(400, 'cannot edit: "edits" must be a list of edits')
        edits = [_read_edit(one) for one in written]
        call.target = ", ".join(f"{one.what} {_name_place(one)}" for one in edits[:5])
        found = self._drafts.edit(find_owner(call.operator), edits, shows_secrets=_sees_all(call.operator))
        return await _answer(found, draft_json.report_json)

    async def describe(self, call: endpoint.Call) -> Json | responses.Response:
        host, path, index = (call.query(key) or None for key in ("host", "path", "index"))
        if index is not None and not (index.isascii() and index.isdecimal() and len(index) < 6):
            raise exceptions.HTTPException(400, "cannot use the query: index must be a number from 0")
        found = self._drafts.describe(
            find_owner(call.operator), host=host, path=path, index=None if index is None else int(index)
        )
        return await _answer(found, dict)

    async def discard(self, call: endpoint.Call) -> Json | responses.Response:
        owner = call.query("of")[:_LONGEST_OWNER]
        if owner and not _sees_all(call.operator):
            raise exceptions.HTTPException(403, "this needs the role `own`: the draft is another operator's")
        call.target = f"draft of {owner}" if owner else "draft"
        found = self._drafts.discard(
            owner or find_owner(call.operator), call.query("file") or None, shows_secrets=_sees_all(call.operator)
        )
        return await _answer(found, lambda report: {} if owner else draft_json.report_json(report))

    async def review(self, call: endpoint.Call) -> Json | responses.Response:
        found = self._drafts.review(find_owner(call.operator), shows_secrets=_sees_all(call.operator))
        return await _answer(found, draft_json.review_json)

    async def rebase(self, call: endpoint.Call) -> Json | responses.Response:
        call.target = "draft"
        found = self._drafts.rebase(find_owner(call.operator), shows_secrets=_sees_all(call.operator))
        return await _answer(found, draft_json.report_json)

    async def try_target(self, call: endpoint.Call) -> Json | responses.Response:
        target, host = (request_body_json.take_text(call.body, key) for key in ("target", "host"))
        path = request_body_json.take_optional_text(call.body, "path") or "/"
        call.target = target
        return await _answer(self._tries.try_target(target, host=host, path=path), draft_json.tried_json)

    async def apply(self, call: endpoint.Call) -> Json | responses.Response:
        message = request_body_json.take_optional_text(call.body, "message") or ""
        version = request_body_json.take_optional_text(call.body, "version")
        trial_s = request_body_json.take_seconds({"confirm_s": draft_port.USUAL_TRIAL_S, **call.body}, "confirm_s")
        call.target = "draft"
        caller = history_port.Caller(
            command=COMMAND,
            user=history_endpoints.name_user(call.operator),
            message="".join(sign for sign in message[:_LONGEST_MESSAGE] if sign.isprintable()),
        )
        call.before = await history_endpoints.name_newest(self._applied)
        applied = self._drafts.apply(
            find_owner(call.operator),
            shows_secrets=_sees_all(call.operator),
            caller=caller,
            trial_s=trial_s or None,
            version=version,
        )
        answer = await _answer(applied, draft_json.applied_json)
        if not isinstance(answer, responses.Response):
            call.after = await history_endpoints.name_newest(self._applied)
        return answer


def find_owner(operator: dashboard_roles.Operator) -> str:
    """Whose draft it is: a token and a user of the same name are two."""
    return f"{operator.how}:{operator.name}"


def _sees_all(operator: dashboard_roles.Operator) -> bool:
    return operator.role >= dashboard_roles.Role.OWN


_T = typing.TypeVar("_T")


async def _answer(
    work: collections.abc.Awaitable[_T], as_json: collections.abc.Callable[[_T], Json]
) -> Json | responses.Response:
    """With what a person needs to go on, beside the words of an error."""
    try:
        return as_json(await work)
    except ConfigError as error:
        return responses.JSONResponse(
            {"error": str(error), **_details_of(error)}, status_code=error_answers.status_of(error)
        )


def _details_of(error: ConfigError) -> Json:
    if isinstance(error, draft_port.DraftConflictError):
        return {"conflicts": [draft_json.conflict_json(one) for one in error.conflicts]}
    if isinstance(error, draft_port.StaleDraftError):
        return {"is_stale": True}
    if isinstance(error, draft_port.RefusedInputError):
        return {"field": error.field}
    return {"problems": draft_json.problems_json(getattr(error, "problems", ()))}


def _name_place(edit: draft_port.DraftEdit) -> str:
    """For the audit log."""
    return f"{len(edit.hosts)} sites" if edit.hosts else edit.host or "gate"


def _read_edit(written: object) -> draft_port.DraftEdit:
    """Raises: HTTPException 400."""
    if not isinstance(written, dict):
        raise exceptions.HTTPException(400, "cannot edit: an edit must be an object")
    index, values, unset = written.get("index"), written.get("values", {}), written.get("unset", [])
    inputs = written.get("inputs", {})
    texts = {key: written.get(key) for key in ("what", *_EDIT_TEXTS)}
    for key in written:
        if key not in _EDIT_KEYS:
            cause = f"{words.quoted(key)} is no key of an edit{words.guess(key, _EDIT_KEYS)}"
            raise exceptions.HTTPException(400, f'cannot edit: {cause}; what a file is to have stands in "values"')
    for key, text in texts.items():
        if not isinstance(text, str | None) or (key == "what" and not text):
            raise exceptions.HTTPException(400, f'cannot edit: "{key}" must be a text')
    if not isinstance(values, dict) or isinstance(index, bool) or not isinstance(index, int | None):
        raise exceptions.HTTPException(400, 'cannot edit: "values" must be an object, "index" a number')
    if not isinstance(inputs, dict) or not all(isinstance(one, str) for one in inputs.values()):
        raise exceptions.HTTPException(400, 'cannot edit: "inputs" must be an object of texts')
    hosts = written.get("hosts", [])
    if not isinstance(hosts, list) or not all(isinstance(one, str) for one in hosts):
        raise exceptions.HTTPException(400, 'cannot edit: "hosts" must be a list of hosts')
    if hosts and texts["host"]:
        raise exceptions.HTTPException(400, 'cannot edit: expected "host" or "hosts", found both')
    if not isinstance(unset, list) or not all(isinstance(one, str) for one in unset):
        raise exceptions.HTTPException(400, 'cannot edit: "unset" must be a list of keys')
    return draft_port.DraftEdit(
        what=str(texts["what"]),
        host=texts["host"],
        hosts=tuple(hosts),
        path=texts["path"],
        index=index,
        target=texts["target"] or "",
        app=texts["app"],
        file=texts["file"],
        values=values,
        inputs=inputs,
        unset=tuple(unset),
    )
