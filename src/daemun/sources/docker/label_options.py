"""Which options of daemun.yaml a label may set, and their values: the same words, types and defaults as in the file.

A label is written by whoever may start a container, so the list below is the whole of what it can reach: nothing that
names a file or a socket of this machine, and no raw nginx.
"""

import collections.abc
import re
import typing

import pydantic

from daemun.core import model
from daemun.core.options import (
    access_option,
    balance_option,
    catalogue,
    forms,
    http_option,
    maintenance_option,
    option,
    respond_form,
    tls_option,
    upstream_tls_options,
)
from daemun.core.texts import words
from daemun.sources import yaml_entry, yaml_route, yaml_site, yaml_words
from daemun.sources.docker import route_requests

_FOR_LABELS = {name: one for name, one in catalogue.BY_NAME.items() if one.label is not option.Label.NO}
ROUTE_OPTIONS = frozenset(_FOR_LABELS) & {one.name for one in catalogue.ROUTE} | {"redirect", "respond", "deny"}
SITE_OPTIONS = (frozenset(_FOR_LABELS) & {one.name for one in catalogue.SITE}) - ROUTE_OPTIONS
FOR_THE_FILE_ONLY = frozenset({*yaml_route.ROUTE.model_fields, *yaml_site.SITE.model_fields}) - {
    *ROUTE_OPTIONS,
    *SITE_OPTIONS,
    "to",
}
HEADERS = frozenset(name for name, one in _FOR_LABELS.items() if one.label is option.Label.BY_NAME)
BY_ANY_NAME = HEADERS | {name for name, one in _FOR_LABELS.items() if one.label is option.Label.VALUE_OR_BY_NAME}
_MAPS = {
    name: found
    for name, one in _FOR_LABELS.items()
    if one.label is option.Label.VALUE and (found := forms.find_map(one.form)) is not None
}
_MAPS["respond"] = respond_form.RespondMap


def _list_keys(kind: type[forms.OptionMap]) -> collections.abc.Iterator[str]:
    """The keys of a map, and "KEY.KEY" where the value of one is a map."""
    for key, form in forms.keys(kind).items():
        if key not in kind.file_only:
            yield key
            inner = forms.find_map(form)
            yield from () if inner is None else (f"{key}.{below}" for below in _list_keys(inner))


PARTS: dict[str, collections.abc.Collection[str]] = {name: [*_list_keys(kind)] for name, kind in _MAPS.items()}
"""Options that are maps, and their keys."""


def is_for_the_file(key: str, part: str) -> bool:
    """Whether a key of a map, or of one inside it, is one of daemun.yaml that no label may set."""
    kind: type[forms.OptionMap] | None = _MAPS.get(key)
    for step in part.split("."):
        if kind is None or step in kind.file_only:
            return kind is not None
        kind = forms.find_map(forms.keys(kind).get(step))
    return False


Value = str | dict[str, str]
Values = collections.abc.Mapping[str, Value]

_TEXTS = frozenset({"redirect", *(name for name, one in _FOR_LABELS.items() if one.label is option.Label.TEXT)})
_CREDENTIALS = re.compile(r"\$\{?(?:http_(?:proxy_)?authorization|http_cookie|cookie_\w+)\b", re.IGNORECASE)
_HASHED = frozenset({balance_option.OPTION.name})
"""What is made of their value reaches nobody."""
_INTEGER = re.compile(r"-?[0-9]{1,18}\Z")
_DECIMAL = re.compile(r"-?[0-9]{1,18}\.[0-9]{1,18}\Z")
_Entry = typing.TypeVar("_Entry", bound=yaml_entry.YamlEntry)


