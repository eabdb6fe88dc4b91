"""A route in daemun.yaml: what it leads to, and options."""

import dataclasses
import typing

import pydantic

from daemun.core import model, value_parsers
from daemun.core.options import catalogue, forms, option, php_form, respond_form, when_option
from daemun.core.options.option import Doc
from daemun.core.texts import words
from daemun.sources import yaml_entry, yaml_words


def _target(text: str) -> model.Target:
    """A whole line of a map of paths is no target, and its path no scheme."""
    if hint := yaml_words.hint_at_entry(text):
        raise ValueError(f"target {words.quoted(text)} starts with a path{hint}")
    return value_parsers.parse_target(text)


class TargetEntry(yaml_entry.YamlEntry):
    """A target's text, or this map."""

    shape = 'a target such as "http://127.0.0.1:8000", or a map with its `url`'
    url: typing.Annotated[
        pydantic.InstanceOf[model.Target],
        pydantic.BeforeValidator(forms.parse_text(_target)),
        pydantic.WithJsonSchema(forms.TEXT),
        Doc(kind="target", default="needed", meaning="the server"),
    ]
    weight: typing.Annotated[int, Doc(kind="1 to 65535", default="`1`", meaning="its share of requests")] = 1
    backup: typing.Annotated[
        bool,
        Doc(
            kind="true, false",
            default="`false`",
            meaning="used only while no other server is there; not with `hash`, `ip_hash`, `random`",
        ),
    ] = False
    down: typing.Annotated[bool, Doc(kind="true, false", default="`false`", meaning="not used for now")] = False
    drain: typing.Annotated[
        bool,
        Doc(
            kind="true, false",
            default="`false`",
            meaning="with `balance: sticky`: visitors who came to it before are sent there, and new ones to the others",
        ),
    ] = False
    max_fails: typing.Annotated[
        int,
        Doc(
            kind="number",
            default="`1`",
            meaning="failures within `fail_timeout` after which it is left out; `0`: never",
        ),
    ] = 1
    fail_timeout: typing.Annotated[
        forms.Duration, Doc(kind="duration", default="`10s`", meaning="how long it is left out")
    ] = 10.0
    max_connections: typing.Annotated[
        int, Doc(kind="number", default="`0`", meaning="at most so many at a time; `0`: no limit")
    ] = 0

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        return {"url": value} if isinstance(value, str) else value

    def translate(self) -> model.Target:
        return model.Target(
            scheme=self.url.scheme,
            host=self.url.host,
            port=self.url.port,
            socket=self.url.socket,
            path=self.url.path,
            weight=self.weight,
            backup=self.backup,
            down=self.down,
            drain=self.drain,
            max_fails=self.max_fails,
            fail_timeout_s=self.fail_timeout,
            max_connections=self.max_connections,
        )


class RouteEntry(yaml_entry.YamlEntry, defer_build=True):
    """A target's text, or this map with one of `to`, `redirect`, `files`, `respond`, `deny`, `php`."""

    shape = (
        'a target such as "http://127.0.0.1:8000", or a map with `to`, `redirect`, `files`, `respond`, `deny` or `php`'
    )
    to: typing.Annotated[
        typing.Annotated[list[typing.Annotated[TargetEntry, forms.Also(forms.TEXT)]], forms.ONE_OR_MORE] | None,
        Doc(kind="target, map, or a list of them", default="", meaning="the servers"),
    ] = None
    redirect: typing.Annotated[str | None, Doc(kind="URL or path", default="", meaning="where visitors are sent")] = (
        None
    )
    files: typing.Annotated[
        forms.File | None,
        Doc(
            kind="folder",
            default="",
            meaning="static files; the rest of the path is looked up in it. Links inside it lead to files of their own "
            "owner only; a folder that is, holds or lies in the state directory, or holds a private key, is refused",
        ),
    ] = None
    respond: typing.Annotated[
        respond_form.Form | None,
        Doc(
            kind="status, or `{status, body, type, file}`",
            default="",
            meaning="a fixed answer: a text (`body`, as it is) or a file, and its media type, which is plain text or "
            "what the file's name tells; with neither, a status from 400 on has the gate's page",
        ),
    ] = None
    deny: typing.Annotated[
        respond_form.Deny | None,
        Doc(kind="true", default="", meaning="nobody gets anything here: 403 with the gate's page"),
    ] = None
    php: typing.Annotated[
        php_form.Form | None,
        Doc(
            kind="FastCGI server, or `{socket, root, server_root, front, no_code}`",
            default="",
            meaning="a PHP application in the folder `root`, see [PHP](#php-applications)",
        ),
    ] = None
    nginx: typing.Annotated[
        str, Doc(kind="text", default="none", meaning="hand-written directives for the `location` block")
    ] = ""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        return {"to": value} if isinstance(value, str) else value

    def actions(self) -> tuple[option.RouteAction, ...]:
        """What it leads to: of a good route, one."""
        return tuple(kind for kind in option.RouteAction if getattr(self, kind.value) is not None)

    def options(self) -> tuple[model.OptionValues, model.OptionValues]:
        """Those of the route, and those of its action."""
        return catalogue.split(self.given(catalogue.BY_NAME), self.actions()[0])

    def make_action(self) -> tuple[model.Action, model.OptionValues]:
        """What a good route leads to, and the options of the route itself."""
        options, own = self.options()
        if self.redirect is not None:
            return model.Redirect(to=self.redirect, options=own), options
        if self.files is not None:
            return model.Files(folder=self.files, options=own), options
        if self.respond is not None or self.deny is not None:
            answer = self.deny if self.respond is None else self.respond.make()
            return dataclasses.replace(answer or respond_form.DENIAL, options=own), options
        if self.php is not None:
            return dataclasses.replace(self.php.make(), options=own), options
        return model.Proxy(targets=tuple(target.translate() for target in self.to or ()), options=own), options


def has_condition(value: object) -> bool:
    """Whether a route, as it is written, is for some requests of its path only."""
    return isinstance(value, dict) and when_option.OPTION.name in value


def is_list(value: object) -> bool:
    """Whether a path leads to several routes: a list in which one has conditions, or is a map that leads somewhere.
    Others were meant as something else, such as several servers."""
    keys = {when_option.OPTION.name, *(kind.value for kind in option.RouteAction)}
    return isinstance(value, list) and any(isinstance(one, dict) and not keys.isdisjoint(one) for one in value)


ROUTE: type[RouteEntry] = catalogue.with_options("RouteEntry", RouteEntry, option.Level.ROUTE)
"""With the options."""
