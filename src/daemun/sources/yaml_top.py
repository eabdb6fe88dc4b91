"""What daemun.yaml may say beside its sites."""

import contextlib
import dataclasses
import typing

import pydantic

from daemun.core import model, short_texts, words
from daemun.core.options import catalogue, forms, option
from daemun.sources import yaml_acme, yaml_alerts, yaml_entry, yaml_words

# --- short forms and words -------------------------------------------------------------------------------------


def _only(*known: str, later: str) -> pydantic.BeforeValidator:
    """A key of which this version knows a few words."""

    def parse(value: object) -> object:
        word = "off" if value is False else value
        if isinstance(word, str) and word in known:
            return word
        raise ValueError(f"{words.describe(value)} is not in this version yet ({later}); write {words.listed(known)}")

    return pydantic.BeforeValidator(parse)


def _listen(value: object) -> object:
    """People write a port or an address alone."""
    if isinstance(value, dict):
        return value
    cure = ""
    with contextlib.suppress(ValueError):
        (address,) = [short_texts.parse_address(one) for one in (value if isinstance(value, list) else [value])]
        http = address.port if address.host is None else f'"{address}"'
        cure = f"; write `listen: {{http: {http}}}`, with `https:` beside it for the port of HTTPS"
    raise ValueError(f"expected a map such as {{http: 80, https: 443}}, found {words.describe(value)}{cure}")


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
        return short_texts.parse_engine(value)
    if value == "auto":
        return value
    known = ["auto", "off", "a URL such as unix:///var/run/docker.sock"]
    guess = words.guess(value, known[:2]) if isinstance(value, str) else ""
    raise ValueError(f"expected {words.listed(known)}, found {words.describe(value)}{guess}")


Addresses = typing.Annotated[
    list[typing.Annotated[pydantic.InstanceOf[model.Address], pydantic.BeforeValidator(short_texts.parse_address)]],
    forms.ONE_OR_MORE,
]


# --- maps ------------------------------------------------------------------------------------------------------


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
    reserve: typing.Annotated[list[forms.Host], forms.ONE_OR_MORE] = []
    tenants: bool = False
    share: dict[forms.Host, typing.Annotated[list[str], forms.ONE_OR_MORE]] = {}


class DefaultEntry(yaml_entry.Entry):
    shape = "refuse, {site: HOST} or {redirect: URL}"
    site: forms.Host | None = None
    redirect: str | None = None
    status: int = 301


_JSON_LOG = (
    '{"time":"$time_iso8601","client":"$remote_addr","user":"$remote_user","host":"$host","method":"$request_method",'
    '"uri":"$request_uri","protocol":"$server_protocol","status":$status,"bytes":$body_bytes_sent,'
    '"request_time":$request_time,"upstream":"$upstream_addr","upstream_status":"$upstream_status",'
    '"upstream_response_time":"$upstream_response_time","referer":"$http_referer","user_agent":"$http_user_agent",'
    '"tls":"$ssl_protocol","request_id":"$request_id"}'
)
"""A line of the access log for programs."""


class LogsEntry(yaml_entry.Entry):
    access: bool | typing.Literal["stdout"] = True
    format: typing.Literal["text", "json"] = "text"
    max_size: forms.Size = model.Logs().max_bytes
    keep: int = model.Logs().keep

    def translate(self) -> model.Logs:
        stdout = None if "access" not in self.model_fields_set else self.access == "stdout"
        logs = model.Logs(access=self.access is not False, stdout=stdout, max_bytes=self.max_size, keep=self.keep)
        return dataclasses.replace(logs, format=_JSON_LOG, escape="json") if self.format == "json" else logs


class OldWorkersEntry(yaml_entry.Entry):
    generations: int = model.OldWorkers().generations
    memory: forms.Size = model.OldWorkers().memory_bytes
    wait: forms.Duration = model.OldWorkers().wait_s
    per_second: int = model.OldWorkers().sockets_per_s

    def translate(self) -> model.OldWorkers:
        return model.OldWorkers(
            generations=self.generations,
            memory_bytes=self.memory,
            wait_s=self.wait,
            sockets_per_s=self.per_second,
        )


class FileEntry(yaml_entry.Entry):
    """The top of the file. Sites are checked one by one, as `yaml_site.SITE`."""

    shape = f"a map with `sites`; {yaml_words.MINIMAL_FILE}"
    listen: typing.Annotated[ListenEntry, pydantic.BeforeValidator(_listen)] = ListenEntry()
    acme: yaml_acme.AcmeEntry = yaml_acme.AcmeEntry()
    alerts: yaml_alerts.AlertsEntry = yaml_alerts.AlertsEntry()
    docker: typing.Annotated[DockerEntry, pydantic.BeforeValidator(_docker)] = DockerEntry()
    compat: typing.Annotated[str, _only("none", "nginx-proxy", later="the words of other proxies")] = "none"
    default: typing.Annotated[DefaultEntry, pydantic.BeforeValidator(_default)] = DefaultEntry()
    trusted_proxies: list[str] = []
    proxy_headers: typing.Annotated[list[str], forms.ONE_OR_MORE] = [model.DEFAULT_HEADERS]
    logs: LogsEntry = LogsEntry()
    workers: typing.Annotated[int | None, pydantic.BeforeValidator(_workers)] = None
    old_workers: OldWorkersEntry = OldWorkersEntry()
    user: str | None = None
    nginx: str = ""
    sites: typing.Any = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _without_extensions(cls, value: object) -> object:
        """`x-` keys are the owner's own, for anchors, as in compose files."""
        if not isinstance(value, dict):
            return value
        return {key: one for key, one in value.items() if not (isinstance(key, str) and key.startswith("x-"))}

    def options(self) -> model.OptionValues:
        return catalogue.values(**self.given(catalogue.BY_NAME))


FILE: type[FileEntry] = catalogue.with_options("FileEntry", FileEntry, option.Level.GATE)
"""With the options."""
