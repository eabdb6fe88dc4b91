"""What the declaration of an option is made of."""

import collections.abc
import dataclasses
import enum
import re
import typing

import pydantic
import pydantic.json_schema
import pydantic_core

from daemun.core import directive, model, problem_report, render_environment
from daemun.core.texts import rules

T = typing.TypeVar("T")
Setting = typing.NewType("Setting", tuple[str, object])
"""The name of an option and a value of its type (`Option.set`)."""
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")


class Level(enum.Enum):
    """Where in daemun.yaml an option may stand. What is nearer to the request wins."""

    GATE = "gate"
    SITE = "site"
    ROUTE = "route"


class RouteAction(enum.Enum):
    """The actions of a route, by their keys."""

    TO = "to"
    REDIRECT = "redirect"
    FILES = "files"
    RESPOND = "respond"
    DENY = "deny"
    PHP = "php"


EVERY_ACTION = frozenset(RouteAction)


class Label(enum.Enum):
    """Whether the label of a container may set an option, and how it is written.

    NO: only the file, because it reaches beyond the container. VALUE: as in the file ("30" is a number); a map has one
    label for each of its keys ("timeout.read"). WORD: as in the file, and no map. TEXT: always a text. BY_NAME: one
    label for each name, whatever it is ("request_headers.X-Own"). VALUE_OR_BY_NAME: either of them.
    """

    NO = "no"
    VALUE = "value"
    WORD = "word"
    TEXT = "text"
    BY_NAME = "by name"
    VALUE_OR_BY_NAME = "value or by name"


