"""What a value of the wrong form was meant to be, as YAML that can stand in its place.

Nothing is suggested that would be refused at the next try: each candidate is read as the file would be.
"""

import io
import typing

import pydantic
from ruamel import yaml

from daemun.core import model, problem_report, value_parsers
from daemun.core.options import access_option, option, respond_form, when_option
from daemun.core.texts import route_paths, url_rules
from daemun.sources import yaml_positions, yaml_route, yaml_site

_LONGEST = 200
_ACCESS = access_option.OPTION.name
_OF_ROUTES_ALONE = yaml_route.ROUTE.model_fields.keys() - yaml_site.SITE.model_fields.keys()
"""Options that a site without routes has no place for."""


def suggest_site(value: object) -> str | None:
    """Of a list below a host: several servers, or paths behind dashes. None: nothing that is surely meant."""
    route = _route_of(value)
    candidates = [{"/": value} if yaml_route.is_list(value) else None, route, {"/": route}, _merged(value)]
    return next((write_flow(one) for one in candidates if one is not None and _is_good_site(one)), None)


def suggest_route(value: object) -> str | None:
    """Of a list behind a path: several servers."""
    route = _route_of(value)
    return write_flow(route) if route is not None and _is_good(yaml_route.ROUTE, route) else None


def suggest_routes(value: object) -> str | None:
    """Of a list below `routes`: the same map without dashes."""
    merged = _merged(value)
    return write_flow(merged) if merged and _is_good_site({"routes": merged}) else None


def suggest_action(key: str, value: object, site: object) -> str | None:
    """Of a site, with what only a route can lead to: the route itself, where the site has no other."""
    if not isinstance(site, dict) or "routes" in site or any(route_paths.is_written(one) for one in site):
        return None
    routes = {"/": {key: value}}
    return write_flow({"routes": routes}) if _is_good_site({"routes": routes}) else None


def suggest_beside_php(key: str, value: object, site: object) -> str | None:
    """Of an option of a route in a site with `php`, which is a route without a place for it: both in one."""
    if not isinstance(site, dict) or "php" not in site or "routes" in site:
        return None
    beside = {one: found for one, found in site.items() if one in _OF_ROUTES_ALONE or one == "php"}
    route = {**beside, key: value}
    text = write_flow({"routes": {"/": route}}) if _is_good(yaml_route.ROUTE, route) else None
    return None if text is None else text.removeprefix("{").removesuffix("}")


def suggest_answer(value: int, *, is_site: bool) -> str | None:
    """Of a number: an answer with this status, or the server at this port. None: it is neither."""
    if not isinstance(value, bool) and 1024 <= value <= 65535:
        return f"http://127.0.0.1:{value}"
    answer = model.Respond(status=value)
    report = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
    respond_form.check(answer, option.Place(report=report, field=()))
    if isinstance(value, bool) or report.problems:
        return None
    route = {"respond": value}
    return write_flow({"/": route} if is_site else route)


def suggest_login(value: object, holder: object) -> str | None:
    """Of `login` in a site or a route, which is a condition there: the whole `access` with it. None: it is no rule."""
    if isinstance(value, str) and "." in value:
        return None
    access = holder.get(_ACCESS) if isinstance(holder, dict) else None
    for beside in (access, {}) if isinstance(access, dict) else ({},):
        condition = {**beside, "login": value}
        if _is_good(yaml_route.ROUTE, {"deny": True, _ACCESS: condition}):
            return write_flow(condition)
    return None


def suggest_condition(key: str, value: object) -> str | None:
    """Of a condition that stands in the route itself: `when` with it. None: it is none."""
    when = {when_option.OPTION.name: {key: value}}
    text = write_flow(when) if _is_good(yaml_route.ROUTE, {"deny": True, **when}) else None
    return None if text is None else text.removeprefix("{").removesuffix("}")


def suggest_response(route: object) -> str | None:
    """Of a route with the parts of a fixed answer beside `respond`, or without it."""
    if not isinstance(route, dict):
        return None
    before = route.get("respond")
    parts = before if isinstance(before, dict) else {} if before is None else {"status": before}
    moved = {key: route[key] for key in ("status", "body", "type", "file") if key in route}
    answer = {"respond": {**parts, **moved}}
    is_good = _is_good(yaml_route.ROUTE, {key: one for key, one in route.items() if key not in moved} | answer)
    text = write_flow(answer) if is_good else None
    return None if text is None else text.removeprefix("{").removesuffix("}")


def is_map_behind_dashes(value: object) -> bool:
    return _merged(value) is not None


def suggest_instead(entry: str, written: yaml_positions.Path, route: yaml_positions.Path) -> str:
    """What can stand where a text was written that is no server. entry: of its route. route: the place of the whole
    route; of a site that is nothing else, the site's own."""
    if written != route:
        is_other = not entry.startswith("to:")
        return f"write `{entry}`{' in place of `to:`' if is_other else ''}"
    return f"write `{{/: {{{entry}}}}}`" if len(route) == 2 else f"write `{{{entry}}}`"


def _route_of(value: object) -> object:
    """The route of a list of servers."""
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        return None
    if len(value) == 1:
        return value[0]
    return {"to": value} if value_parsers.have_one_form(value) else None


def _merged(value: object) -> dict[str, object] | None:
    """Maps behind dashes as one; None: they are none, or there is a key twice."""
    if not isinstance(value, list) or not value or not all(isinstance(one, dict) for one in value):
        return None
    found = {key: one for item in value for key, one in item.items()}
    return found if len(found) == sum(map(len, value)) else None


def _is_good_site(value: object) -> bool:
    try:
        site = yaml_site.SITE.model_validate(value, context={"folder": "/"})
    except pydantic.ValidationError:
        return False
    are_paths = all(url_rules.check_route_path(path) is None for path in site.routes)
    every = (one for found in site.routes.values() for one in (found if yaml_route.is_list(found) else [found]))
    return are_paths and all(_is_good(yaml_route.ROUTE, one) for one in every)


def _is_good(kind: type[pydantic.BaseModel], value: object) -> bool:
    try:
        kind.model_validate(value, context={"folder": "/"})
    except pydantic.ValidationError:
        return False
    return True


def write_flow(value: typing.Any) -> str | None:
    """On one line; None: it would be too long for a message."""
    writer = yaml.YAML(typ="safe", pure=True)
    writer.default_flow_style = True
    writer.width = 10 * _LONGEST
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # as its documentation has it
    stream = io.StringIO()
    writer.dump(value, stream)
    text = stream.getvalue().removesuffix("...\n").strip()
    return text if len(text) <= _LONGEST and text.isprintable() and "`" not in text else None
