"""What daemun.yaml may hold: every key, its short and long forms, its type and its default.

`read_part` checks one part of a file (a route, a site, the rest) and returns all its problems with their places, and
what is good of it, so that one mistake hides no other. Rules about values are in `core.validate`.
"""

import collections.abc
import typing

import pydantic

from daemun.core import model, words
from daemun.sources import values, yaml_acme, yaml_alerts, yaml_entry, yaml_positions, yaml_words

_T = typing.TypeVar("_T", bound=yaml_entry.Entry)

# --- short forms and words -------------------------------------------------------------------------------------


def _only(*known: str, later: str) -> pydantic.BeforeValidator:
    """A key of which this version knows a few words."""

    def parse(value: object) -> object:
        word = "off" if value is False else value
        if isinstance(word, str) and word in known:
            return word
        raise ValueError(f"{words.describe(value)} is not in this version yet ({later}); write {words.listed(known)}")

    return pydantic.BeforeValidator(parse)


def _balance(value: object) -> object:
    """ "hash $key" is a method and its key."""
    if isinstance(value, str) and value.split(maxsplit=1)[:1] == ["hash"]:
        return (model.Balance.HASH, value.removeprefix("hash").strip())
    known = [method.value for method in model.Balance if method is not model.Balance.HASH]
    expected = words.listed([*known, '"hash $variable"'])
    if isinstance(value, str) and value in known:
        return (model.Balance(value), None)
    guess = words.guess(value, known) if isinstance(value, str) else ""
    found = words.describe(value)
    raise ValueError(f"expected {expected}, found {found}{guess}")


def _size(value: object) -> object:
    return 0 if value is False or value == "off" else values.parse_size(value)


def _header(value: object) -> object:
    """Nothing removes a header; a number is its digits."""
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def _verify(value: object) -> object:
    if isinstance(value, bool | str):
        return value
    raise ValueError(f"expected true, false or the path of a CA file, found {words.describe(value)}")


def _hsts(value: object) -> object:
    return {} if value is True else None if value is False else value


def _timeout(value: object) -> object:
    return value if isinstance(value, dict) else {"read": value}


def _health(value: object) -> object:
    """ "/healthz" is a path, "tcp" a map of defaults."""
    if value is False or value == "off":
        return None
    if value == "tcp":
        return {}
    return {"path": value} if isinstance(value, str) and value.startswith("/") else value


def _statuses(value: object) -> object:
    """200, "200-399", or a list of them."""
    return tuple(_status_range(one) for one in (value if isinstance(value, list) else [value]))


def _status_range(value: object) -> tuple[int, int]:
    if isinstance(value, int) and not isinstance(value, bool):
        return value, value
    low, dash, high = value.partition("-") if isinstance(value, str) else ("", "", "")
    if not (low.isascii() and low.isdigit() and len(low) == 3 and (not dash or (high.isdigit() and len(high) == 3))):
        raise ValueError(f'expected a status such as 200, or a range such as "200-399", found {words.describe(value)}')
    return int(low), int(high or low)


def _hold(value: object) -> object:
    return 0.0 if value is False or value == "off" else values.parse_duration(value)


def _workers(value: object) -> object:
    return None if value == "auto" else value


def _default(value: object) -> object:
    if isinstance(value, str):
        if value != "refuse":
            raise ValueError(f"expected refuse, {{site: HOST}} or {{redirect: URL}}, found {words.quoted(value)}")
        return {}
    return value


def _docker(value: object) -> object:
    return value if isinstance(value, dict) else {"endpoint": value}


def _engine(value: object) -> object:
    """`auto`, `off`, or where the engine is."""
    if value is False or value == "off":
        return "off"
    if isinstance(value, str) and "://" in value:
        return values.parse_engine(value)
    if value == "auto":
        return value
    known = ["auto", "off", "a URL such as unix:///var/run/docker.sock"]
    guess = words.guess(value, known[:2]) if isinstance(value, str) else ""
    raise ValueError(f"expected {words.listed(known)}, found {words.describe(value)}{guess}")


