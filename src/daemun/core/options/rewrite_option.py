"""`rewrite`: how the path of a request changes before it reaches the server."""

import dataclasses
import typing

import pydantic

from daemun.core import model
from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Option, Place, RouteAction
from daemun.core.texts import expressions, route_paths, url_rules, words


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite(forms.OptionMap):
    """strip, add: the beginning of the path that is taken off, and the one that is put there. match: an expression;
    what it is found in becomes `to`."""

    shape: typing.ClassVar[str] = "a map with `strip` and `add`, or with `match` and `to`"
    meanings: typing.ClassVar[dict[str, str]] = {
        "strip": "the beginning of the route's path that is taken off",
        "add": "what is put before the path",
        "match": "a regular expression for the path, behind ~* of either case; a path that it is not found in stays",
        "to": "the path instead, with ${name} for what the group (?<name>...) matched",
    }
    texts: typing.ClassVar[frozenset[str]] = frozenset({"strip", "add", "match", "to"})
    strip: forms.Text | None = None
    add: forms.Text | None = None
    match: forms.Text | None = None
    to: forms.Text | None = None


def _check_given(value: Rewrite) -> Rewrite:
    if (value.match is None) != (value.to is None):
        missing = "to" if value.to is None else "match"
        raise ValueError(f"needs `{missing}`, too: expected {Rewrite.shape}")
    if value.match is not None and (value.strip is not None or value.add is not None):
        raise ValueError(f"expected {Rewrite.shape}, found both")
    if value == Rewrite():
        raise ValueError(f"is empty; expected {Rewrite.shape}")
    return value


def find_path(value: Rewrite, route_path: str) -> str | None:
    """What replaces the route's prefix, where that is all; None: it is not, or it cannot be."""
    if value.match is not None or _find_prefix_cause(value, route_path) is not None:
        return None
    return _join(value, route_path)


def _join(value: Rewrite, route_path: str) -> str:
    """The beginnings end in no slash: the rest brings its own."""
    return (value.add or "").rstrip("/") + route_path.removeprefix((value.strip or "").rstrip("/"))


def _find_prefix_cause(value: Rewrite, route_path: str) -> str | None:
    strip = (value.strip or "").rstrip("/")
    if not route_path.startswith("/"):
        return "`strip` and `add` change a prefix, and this route has none; use `match` and `to`"
    if not f"{route_path.rstrip('/')}/".startswith(f"{strip}/"):
        begins = words.quoted(f"{route_path.rstrip('/')}")
        return (
            f"strip: {words.quoted(value.strip or '')} does not begin the route's path, so nothing would be taken off; "
            f"write {begins}, or less of it"
        )
    if not _join(value, route_path):
        return f"nothing is left of the path; write the route as {words.quoted(route_path + '/')}"
    return None


def place_path(route_path: str, action: model.Action) -> model.Action:
    """The action with the path that `strip` and `add` mean as that of its servers."""
    value = OPTION.of(action) if isinstance(action, model.Proxy) else None
    path = None if value is None else find_path(value, route_path)
    if path is None or not isinstance(action, model.Proxy) or any(one.path is not None for one in action.targets):
        return action
    return dataclasses.replace(action, targets=tuple(dataclasses.replace(one, path=path) for one in action.targets))


def _check(value: Rewrite | None, place: Place) -> None:
    if value is None or place.route is None:
        return
    if value.match is not None and value.to is not None:
        _check_expression(value.match, value.to, place)
        expected = None
    else:
        for name, text in (("strip", value.strip), ("add", value.add)):
            if text is not None:
                place.add_value(text, url_rules.check_target_path(text), name)
        place.add(_find_prefix_cause(value, place.route.path))
        expected = find_path(value, place.route.path)
    for target in place.proxy.targets:
        if target.path not in {None, expected}:
            place.add(f"stands beside {words.quoted(str(target))}, which has a path of its own; keep one of them")
            return


def _split(match: str) -> tuple[str, bool]:
    """The expression, and whether it is of either case."""
    sign, expression = route_paths.split_expression(match) if match.startswith("~") else ("~", match)
    return expression, sign == "~*"


def written(match: str) -> str:
    """A good expression for nginx."""
    expression, is_of_either_case = _split(match)
    return f"{'(?i)' if is_of_either_case else ''}{expressions.written(expression)}"


def find_groups(match: str) -> tuple[str, ...]:
    return expressions.find_groups(_split(match)[0])


def _check_expression(match: str, to: str, place: Place) -> None:
    if (cause := expressions.check(_split(match)[0], text=to)) is not None:
        place.add_value(match, cause, "match")
        return
    cause = expressions.check_parts(to, find_groups(match), check_path)
    place.add_value(to, cause or check_path(to), "to")
    if any(target.scheme is model.Scheme.MEMCACHED for target in place.proxy.targets):
        place.add("`match` is not for memcached, whose keys are made of the visitor's path")


def check_path(text: str) -> str | None:
    """A path with groups, and with dollar signs. nginx sends it encoded anew, so it takes no query from a group."""
    return url_rules.check_target_path(expressions.without_parts(text).replace("$", "-"))


OPTION = Option[Rewrite | None](
    name="rewrite",
    form=typing.Annotated[Rewrite, pydantic.AfterValidator(_check_given)],
    default=None,
    doc=Doc(
        kind="`{strip, add}`, or `{match, to}`",
        default="none",
        meaning="how the path changes before it reaches the server: a beginning taken off or put there, or an "
        "expression with named groups and what becomes of it, see [Rewriting](#rewriting)",
    ),
    actions=frozenset({RouteAction.TO}),
    label=Label.VALUE,
    check=_check,
)
