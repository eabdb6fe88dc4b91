r"""The form of a log's lines, read from nginx's `log_format`, and what a line of that form holds.

Whoever sends a request chooses most of its line. nginx writes a quote, a backslash and all that is not printable ASCII
as `\xNN` (`escape=default`), or as JSON does (`escape=json`), so a quoted value ends at the next quote, and never
earlier. A value without quotes ends where what follows it in the form comes first; nothing is tried twice, so that a
line costs what it is long, whatever it holds.
Source: nginx.org/en/docs/http/ngx_http_log_module.html#log_format
"""

import collections.abc
import dataclasses
import json
import re
import typing

LONGEST_LINE_BYTES = 1 << 16
"""A longer line has no values. Four headers of 8 kB make one of 33,000 bytes, each byte written as four if it is not
ASCII."""

_FIELDS = {
    "remote_addr": "client",
    "remote_user": "user",
    "time_local": "time",
    "time_iso8601": "time",
    "msec": "time",
    "request": "request",
    "request_method": "method",
    "request_uri": "uri",
    "server_protocol": "protocol",
    "status": "status",
    "body_bytes_sent": "bytes",
    "bytes_sent": "bytes",
    "http_referer": "referer",
    "http_user_agent": "user_agent",
    "host": "host",
    "http_host": "host",
    "upstream_addr": "upstream",
    "upstream_status": "upstream_status",
    "request_time": "request_time",
    "upstream_response_time": "upstream_response_time",
    "ssl_protocol": "tls",
    "request_id": "request_id",
    "daemun_request_id": "request_id",
}
"""Variables of nginx, and the field that each fills."""

_NUMBER = rb"[0-9]{1,20}"
_STRICT = {
    "time_local": rb"[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}",
    "time_iso8601": rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2}",
    "msec": rb"[0-9]{1,12}\.[0-9]{3}",
    "status": rb"[0-9]{3}",
    "body_bytes_sent": _NUMBER,
    "bytes_sent": _NUMBER,
    "request_time": rb"[0-9]{1,12}\.[0-9]{3}",
    "remote_addr": rb"(?:[0-9A-Fa-f.:]{2,45}|unix:)",
}
"""What nginx itself makes, so that nothing in a request can look like its end."""

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_ESCAPED = re.compile(rb"\\x([0-9A-Fa-f]{2})")
_QUOTED = {"default": rb'[^"]*+', "json": rb'(?:[^"\\]|\\.)*+'}
_LOG_FORMAT = re.compile(
    r'^\s*log_format\s+(?P<name>\S+)\s+(?:escape=(?P<escape>\w+)\s+)?"(?P<text>(?:[^"\\]|\\.)*+)";', re.MULTILINE
)
_UNQUOTED = re.compile(r"\\(.)")
_CONTROLS = {"t": "\t", "r": "\r", "n": "\n"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LineForm:
    """pattern: of a whole line, with a group for each of `fields`. plain: the same, for a line in which nothing is
    escaped, as most are: it is read in a third of the time. escape: how nginx writes what is not plain text."""

    pattern: re.Pattern[bytes]
    plain: re.Pattern[str]
    fields: frozenset[str]
    escape: str

    def read(self, line: bytes) -> dict[str, str | None] | None:
        """The values by their fields; None for one that the request did not have. None: a line of another form."""
        if len(line) > LONGEST_LINE_BYTES:
            return None
        empty = self._empty
        if _is_plain(line):
            plain = self.plain.fullmatch(line.decode("ascii"))
            if plain is None:
                return None
            return {name: None if value in empty else value for name, value in plain.groupdict().items()}
        found = self.pattern.fullmatch(line)
        if found is None:
            return None
        return {name: _decode(value, self.escape) for name, value in found.groupdict().items()}

    @property
    def _empty(self) -> tuple[str, ...]:
        """What nginx writes for a value that is not there."""
        return ("",) if self.escape == "json" else ("-", "")


def make_form(log_format: str, escape: str = "default") -> LineForm:
    """log_format: its text, with nginx's variables. escape: one of ESCAPES."""
    # Without what made it unlike an id: both together name the request.
    text = log_format.replace("$connection-$connection_requests", "$request_id")
    pieces = _VARIABLE.split(text)
    literals = [piece.encode() for piece in pieces[0::3]]
    names = [braced or bare for braced, bare in zip(pieces[1::3], pieces[2::3], strict=True)]
    fields: set[str] = set()
    pattern = re.escape(literals[0])
    is_open = False
    for at, name in enumerate(names):
        before, after = literals[at], literals[at + 1]
        if escape in _QUOTED and before.endswith(b'"') and after.startswith(b'"'):
            value = _QUOTED[escape]
        elif name in _STRICT:
            value = _STRICT[name]
        else:
            pattern += b")" if is_open else b""
            is_last = at == len(names) - 1 and not after
            value, is_open = (b".*" if is_last else b".*?"), True
            pattern += b"(?>"
        pattern += _group(name, value, fields) + re.escape(after)
        if is_open and b'"' in after and escape in _QUOTED:  # no value holds one, so this place is right
            pattern, is_open = pattern + b")", False
    pattern += b")" if is_open else b""
    return LineForm(
        pattern=re.compile(pattern, re.DOTALL),
        plain=re.compile(pattern.decode("utf-8"), re.DOTALL),
        fields=frozenset(fields),
        escape=escape,
    )


def find_form(nginx_conf: str, name: str) -> LineForm | None:
    """The `log_format` of that name, as daemun writes it. None: the file has none."""
    for found in _LOG_FORMAT.finditer(nginx_conf):
        if found["name"] == name:
            text = _UNQUOTED.sub(lambda each: _CONTROLS.get(each[1], each[1]), found["text"])
            return make_form(text, found["escape"] or "default")
    return None


def _group(name: str, value: bytes, fields: set[str]) -> bytes:
    field = _FIELDS.get(name)
    if field is None or field in fields:
        return b"(?:" + value + b")"
    fields.add(field)
    return b"(?P<" + field.encode() + b">" + value + b")"


def _is_plain(line: bytes) -> bool:
    return line.isascii() and b"\\" not in line


def _decode(value: bytes | None, escape: str) -> str | None:
    if value is None or value == (b"" if escape == "json" else b"-") or not value:
        return None
    if b"\\" not in value:
        return value.decode("utf-8", "replace")
    if escape == "json":
        return _from_json(value.decode("utf-8", "replace"))
    if escape == "default":
        value = _ESCAPED.sub(lambda found: bytes((int(found[1], 16),)), value)
    return value.decode("utf-8", "replace")


def _from_json(text: str) -> str:
    try:
        value: typing.Any = json.loads(f'"{text}"', strict=False)
    except ValueError:
        return text
    return str(value)


def make_forms(formats: collections.abc.Iterable[str]) -> tuple[LineForm, ...]:
    """Of lines that begin with a brace, JSON; else text."""
    return tuple(make_form(each, "json" if each.startswith("{") else "default") for each in formats)