Duration = typing.Annotated[float, pydantic.BeforeValidator(values.parse_duration)]
Size = typing.Annotated[int, pydantic.BeforeValidator(_size)]
Host = typing.Annotated[str, pydantic.BeforeValidator(yaml_entry.text(values.parse_host))]
Headers = dict[str, typing.Annotated[str, pydantic.BeforeValidator(_header)]]
Addresses = typing.Annotated[
    list[typing.Annotated[pydantic.InstanceOf[model.Address], pydantic.BeforeValidator(values.parse_address)]],
    yaml_entry.ONE_OR_MORE,
]


# --- routes ----------------------------------------------------------------------------------------------------


class TargetEntry(yaml_entry.Entry):
    """A target's text, or this map."""

    shape = 'a target such as "http://127.0.0.1:8000", or a map with its `url`'
    url: typing.Annotated[
        pydantic.InstanceOf[model.Target], pydantic.BeforeValidator(yaml_entry.text(values.parse_target))
    ]
    weight: int = 1
    backup: bool = False
    down: bool = False
    max_fails: int = 1
    fail_timeout: Duration = 10.0
    max_connections: int = 0

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        return {"url": value} if isinstance(value, str) else value


class TimeoutEntry(yaml_entry.Entry):
    """A duration (`read`), or this map."""

    shape = "a duration or a map of them"
    connect: Duration = model.Timeouts().connect_s
    read: Duration = model.Timeouts().read_s
    send: Duration = model.Timeouts().send_s
    idle: Duration = model.Timeouts().idle_s


class HealthEntry(yaml_entry.Entry):
    """A path, `tcp`, `off`, or this map."""

    shape = 'a path such as "/healthz", tcp, off, or a map'
    path: str | None = None
    interval: Duration = model.Health().interval_s
    timeout: Duration = model.Health().timeout_s
    threshold: int = model.Health().threshold
    recover: int = model.Health().recover
    status: typing.Annotated[tuple[tuple[int, int], ...], pydantic.BeforeValidator(_statuses)] = model.Health().statuses
    host: str | None = None

    def translate(self) -> model.Health:
        """The same as a value of the model."""
        return model.Health(
            path=self.path,
            host=self.host,
            interval_s=self.interval,
            timeout_s=self.timeout,
            threshold=self.threshold,
            recover=self.recover,
            statuses=self.status,
        )


class RouteEntry(yaml_entry.Entry):
    """A target's text, or this map with one of `to`, `redirect`, `files`."""

    shape = 'a target such as "http://127.0.0.1:8000", or a map with `to`, `redirect` or `files`'
    to: typing.Annotated[list[TargetEntry], yaml_entry.ONE_OR_MORE] | None = None
    balance: typing.Annotated[tuple[model.Balance, str | None], pydantic.BeforeValidator(_balance)] = (
        model.Balance.ROUND_ROBIN,
        None,
    )
    verify: typing.Annotated[bool | str, pydantic.BeforeValidator(_verify)] = True
    server_name: Host | None = None
    timeout: typing.Annotated[TimeoutEntry, pydantic.BeforeValidator(_timeout)] = TimeoutEntry()
    retries: int = 2
    buffering: bool = True
    keepalive: int | None = None
    host_header: str | None = None
    root: str = "/var/www/html"
    index: str = "index.php"
    health: typing.Annotated[HealthEntry | None, pydantic.BeforeValidator(_health)] = None
    hold: typing.Annotated[float, pydantic.BeforeValidator(_hold)] = 30.0
    redirect: str | None = None
    status: int = 301
    files: str | None = None
    spa: bool = False
    listing: bool = False
    max_body: Size = 1 << 30
    request_headers: Headers = {}
    response_headers: Headers = {}
    nginx: str = ""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        return {"to": value} if isinstance(value, str) else value


ACTION_OPTIONS: dict[str, frozenset[str]] = {
    "to": frozenset(
        {
            "balance",
            "verify",
            "server_name",
            "timeout",
            "retries",
            "buffering",
            "keepalive",
            "host_header",
            "root",
            "index",
            "health",
            "hold",
            "request_headers",
        }
    ),
    "redirect": frozenset({"status"}),
    "files": frozenset({"spa", "listing"}),
}
"""Which keys have a meaning for which action."""