class OptionError(ValueError):
    """key: the option it is about, as a label spells it ("timeout.read"). The text has what is wrong with it."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def read_route(values: Values) -> yaml_route.RouteEntry:
    """Raises: OptionError."""
    _check_credentials(values)
    entry = _read(yaml_route.ROUTE, {key: value for key, value in values.items() if key in ROUTE_OPTIONS})
    _check_names(entry)
    actions = entry.actions()
    if len(actions) > 1:
        raise OptionError(actions[1].value, f"stands beside {actions[0].value}; use one of them")
    action = actions[0] if actions else option.RouteAction.TO
    misplaced = tuple(catalogue.find_misplaced(entry.given(catalogue.BY_NAME), action))
    if misplaced:
        kind = "server" if action is option.RouteAction.TO else "fixed answer"
        kind = "redirect" if action is option.RouteAction.REDIRECT else kind
        raise OptionError(misplaced[0][0], f"has no meaning for a {kind}")
    return entry


def _check_names(entry: yaml_route.RouteEntry) -> None:
    """Each is looked up again and again, for ever: so many as a label could hold would delay all others. Raises:
    OptionError."""
    access = entry.given({access_option.OPTION.name}).get(access_option.OPTION.name)
    if not isinstance(access, access_option.Access):
        return
    for key in ("allow", "deny"):
        found = next(filter(access_option.is_name, getattr(access, key)), None)
        if found is not None:
            raise OptionError(
                f"access.{key}", f"holds the host name {words.quoted(found)}, which stands in daemun.yaml alone"
            )


def _check_credentials(values: Values) -> None:
    """What visitors sign in with at the gate reaches no container, under another name either. Raises: OptionError."""
    for key, value in values.items():
        for text in value.values() if isinstance(value, dict) else (value,):
            match = _CREDENTIALS.search(text)
            if match is not None and key not in _HASHED:
                name = match.group().replace("{", "")
                raise OptionError(key, f"uses {words.quoted(name)}, which may hold what opens other sites, too")


def read_site(values: Values) -> route_requests.SiteOptions | None:
    """None when no option of a site is given. Raises: OptionError."""
    given = {key: value for key, value in values.items() if key in SITE_OPTIONS}
    if not given:
        return None
    _check_credentials(given)
    entry = _read(yaml_site.SITE, given | {"routes": {}})
    options = entry.given(catalogue.BY_NAME)
    closed = options.get(maintenance_option.OPTION.name)
    if isinstance(closed, maintenance_option.Maintenance) and closed.page is not None:
        raise OptionError("maintenance", "expected true or false, found the path of a file, which no label may name")
    http, tls = options.get("http"), options.get("tls", tls_option.OPTION.default)
    if (cause := http_option.find_cause(http, tls)) is not None:
        raise OptionError("http", cause)
    return route_requests.SiteOptions(**catalogue.as_fields(options | {"http": http_option.choose(http, tls)}))


def choose_verify(entry: yaml_route.RouteEntry, scheme: model.Scheme) -> dict[str, object]:
    """The options for the check of a container's certificate, in place of what its labels set.

    A container is reached by its address, which no certificate carries, so one is checked only where `server_name` has
    which name it must carry. Raises: OptionError.
    """
    given = entry.given({upstream_tls_options.VERIFY.name, upstream_tls_options.SERVER_NAME.name})
    name, verify = given.get(upstream_tls_options.SERVER_NAME.name), given.get(upstream_tls_options.VERIFY.name)
    if isinstance(verify, upstream_tls_options.Verify) and verify.ca_file is not None:
        raise OptionError("verify", f"expected true or false, found {words.describe(verify.ca_file)}")
    if verify == upstream_tls_options.Verify() and name is None:
        raise OptionError("verify", "needs server_name, the name that the container's certificate carries")
    if not scheme.is_encrypted:
        return {
            upstream_tls_options.VERIFY.name: upstream_tls_options.Verify(),
            upstream_tls_options.SERVER_NAME.name: None,
        }
    default = upstream_tls_options.Verify(is_on=name is not None)
    return {upstream_tls_options.VERIFY.name: verify or default, upstream_tls_options.SERVER_NAME.name: name}


def _read(kind: type[_Entry], values: collections.abc.Mapping[str, object]) -> _Entry:
    """The first mistake is reported; the container is refused for one as for many."""
    try:
        return kind.model_validate({key: _scalars(key, value) for key, value in values.items()})
    except pydantic.ValidationError as error:
        detail = error.errors(include_url=False)[0]
    steps = [str(step) for step in detail["loc"] if not str(step).startswith("(")]
    key = ".".join(steps if isinstance(values.get(steps[0]), dict) else steps[:1])
    shape = _MAPS[steps[0]].shape if steps[0] in _MAPS else kind.shape
    raise OptionError(key, yaml_words.translate(detail, "value", shape=shape).removeprefix("value: "))


def _scalars(key: str, value: object) -> object:
    """Labels are texts; in the file, 30, 1.5 and true would be numbers and truths."""
    if isinstance(value, dict):
        known: collections.abc.Container[str] = _find_texts(_MAPS[key]) if key in _MAPS else ()
        texts = value if key in HEADERS else known
        found = {part: text if part in texts else scalar(text) for part, text in value.items()}
        return _nest(found) if key in _MAPS and key not in BY_ANY_NAME else found
    return scalar(value) if isinstance(value, str) and key not in _TEXTS else value


def _find_texts(kind: type[forms.OptionMap]) -> frozenset[str]:
    """The keys whose labels are texts, as `PARTS` has them."""
    inner = ((key, forms.find_map(form)) for key, form in forms.keys(kind).items())
    below = (f"{key}.{text}" for key, found in inner if found is not None for text in _find_texts(found))
    return frozenset((*kind.texts, *below))


def _nest(parts: collections.abc.Mapping[str, object]) -> dict[str, object]:
    """ "rate_limit.by" stands in the map "rate_limit"."""
    found: dict[str, object] = {}
    for part, value in parts.items():
        key, dot, below = part.partition(".")
        if dot:
            inner = found.setdefault(key, {})
            assert isinstance(inner, dict)  # a label of both forms was refused before
            inner[below] = value
        else:
            found[part] = value
    return found


def scalar(text: str) -> object:
    text = text.strip()
    if text in {"true", "false"}:
        return text == "true"
    if _INTEGER.match(text):
        return int(text)
    return float(text) if _DECIMAL.match(text) else text
