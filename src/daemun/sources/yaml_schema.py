"""The JSON Schema of daemun.yaml (json-schema.org, 2020-12), for completion and checks in editors.

Made of what the file is read with: the forms of the options and of the other keys. It knows no rule that concerns
several keys, so a file that is good for it may still have problems, which `daemun check` reports.
"""

import typing

from daemun.core.options import forms, from_option, option
from daemun.sources import yaml_include, yaml_route, yaml_site, yaml_top

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_ROUTES: forms.Json = {
    "type": "object",
    "patternProperties": {r"^(/|=\s*/|~|\*\.)": {"$ref": "#/$defs/Route"}},
    "additionalProperties": False,
    "minProperties": 1,
}
_ROUTES_OVER: forms.Json = {
    **_ROUTES,
    "patternProperties": {r"^(/|=\s*/|~|\*\.)": {"anyOf": [{"$ref": "#/$defs/Route"}, {"$ref": "#/$defs/RouteKeys"}]}},
}
"""Of a site that lies over one of containers: a route needs no action."""
_FOR_SOME: forms.Json = {"type": "object", "required": ["when"]}
_VARIABLE = r"\$\{[A-Z_][A-Z0-9_]*(:-[^}]*)?\}"
"""`${NAME}` or `${NAME:-text}`, as `yaml_variables` reads them."""
_WORDS = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "null": "nothing"}
_PLAIN = {"integer", "number", "boolean"}


def make_schema() -> forms.Json:
    """Fit for `json.dumps`; the same for the same version."""
    definitions: forms.Json = {}
    file = _object(yaml_top.FILE.model_json_schema(), definitions)
    site = _object(yaml_site.SITE.model_json_schema(), definitions)
    route = _object(yaml_route.ROUTE.model_json_schema(), definitions)
    route["properties"]["to"]["minItems"] = 1  # of a list; a schema's word for another type is ignored
    routes = {**site["properties"]["routes"], **_ROUTES}
    site["properties"]["routes"] |= _ROUTES_OVER
    required = [key for key in site.pop("required") if key != "routes"]
    site["anyOf"] = [
        {"required": [*required, "routes"], "properties": {"routes": routes}},
        *({"required": [*required, key]} for key in (yaml_site.PHP, from_option.OPTION.name)),
    ]
    file["properties"]["sites"] |= {"type": "object", "additionalProperties": {"$ref": "#/$defs/Site"}}
    file |= {"anyOf": [{"required": ["sites"]}, {"required": [yaml_include.KEY]}], "patternProperties": {"^x-": {}}}
    one: forms.Json = {"anyOf": [forms.TEXT, {"$ref": "#/$defs/RouteMap"}]}
    definitions["RouteKeys"] = route
    definitions["RouteMap"] = {
        "allOf": [{"$ref": "#/$defs/RouteKeys"}],
        "oneOf": [{"required": [kind.value]} for kind in option.RouteAction],
    }
    definitions["Route"] = {
        "anyOf": [*one["anyOf"], {"type": "array", "items": one, "contains": _FOR_SOME}],
        "description": "a target, a map with to, redirect, files, respond, deny or php, or a list of them, of which "
        "the first is taken whose `when` holds",
    }
    definitions["Site"] = {
        "anyOf": [forms.TEXT, _ROUTES, site],
        "description": "a target, a map of paths, or a map with routes or php",
    }
    file |= {"$defs": dict(sorted(definitions.items()))}
    return {"$schema": _DRAFT, "title": "daemun.yaml", **typing.cast(forms.Json, _with_variables(file))}


def _with_variables(schema: typing.Any) -> typing.Any:
    """The same, with variables of the environment (`${PORT}`) where a number, a word or a text of one form stands.

    Editors go on to offer the words, and to mark every other text: what is added is one form of a text, beside the
    types of a number or in the pattern of a text, so that descriptions stay where they are.
    """
    if not isinstance(schema, dict):
        return schema
    found: forms.Json = {}
    for key, value in schema.items():
        if key in {"properties", "patternProperties", "$defs"}:
            found[key] = {name: _with_variables(one) for name, one in value.items()}
        elif isinstance(value, list):
            found[key] = [_with_variables(one) for one in value]
        else:
            found[key] = _with_variables(value)
    kinds = found.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "enum" in found:
        words = {key: found.pop(key) for key in ("enum", "type") if key in found}
        return {**found, "anyOf": [words, {"type": "string", "pattern": f"^{_VARIABLE}$"}]}
    if "pattern" in found:
        return {**found, "pattern": f"(?:{found['pattern']})|{_VARIABLE}"}
    if "string" not in kinds and _PLAIN.intersection(kinds):
        hint = f"expected {' or '.join(_WORDS[kind] for kind in kinds)}, or a variable such as ${{NAME}}"
        return {**found, "type": [*kinds, "string"], "pattern": f"^{_VARIABLE}$", "patternErrorMessage": hint}
    return found


def _object(schema: forms.Json, definitions: forms.Json) -> forms.Json:
    """The schema of a map; what it refers to is added to the definitions."""
    definitions.update({name: _plain(one, is_key=True) for name, one in schema.pop("$defs", {}).items()})
    return typing.cast(forms.Json, _plain(schema, is_key=True))


def _plain(value: typing.Any, *, is_key: bool = False) -> typing.Any:
    """Without titles, defaults and descriptions of classes, which are for who reads the code. is_key: a description is
    one of those."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    dropped = {"title", "default", "description"} if is_key else {"title", "default"}
    kept = {key: one for key, one in value.items() if key not in dropped}
    named = {
        key: {name: _plain(one) for name, one in kept[key].items()}
        for key in ("properties", "patternProperties")
        if key in kept
    }
    return {key: _plain(one) for key, one in kept.items() if key not in named} | named