class HasOptions(typing.Protocol):
    """A route, the action of a route, a site, the gate."""

    @property
    def options(self) -> model.OptionValues: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a rule gets besides the value: where that stands, and where problems are collected.

    field: path of the option. site: None at the gate. route: None at the gate and at a site. sites: all, at the gate.
    """

    report: problem_report.ProblemReport
    field: problem_report.Field
    site: model.Site | None = None
    route: model.Route | None = None
    sites: collections.abc.Sequence[model.Site] = ()

    def add(self, cause: str | None, *below: str | int, severity: model.Severity = model.Severity.ERROR) -> None:
        self.report.add(cause, *self.field, *below, severity=severity)

    def add_value(self, value: str, cause: str | None, *below: str | int) -> None:
        self.report.add_value(value, cause, *self.field, *below)

    def below(self, name: str | int) -> "Place":
        field = (*self.field, name)  # `dataclasses.replace` takes four times as long, for each option of each site
        return Place(report=self.report, field=field, site=self.site, route=self.route, sites=self.sites)

    def add_beside(self, cause: str | None, *field: str | int) -> None:
        """field: of another key at the same place."""
        self.report.add(cause, *self.field[:-1], *field)

    @property
    def proxy(self) -> model.Proxy:
        """The action of a route to servers."""
        assert self.route is not None
        assert isinstance(self.route.action, model.Proxy)
        return self.route.action


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Doc:
    """A row of the tables in docs/CONFIGURATION.md, as Markdown. kind: what may be written. default: in words.

    An option of several levels has as its default, at the nearer ones, the value of the further one.
    Beside a key that is no option, as an annotation, it is the key's description in the JSON Schema, too.
    """

    kind: str
    default: str
    meaning: str

    @property
    def plain(self) -> str:
        """The meaning without Markdown's links, which lead nowhere in an editor."""
        return _LINK.sub(r"\1", self.meaning)

    def __get_pydantic_json_schema__(
        self, schema: pydantic_core.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> pydantic.json_schema.JsonSchemaValue:
        return {**handler(schema), "description": self.plain}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NginxContext:
    """Where in nginx's configuration an option is written, besides the level.

    module: which one passes requests on there ("proxy", "grpc", "fastcgi", ...); None: nginx answers itself.
    is_named: a location beside the route's own, for requests that are handed to it: WebSockets, those with a body.
    features: what nginx can do. is_gate: the level that is around all others.
    """

    module: str | None = None
    is_named: bool = False
    features: frozenset[render_environment.Feature] = frozenset()
    is_gate: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NamedFile:
    """A file of this machine that nginx or daemun opens. path: absolute. below: where it stands in the option.

    is_private_key: whether what it holds must never be shown. has_passwords: whether its lines are users with their
    hashes. is_watched: whether it is read again as soon as it changes. until: what is so while it cannot be read.
    """

    path: str
    below: tuple[str | int, ...] = ()
    is_private_key: bool = False
    has_passwords: bool = False
    is_watched: bool = False
    until: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WantedFeature:
    """What nginx should have been built with. without: what is so where it was not, and what to do."""

    feature: render_environment.Feature
    without: str


def between(
    least: float, most: float, *, rule: collections.abc.Callable[..., str | None] = rules.check_number
) -> collections.abc.Callable[[float | None, Place], None]:
    """The rule of a number; None is none. rule: of what kind of number, `quantity_rules.check_duration`, say."""

    def check(value: float | None, place: Place) -> None:
        place.add(None if value is None else rule(value, least=least, most=most))

    return check


# Without slots: `Option[X](...)` sets an attribute.
@dataclasses.dataclass(frozen=True, kw_only=True)
class Option(typing.Generic[T]):
    """An option of daemun.yaml.

    name: the key. form: a type with pydantic's annotations that makes a T of what YAML holds (`forms`). default: what
    holds where it is not set. doc: for the documentation; of a map that has a row for each key, by these.
    levels: where it may stand. actions: on a route, those that it has a meaning for.
    check: its rule, for the value that holds, set or not: adds every problem to the place.
    is_never_empty: whether a key with nothing behind it is an error where the default is None, as it opens something.
    model_field: of the holder, which has the value, because `core.model` itself or several sources decide with it;
        None: it is among the holder's `options`.
    needs: what nginx must have been built with for a value.
    wants: what nginx should have been built with for a value, which does less without it, and what that is.
    files: those that a value names, but for those of a `model.Secret`, which are found in every value.
    digested: of what names files that nginx loads once: the value with the digests of what they hold.
    loaded: of what names files that daemun reads: the value with what they hold; None for one that cannot be read.
    pages: of what names files that visitors are shown: the value with each of them replaced.
    lines: what it writes in nginx in a context; None: it is part of what others write.
    """

    name: str
    form: object
    default: T
    doc: Doc | collections.abc.Mapping[str, Doc]
    levels: frozenset[Level] = frozenset({Level.ROUTE})
    actions: frozenset[RouteAction] = EVERY_ACTION
    label: Label = Label.NO
    is_never_empty: bool = False
    model_field: str | None = None
    check: collections.abc.Callable[[T, Place], None] | None = None
    needs: collections.abc.Callable[[T], collections.abc.Iterable[render_environment.Feature]] | None = None
    wants: collections.abc.Callable[[T], collections.abc.Iterable[WantedFeature]] | None = None
    files: collections.abc.Callable[[T], collections.abc.Iterable[NamedFile]] | None = None
    digested: collections.abc.Callable[[T, collections.abc.Callable[[str], str]], T] | None = None
    loaded: collections.abc.Callable[[T, collections.abc.Callable[[str], bytes | None]], T] | None = None
    pages: collections.abc.Callable[[T, collections.abc.Callable[[typing.Any], typing.Any]], T] | None = None
    lines: collections.abc.Callable[[T, NginxContext], collections.abc.Iterable[directive.Directive]] | None = None

    def of(self, *holders: HasOptions) -> T:
        """The value that holds: of the first of these that has it, else the default."""
        if self.model_field is not None:
            return typing.cast(T, getattr(holders[0], self.model_field))
        for holder in holders:
            for name, value in holder.options:
                if name == self.name:
                    return typing.cast(T, value)
        return self.default

    def set(self, value: T) -> Setting:
        """For `catalogue.values`."""
        return Setting((self.name, value))
