"""Labels of a container become requests for streams: `daemun.stream.NAME.listen` and the like. Pure.

The words are those of `streams` in daemun.yaml. What names a file or a socket of the machine, or a host name that would
be looked up for ever, is no label.
"""

import collections.abc
import dataclasses
import functools
import re
import typing

import pydantic

from daemun.core import model, problem_report
from daemun.core.options import access_option, option, stream_forms, streams_option, upstream_tls_options
from daemun.core.texts import words
from daemun.sources import yaml_words
from daemun.sources.docker import label_options, route_requests

PREFIX = "stream"
KEYS = (
    "allow",
    "balance",
    "connections",
    "deny",
    "hosts",
    "listen",
    "port",
    "proxy_protocol",
    "responses",
    "scheme",
    "server_name",
    "timeout",
    "timeout.connect",
    "timeout.idle",
    "tls",
    "verify",
    "weight",
)
FILE_ONLY = frozenset({"to", "enabled"})
MOST = 20
"""Per container."""
MOST_ADDRESSES = 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
_LISTS = frozenset({"listen", "hosts"})
_TEXTS = frozenset({"allow", "deny", "tls", "server_name", "balance"})
_OF_CONTAINER = frozenset({"port", "scheme", "weight"})


@functools.cache
def _form() -> pydantic.TypeAdapter[stream_forms.Stream]:
    """Made for the first stream of a container."""
    return pydantic.TypeAdapter(stream_forms.Stream)


class StreamLabelError(ValueError):
    """The text names the label, what was found and what was expected."""