# --- sites -----------------------------------------------------------------------------------------------------


class HstsEntry(yaml_entry.Entry):
    """`true`, or this map."""

    shape = "true, false or a map"
    max_age: Duration = float(model.Hsts().max_age_s)
    include_subdomains: bool = False
    preload: bool = False


class SiteEntry(yaml_entry.Entry):
    """A target's text, a map of paths, or this map. Routes are checked one by one, as `RouteEntry`."""

    shape = 'a target such as "http://127.0.0.1:8000", a map of paths, or a map with `routes`'
    aliases: typing.Annotated[list[Host], yaml_entry.ONE_OR_MORE] = []
    redirect_aliases: bool = False
    tls: yaml_acme.Tls = yaml_acme.TlsWord.AUTO
    http: typing.Annotated[model.HttpMode, yaml_entry.choice(model.HttpMode)] | None = None
    hsts: typing.Annotated[HstsEntry | None, pydantic.BeforeValidator(_hsts)] = None
    on_demand: yaml_acme.OnDemand = None
    enabled: bool = True
    routes: dict[str, typing.Any]
    nginx: str = ""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        if isinstance(value, str):
            return {"routes": {"/": value}}
        if isinstance(value, dict) and value and all(isinstance(key, str) and key.startswith("/") for key in value):
            return {"routes": value}
        return value


# --- the whole file --------------------------------------------------------------------------------------------


class ListenEntry(yaml_entry.Entry):
    http: Addresses = [model.Address(port=80)]
    https: Addresses = [model.Address(port=443)]


class DockerTlsEntry(yaml_entry.Entry):
    """What daemun and the engine prove to each other with."""

    ca: str
    cert: str
    key: str


class DockerEntry(yaml_entry.Entry):
    """`auto`, `off`, a URL, or this map."""

    shape = "auto, off, a URL or a map"
    endpoint: typing.Annotated[str, pydantic.BeforeValidator(_engine)] = "auto"
    tls: DockerTlsEntry | None = None
    reserve: typing.Annotated[list[Host], yaml_entry.ONE_OR_MORE] = []


class DefaultEntry(yaml_entry.Entry):
    shape = "refuse, {site: HOST} or {redirect: URL}"
    site: Host | None = None
    redirect: str | None = None
    status: int = 301


class LogsEntry(yaml_entry.Entry):
    access: bool = True
    max_size: Size = model.Logs().max_bytes
    keep: int = model.Logs().keep


class OldWorkersEntry(yaml_entry.Entry):
    generations: int = model.OldWorkers().generations
    memory: Size = model.OldWorkers().memory_bytes
    wait: Duration = model.OldWorkers().wait_s
    per_second: int = model.OldWorkers().sockets_per_s


class FileEntry(yaml_entry.Entry):
    """The top of the file. Sites are checked one by one, as `SiteEntry`."""

    shape = f"a map with `sites`; {yaml_words.MINIMAL_FILE}"
    listen: ListenEntry = ListenEntry()
    acme: yaml_acme.AcmeEntry = yaml_acme.AcmeEntry()
    alerts: yaml_alerts.AlertsEntry = yaml_alerts.AlertsEntry()
    docker: typing.Annotated[DockerEntry, pydantic.BeforeValidator(_docker)] = DockerEntry()
    compat: typing.Annotated[str, _only("none", "nginx-proxy", later="the words of other proxies")] = "none"
    default: typing.Annotated[DefaultEntry, pydantic.BeforeValidator(_default)] = DefaultEntry()
    trusted_proxies: list[str] = []
    logs: LogsEntry = LogsEntry()
    workers: typing.Annotated[int | None, pydantic.BeforeValidator(_workers)] = None
    old_workers: OldWorkersEntry = OldWorkersEntry()
    user: str | None = None
    nginx: str = ""
    sites: typing.Any = None


# --- checking --------------------------------------------------------------------------------------------------


