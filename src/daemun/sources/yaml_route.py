"""What daemun.yaml may say of a route."""

import typing

import pydantic

from daemun.core import model, short_texts, words
from daemun.sources import yaml_entry, yaml_health, yaml_words

# --- short forms and words -------------------------------------------------------------------------------------


def _balance(value: object) -> object:
    """ "hash $key" is a method and its key."""
    if isinstance(value, str) and value.split(maxsplit=1)[:1] == ["hash"]:
        return (model.Balance.HASH, value.removeprefix("hash").strip())
    known = [method.value for method in model.Balance if method is not model.Balance.HASH]
    expected = words.listed([*known, '"hash $variable"'])
    if isinstance(value, str) and value in known:
        return (model.Balance(value), None)
    guess = yaml_entry.hint(value, known)
    found = words.describe(value)
    raise ValueError(f"expected {expected}, found {found}{guess}")


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


def _target(text: str) -> model.Target:
    """A whole line of a map of paths is no target, and its path no scheme."""
    if hint := yaml_words.hint_at_entry(text):
        raise ValueError(f"target {words.quoted(text)} starts with a path{hint}")
    return short_texts.parse_target(text)


def _timeout(value: object) -> object:
    return value if isinstance(value, dict) else {"read": value}


def _hold(value: object) -> object:
    return 0.0 if value is False or value == "off" else short_texts.parse_duration(value)


Headers = dict[str, typing.Annotated[str, pydantic.BeforeValidator(_header)]]


# --- maps ------------------------------------------------------------------------------------------------------


class TargetEntry(yaml_entry.OptionMap):
    """A target's text, or this map."""

    shape = 'a target such as "http://127.0.0.1:8000", or a map with its `url`'
    url: typing.Annotated[pydantic.InstanceOf[model.Target], pydantic.BeforeValidator(yaml_entry.text(_target))]
    weight: int = 1
    backup: bool = False
    down: bool = False
    max_fails: int = 1
    fail_timeout: yaml_entry.Duration = 10.0
    max_connections: int = 0

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
            max_fails=self.max_fails,
            fail_timeout_s=self.fail_timeout,
            max_connections=self.max_connections,
        )


class TimeoutEntry(yaml_entry.OptionMap):
    """A duration (`read`), or this map."""

    shape = "a duration or a map of them"
    connect: yaml_entry.Duration = model.Timeouts().connect_s
    read: yaml_entry.Duration = model.Timeouts().read_s
    send: yaml_entry.Duration = model.Timeouts().send_s
    body: yaml_entry.Duration = model.Timeouts().body_s
    idle: yaml_entry.Duration = model.Timeouts().idle_s
    keepalive: yaml_entry.Duration = model.Timeouts().keepalive_s

    def translate(self) -> model.Timeouts:
        return model.Timeouts(
            connect_s=self.connect,
            read_s=self.read,
            send_s=self.send,
            body_s=self.body,
            idle_s=self.idle,
            keepalive_s=self.keepalive,
        )


class RouteEntry(yaml_entry.OptionMap):
    """A target's text, or this map with one of `to`, `redirect`, `files`."""

    shape = 'a target such as "http://127.0.0.1:8000", or a map with `to`, `redirect` or `files`'
    to: typing.Annotated[list[TargetEntry], yaml_entry.ONE_OR_MORE] | None = None
    balance: typing.Annotated[tuple[model.Balance, str | None], pydantic.BeforeValidator(_balance)] = (
        model.Balance.ROUND_ROBIN,
        None,
    )
    verify: typing.Annotated[bool | str, pydantic.BeforeValidator(_verify)] = True
    server_name: yaml_entry.Host | None = None
    timeout: typing.Annotated[TimeoutEntry, pydantic.BeforeValidator(_timeout)] = TimeoutEntry()
    retries: int = 2
    buffering: bool | None = None
    keepalive: int | None = None
    translate: bool = True
    host_header: str | None = None
    root: str = "/var/www/html"
    index: str = "index.php"
    health: yaml_health.Health = None
    hold: typing.Annotated[float, pydantic.BeforeValidator(_hold)] = 30.0
    redirect: str | None = None
    status: int = 301
    files: str | None = None
    spa: bool = False
    listing: bool = False
    compress: yaml_entry.Compress | None = None
    max_body: yaml_entry.Size = model.USUAL_MAX_BODY_BYTES
    request_headers: Headers = {}
    response_headers: Headers = {}
    nginx: str = ""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        return {"to": value} if isinstance(value, str) else value

    def to_proxy(self, *, targets: tuple[model.Target, ...], tls: model.UpstreamTls) -> model.Proxy:
        """A route to these servers with the options of the entry."""
        balance, hash_key = self.balance
        return model.Proxy(
            targets=targets,
            balance=balance,
            hash_key=hash_key,
            tls=tls,
            timeouts=self.timeout.translate(),
            retries=self.retries,
            buffering=self.buffering,
            host_header=self.host_header,
            document_root=self.root,
            index=self.index,
            health=self.health.translate() if self.health is not None else None,
            hold_s=self.hold,
            keepalive=self.keepalive,
            translate=self.translate,
        )


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
            "translate",
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