class _KeyError(ValueError):
    """key: what of one stream it is about. The text has what is wrong with it."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def read_streams(given: collections.abc.Mapping[str, str], *, prefix: str) -> tuple[route_requests.StreamRequest, ...]:
    """given: labels without what all begin with. prefix: what that is. Raises: StreamLabelError."""
    by_name: dict[str, dict[str, str]] = {}
    for path, value in sorted(given.items()):
        name, dot, key = path.partition(".")
        label = f"label {words.quoted(prefix + path)}"
        if not dot or not _NAME.match(name):
            raise StreamLabelError(
                f"{label}: expected {words.quoted(f'{prefix}NAME.listen')} and the like, where NAME is 1 to 64 of "
                "A-Z, a-z, 0-9, _ and -"
            )
        if key in FILE_ONLY:
            raise StreamLabelError(
                f"{label} is not for labels, because it could reach beyond its container; use daemun.yaml"
            )
        if key not in KEYS:
            raise StreamLabelError(f"{label} is unknown: expected {words.listed(KEYS)}{words.guess(key, KEYS)}")
        by_name.setdefault(name, {})[key] = value.strip()
    if len(by_name) > MOST:
        raise StreamLabelError(f"it requests {len(by_name)} streams; at most {MOST} are allowed")
    return tuple(_read(name, values, f"{prefix}{name}.") for name, values in by_name.items())


def _read(name: str, values: collections.abc.Mapping[str, str], prefix: str) -> route_requests.StreamRequest:
    try:
        return _read_one(name, values)
    except _KeyError as error:
        raise StreamLabelError(f"label {words.quoted(prefix + error.key)}: {error}") from error


def _read_one(name: str, values: collections.abc.Mapping[str, str]) -> route_requests.StreamRequest:
    """Raises: _KeyError."""
    if "listen" not in values:
        raise _KeyError("listen", "is missing: no port says where the stream comes in")
    port, weight = _number(values, "port"), _number(values, "weight")
    stream = _make(values, _protocol(values))
    for key in ("allow", "deny"):
        found = next(filter(access_option.is_name, getattr(stream, key)), None)
        if found is not None:
            raise _KeyError(key, f"holds the host name {words.quoted(found)}, which stands in daemun.yaml alone")
    if stream.certificate_host is not None and stream.certificate_host.startswith("*."):
        # At a port of its own, its certificate would stand for every site below it.
        raise _KeyError("tls", f"expected one host, found the wildcard {words.quoted(stream.certificate_host)}")
    request = route_requests.StreamRequest(name=name, stream=stream, port=port, weight=weight or 1)
    for problem in _find_faults(request):
        key = ".".join(str(step) for step in problem.field[2:] if isinstance(step, str))
        cause = problem.message.partition(": ")[2] or problem.message
        raise _KeyError("scheme" if key.startswith("to") else key or "listen", cause)
    return request


def _make(values: collections.abc.Mapping[str, str], protocol: stream_forms.StreamProtocol) -> stream_forms.Stream:
    """Raises: _KeyError."""
    if "timeout" in values and any(key.startswith("timeout.") for key in values):
        raise _KeyError("timeout", "stands beside a part of it; use one of the two forms")
    written = _written(values)
    for key in _LISTS & written.keys():
        if len(written[key]) > MOST_ADDRESSES:
            raise _KeyError(key, f"has {len(written[key])} entries; at most {MOST_ADDRESSES} are allowed")
    verify = written.get("verify", False)
    if not isinstance(verify, bool):
        raise _KeyError("verify", f"expected true or false, found {words.describe(verify)}")
    if verify and "server_name" not in values:
        raise _KeyError("verify", "needs server_name, the name that the container's certificate carries")
    target = stream_forms.StreamTarget(protocol=protocol, pool="")
    try:
        read = _form().validate_python({**written, "to": "tcp://container:1"})
    except pydantic.ValidationError as error:
        detail = error.errors(include_url=False)[0]
    else:
        stream = dataclasses.replace(read, to=(stream_forms.Server(url=target),))
        if "verify" in values or not stream.is_encrypted:
            return stream
        # A container is reached by its address, which no certificate carries.
        default = upstream_tls_options.Verify(is_on=stream.server_name is not None)
        return dataclasses.replace(stream, verify=default)
    steps = [step for step in detail["loc"] if isinstance(step, str)]
    key = ".".join(steps) if ".".join(steps) in values else steps[0]
    shape = stream_forms.Stream.shape
    raise _KeyError(key, yaml_words.translate(detail, "value", shape=shape).removeprefix("value: "))


def _protocol(values: collections.abc.Mapping[str, str]) -> stream_forms.StreamProtocol:
    known = [one.value for one in stream_forms.StreamProtocol]
    scheme = values.get("scheme", stream_forms.StreamProtocol.TCP.value)
    if scheme not in known:
        expected = f"expected {words.listed(known)}, found {words.describe(scheme)}"
        raise _KeyError("scheme", f"{expected}{words.guess(scheme, known)}")
    return stream_forms.StreamProtocol(scheme)


def _written(values: collections.abc.Mapping[str, str]) -> dict[str, typing.Any]:
    written: dict[str, typing.Any] = {}
    for key, text in values.items():
        if key in _OF_CONTAINER:
            continue
        option_name, dot, part = key.partition(".")
        if dot:
            written.setdefault(option_name, {})[part] = text
        elif key in _LISTS:
            written[key] = [one.strip() for one in text.split(",") if one.strip()]
        else:
            written[key] = text if key in _TEXTS else label_options.scalar(text)
    return written


def _number(values: collections.abc.Mapping[str, str], key: str) -> int | None:
    text = values.get(key)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise _KeyError(key, f"expected a number from 1 to 65535, found {words.describe(text)}")
    return int(text)


def _find_faults(request: route_requests.StreamRequest) -> collections.abc.Iterator[model.Problem]:
    """By the rules for the streams of the file."""
    report = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
    named = streams_option.NamedStream(name=request.name, stream=request.stream)
    check = streams_option.OPTION.check
    assert check is not None
    check((named,), option.Place(report=report, field=(streams_option.OPTION.name,)))
    yield from (one for one in report.problems if one.severity is model.Severity.ERROR)