def read_part(
    kind: type[_T], document: yaml_positions.Document, at: yaml_positions.Path
) -> tuple[_T | None, tuple[yaml_positions.Fault, ...]]:
    """The part of a file at this path, and everything that is wrong with it.

    Returns: None instead of the part when nothing can be made of it; keys with problems are left at their defaults.
    """
    raw = document.get(at)
    try:
        return kind.model_validate(raw), ()
    except pydantic.ValidationError as error:
        details = error.errors(include_url=False)
    faults = tuple(_fault(kind, document, at, detail) for detail in _without_echoes(details))
    for detail in details:
        bad = document.find((*at, *detail["loc"]))[len(at) :]
        if not bad:
            return None, faults
        raw = _without(raw, bad)
    try:
        return kind.model_validate(raw), faults
    except pydantic.ValidationError:
        return None, faults


def _without(value: object, path: yaml_positions.Path) -> object:
    """The value but for the key at the path; a list is left out whole, so that no position in it shifts."""
    if not isinstance(value, dict) or path[0] not in value:
        return value
    rest = {key: item for key, item in value.items() if key != path[0]}
    is_inside = len(path) > 1 and isinstance(path[1], str)
    return {**rest, path[0]: _without(value[path[0]], path[1:])} if is_inside else rest


def _without_echoes(details: collections.abc.Sequence[typing.Any]) -> list[typing.Any]:
    """Beside an unknown key, a missing one is most likely the same mistake."""
    unknown_in = {detail["loc"][:-1] for detail in details if detail["type"] == "extra_forbidden"}
    return [item for item in details if item["type"] != "missing" or item["loc"][:-1] not in unknown_in]


def _fault(
    kind: type[yaml_entry.Entry], document: yaml_positions.Document, at: yaml_positions.Path, detail: typing.Any
) -> yaml_positions.Fault:
    path = document.find((*at, *detail["loc"]))
    if detail["type"] == "extra_forbidden":
        owner = _owner(kind, detail["loc"][:-1])
        key = str(detail["loc"][-1])
        message = yaml_words.unknown_key(key, owner.model_fields, elsewhere=_home_of(key, owner))
        return yaml_positions.Fault(message=message, mark=document.keys.get(path, document.locate(path)))
    return yaml_positions.Fault(
        message=yaml_words.translate(detail, label(path), shape=_owner(kind, detail["loc"]).shape),
        mark=document.locate(path),
    )


def label(path: yaml_positions.Path) -> str:
    """What a message calls a place: the nearest keys, for the line is known."""
    names = [str(step) for step in path if isinstance(step, str)]
    if not names:
        return "the file"
    return (
        f"key {words.quoted(names[-1])}" if names[0] != "sites" or len(names) > 2 else f"site {words.quoted(names[-1])}"
    )


def _owner(kind: type[yaml_entry.Entry], loc: yaml_words.Loc) -> type[yaml_entry.Entry]:
    """The map that holds the place, among the maps inside `kind`."""
    for step, following in zip(loc, (*loc[1:], None), strict=False):
        if isinstance(step, str) and step in kind.model_fields:
            kind = next(_entries_in(kind.model_fields[step].annotation, following), kind)
    return kind


def _entries_in(annotation: object, tag: str | int | None) -> collections.abc.Iterator[type[yaml_entry.Entry]]:
    """tag: which of several forms was chosen, if the annotation tells them apart."""
    if isinstance(annotation, type) and issubclass(annotation, yaml_entry.Entry):
        yield annotation
    arguments = typing.get_args(annotation)
    tags = [argument.tag for argument in arguments if isinstance(argument, pydantic.Tag)]
    if not tags or tag in tags:
        for argument in arguments:
            yield from _entries_in(argument, tag)


def _home_of(key: str, owner: type[yaml_entry.Entry]) -> str:
    """Where a key belongs that is known, but not here."""
    if owner is SiteEntry and key in RouteEntry.model_fields:
        return f"; {words.quoted(key)} is an option of a route, under `routes`"
    if owner in {SiteEntry, RouteEntry} and key in FileEntry.model_fields:
        return f"; {words.quoted(key)} belongs to the top of the file"
    if owner is RouteEntry and key in SiteEntry.model_fields:
        return f"; {words.quoted(key)} is an option of the site, beside `routes`"
    if owner is FileEntry and "." in key:
        return "; sites are written under `sites:`"
    return ""
