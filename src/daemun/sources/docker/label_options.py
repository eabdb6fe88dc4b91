"""Which options of daemun.yaml a label may set, and their values: the same words, types and defaults as in the file.

A label is written by whoever may start a container, so the list below is the whole of what it can reach: nothing that
names a file or a socket of this machine, and no raw nginx.
"""

import collections.abc
import re
import typing

import pydantic

from daemun.core import model, words
from daemun.sources import yaml_acme, yaml_entry, yaml_health, yaml_route, yaml_site, yaml_words
from daemun.sources.docker import route_requests

ROUTE_OPTIONS = frozenset(
    {
        "balance",
        "buffering",
        "compress",
        "health",
        "hold",
        "host_header",
        "index",
        "keepalive",
        "max_body",
        "redirect",
        "request_headers",
        "response_headers",
        "retries",
        "root",
        "server_name",
        "status",
        "timeout",
        "translate",
        "verify",
    }
)
SITE_OPTIONS = frozenset({"hsts", "http", "redirect_status", "tls", "underscores_in_headers"})
FOR_THE_FILE_ONLY = frozenset({*yaml_route.RouteEntry.model_fields, *yaml_site.SiteEntry.model_fields}) - {
    *ROUTE_OPTIONS,
    *SITE_OPTIONS,
    "to",
}
HEADERS = frozenset({"request_headers", "response_headers"})
PARTS: dict[str, collections.abc.Collection[str]] = {
    "health": yaml_health.HealthEntry.model_fields,
    "timeout": yaml_route.TimeoutEntry.model_fields,
    "hsts": yaml_site.HstsEntry.model_fields,
}
"""Options that are maps, and their keys."""

Value = str | dict[str, str]
Values = collections.abc.Mapping[str, Value]

_TEXTS = frozenset({"host_header", "index", "redirect", "root", "server_name"})
_SHAPES = {
    "health": yaml_health.HealthEntry.shape,
    "timeout": yaml_route.TimeoutEntry.shape,
    "hsts": yaml_site.HstsEntry.shape,
}
_INTEGER = re.compile(r"-?[0-9]{1,18}\Z")
_DECIMAL = re.compile(r"-?[0-9]{1,18}\.[0-9]{1,18}\Z")
_Entry = typing.TypeVar("_Entry", bound=yaml_entry.OptionMap)


class OptionError(ValueError):
    """key: the option it is about, as a label spells it ("timeout.read"). The text says what is wrong with it."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def read_route(values: Values) -> yaml_route.RouteEntry:
    """Raises: OptionError."""
    given = {key: value for key, value in values.items() if key in ROUTE_OPTIONS}
    entry = _read(yaml_route.RouteEntry, given)
    if isinstance(entry.verify, str):
        raise OptionError("verify", f"expected true or false, found {words.describe(entry.verify)}")
    owner = "to" if entry.redirect is None else "redirect"
    others = frozenset().union(*(keys for action, keys in yaml_route.ACTION_OPTIONS.items() if action != owner))
    misplaced = sorted(others & given.keys())
    if misplaced:
        raise OptionError(misplaced[0], f"has no meaning for a {'redirect' if owner == 'redirect' else 'server'}")
    return entry


def read_site(values: Values) -> route_requests.SiteOptions | None:
    """None when no option of a site is given. Raises: OptionError."""
    given = {key: value for key, value in values.items() if key in SITE_OPTIONS}
    if not given:
        return None
    entry = _read(yaml_site.SiteEntry, given | {"routes": {}})
    if not isinstance(entry.tls, yaml_acme.TlsWord):
        raise OptionError("tls", "a certificate of one's own can be named in daemun.yaml only")
    tls = model.Tls(mode=model.TlsMode(entry.tls.value))
    without_tls = tls.mode is model.TlsMode.OFF
    if without_tls and entry.http is model.HttpMode.REDIRECT:
        raise OptionError("http", "cannot redirect to HTTPS, because tls is off; write serve")
    http = entry.http or (model.HttpMode.SERVE if without_tls else model.HttpMode.REDIRECT)
    return route_requests.SiteOptions(
        tls=tls,
        http=http,
        hsts=entry.hsts.translate() if entry.hsts is not None else None,
        other_redirect=entry.redirect_status,
        underscores=entry.underscores_in_headers,
    )


def make_proxy(entry: yaml_route.RouteEntry, target: model.Target) -> model.Proxy:
    """A route to containers, as `read_route` read it.

    A container is known by its address, which no certificate carries, so one is checked only where `server_name` says
    which name it must carry. Raises: OptionError.
    """
    if "verify" in entry.model_fields_set and entry.verify is True and entry.server_name is None:
        raise OptionError("verify", "needs server_name, the name that the container's certificate carries")
    verify = entry.verify is True if "verify" in entry.model_fields_set else entry.server_name is not None
    is_encrypted = target.scheme in {model.Scheme.HTTPS, model.Scheme.GRPCS}
    tls = model.UpstreamTls(verify=verify, name=entry.server_name) if is_encrypted else model.UpstreamTls()
    return entry.to_proxy(targets=(target,), tls=tls)


def _read(kind: type[_Entry], values: collections.abc.Mapping[str, object]) -> _Entry:
    """The first mistake is told; the container is refused for one as for many."""
    try:
        return kind.model_validate({key: _scalars(key, value) for key, value in values.items()})
    except pydantic.ValidationError as error:
        detail = error.errors(include_url=False)[0]
    steps = [str(step) for step in detail["loc"] if not str(step).startswith("(")]
    key = ".".join(steps if isinstance(values.get(steps[0]), dict) else steps[:1])
    shape = _SHAPES.get(steps[0], kind.shape)
    raise OptionError(key, yaml_words.translate(detail, "value", shape=shape).removeprefix("value: "))


def _scalars(key: str, value: object) -> object:
    """Labels are texts; in the file, 30, 1.5 and true would be numbers and truths."""
    if isinstance(value, dict):
        return value if key in HEADERS else {part: _scalar(text) for part, text in value.items()}
    return _scalar(value) if isinstance(value, str) and key not in _TEXTS else value


def _scalar(text: str) -> object:
    text = text.strip()
    if text in {"true", "false"}:
        return text == "true"
    if _INTEGER.match(text):
        return int(text)
    return float(text) if _DECIMAL.match(text) else text
