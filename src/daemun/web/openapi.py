"""The API's documentation for programs, made of what it consists of (spec.openapis.org/oas/v3.1.1)."""

import collections.abc
import re
import typing

from daemun.web import endpoint, error_answers

_PART = re.compile(r"\{([a-z_]+)(?::[a-z]+)?\}")


def describe(endpoints: collections.abc.Iterable[endpoint.ApiEndpoint], *, version: str) -> dict[str, typing.Any]:
    """The OpenAPI document, as JSON values."""
    paths: dict[str, dict[str, typing.Any]] = {}
    for one in endpoints:
        path = _PART.sub(r"{\1}", one.path)
        paths.setdefault(path, {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.1",
        "info": {"title": "daemun", "version": version, "description": "What the dashboard shows and does."},
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}],
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Made by `daemun dashboard tokens add NAME --role look`.",
                }
            },
            "schemas": {
                "Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
            },
            "responses": {str(status): _refusal(meaning) for status, meaning in error_answers.MEANINGS.items()},
        },
        "paths": paths,
    }


def _operation(one: endpoint.ApiEndpoint) -> dict[str, typing.Any]:
    parts = [_parameter(name, "path", "string", name, is_required=True) for name in _PART.findall(one.path)]
    queries = [_parameter(p.name, "query", p.kind, p.meaning, is_required=p.is_required) for p in one.query]
    kind = "text/event-stream" if one.streams else "application/json"
    answered = {"description": one.answer or "Done.", "content": {kind: {"schema": {}}}}
    found: dict[str, typing.Any] = {
        "operationId": _identifier(one),
        "summary": one.summary,
        "description": f"Needs the role `{one.needs.word}`.",
        "parameters": [*parts, *queries],
        "responses": {
            "2XX": answered,
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in _refusals_of(one)},
        },
        "tags": [one.path.split("/")[1]],
    }
    if one.body:
        properties = {p.name: {"type": p.kind, "description": p.meaning} for p in one.body}
        needed = [p.name for p in one.body if p.is_required]
        schema = {"type": "object", "properties": properties, **({"required": needed} if needed else {})}
        found["requestBody"] = {
            "required": bool(needed),
            "content": {"application/json": {"schema": schema}},
        }
    return found


def _refusal(meaning: str) -> dict[str, typing.Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {"description": meaning, "content": content}


def _refusals_of(one: endpoint.ApiEndpoint) -> list[int]:
    """The statuses of `error_answers.MEANINGS` that it can answer with."""
    found = {400, 401, 403, 404, 409, 422, 429, 500, 503}
    if one.method not in {"GET", "HEAD"}:
        found.add(413)
    if one.is_open and one.method == "GET":
        found -= {401}
    return sorted(found)


def _identifier(one: endpoint.ApiEndpoint) -> str:
    words = [part.strip("{}").partition(":")[0] for part in one.path.split("/") if part]
    return "_".join([one.method.lower(), *words]).replace("-", "_").replace(".", "_")


def _parameter(name: str, place: str, kind: str, meaning: str, *, is_required: bool) -> dict[str, typing.Any]:
    return {"name": name, "in": place, "required": is_required, "schema": {"type": kind}, "description": meaning}
