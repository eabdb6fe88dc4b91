"""The rules of the options of a route, a site and the gate (`Option.check`). Pure.

Most rules find nothing wrong with the default and look at nothing else. They are known by a try, once, and left out
where an option is not set: 54 rules of each of 10,000 sites took a tenth of a start.
"""

import functools
import typing

from daemun.core import model
from daemun.core.options import catalogue, option


class _BesideValueError(Exception):
    """A rule that was tried with the default used more than the value, or reported a problem."""


class _NowhereElse:
    """Stands in for the `Place` when a rule is tried with the default."""

    def add(self, cause: str | None, *_: object, **__: object) -> None:
        if cause is not None:
            raise _BesideValueError

    def add_value(self, _: str, cause: str | None, *__: object) -> None:
        self.add(cause)

    add_beside = add

    def below(self, _: object) -> "_NowhereElse":
        return self

    def __getattr__(self, _: str) -> typing.NoReturn:
        raise _BesideValueError


def check_route(route: model.Route, place: option.Place) -> None:
    """place: of the route itself."""
    action = catalogue.find_action(route.action)
    for name, cause in catalogue.find_misplaced((name for name, _ in route.action.options), action):
        place.below(name).add(cause)
    own = {name for name, _ in route.options}
    of_action = {name for name, _ in route.action.options}
    always = _find_loud()
    for one in catalogue.OF_ACTIONS[action]:
        is_of_route = one.actions == option.EVERY_ACTION
        if one.name in always or one.name in (own if is_of_route else of_action):
            _check(one, route if is_of_route else route.action, place)


def check_level(level: option.Level, holder: option.HasOptions, place: option.Place) -> None:
    """Of a site or the gate. place: of the holder itself."""
    held, always = {name for name, _ in holder.options}, _find_loud()
    for one in catalogue.SITE if level is option.Level.SITE else catalogue.GATE:
        if one.name in always or one.name in held:
            _check(one, holder, place)


def _check(one: option.Option[typing.Any], holder: option.HasOptions, place: option.Place) -> None:
    if one.check is not None:
        one.check(one.of(holder), place.below(one.name))


@functools.cache
def _find_loud() -> frozenset[str]:
    """Names of options whose rules can find something where they are not set."""
    return frozenset(one.name for one in catalogue.EVERY if one.check is not None and not _is_silent(one))


def _is_silent(one: option.Option[typing.Any]) -> bool:
    """A field of the model always has a value."""
    if one.check is None or one.model_field is not None:
        return False
    try:
        one.check(one.default, typing.cast(option.Place, _NowhereElse()))
    except _BesideValueError:
        return False
    return True
