"""`access.rate_limit`: how many requests may come in a time (nginx.org/en/docs/http/ngx_http_limit_req_module.html)."""

import dataclasses
import re
import typing

import pydantic

from daemun.core.options import forms
from daemun.core.options.option import Place
from daemun.core.texts import header_rules, rules, words

_RATE = re.compile(r"([0-9]{1,9})\s*/\s*([smh])\Z")
_MEANT = re.compile(
    r"([0-9]{1,9})\s*(?:r(?:eq(?:uests?)?)?)?(?:\s*(?:/|per|an?)?\s*(s|sec|seconds?|m|min|minutes?|h|hours?))?\Z",
    re.IGNORECASE,
)
"""nginx's 10r/s, "100 per minute"."""
_BY_HEADER = re.compile(r"header\s+(\S+)\Z")
MOST_AT_ONCE = 1_000_000
_PERIODS_S = {"s": 1, "m": 60, "h": 3600}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many requests in so many seconds."""

    requests: int
    period_s: int

    def __str__(self) -> str:
        unit = next(unit for unit, period_s in _PERIODS_S.items() if period_s == self.period_s)
        return f"{self.requests}/{unit}"


def _parse_rate(value: object) -> object:
    match = _RATE.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        meant = None if isinstance(value, bool) else _MEANT.match(str(value).strip())
        period = "s" if meant is None else (meant[2] or "s")[0].lower()
        raise ValueError(
            f"expected a rate such as 10/s or 300/m, found {words.describe(value)}"
            f"{f'; write {meant[1]}/{period}' if meant is not None else ''}"
        )
    return Rate(requests=int(match[1]), period_s=_PERIODS_S[match[2]])


_RATE_FORM: forms.Json = {"type": "string", "pattern": r"^\s*[0-9]{1,9}\s*/\s*[smh]\s*$"}
_Rate = typing.Annotated[
    pydantic.InstanceOf[Rate],
    pydantic.BeforeValidator(_parse_rate),
    pydantic.WithJsonSchema(_RATE_FORM),
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit(forms.OptionMap):
    """burst: how many may come at once; None: as many as the rate has. by: what is counted together."""

    shape: typing.ClassVar[str] = "a rate such as 10/s, or a map"
    texts: typing.ClassVar[frozenset[str]] = frozenset({"rate", "by"})
    meanings: typing.ClassVar[dict[str, str]] = {
        "rate": "how many requests in a second, minute or hour: 10/s, 300/m",
        "burst": "how many may come at once; as many as the rate has",
        "by": "what is counted together: address (of IPv6 the first 64 bits), user (as whom a visitor came in), "
        "or header NAME; address",
    }
    rate: _Rate
    burst: forms.Number | None = None
    by: forms.Text = "address"

    @property
    def is_by_user(self) -> bool:
        return self.by == "user"

    @property
    def header(self) -> str | None:
        """The header that is counted by, in small letters; None: the address."""
        match = _BY_HEADER.match(self.by)
        return None if match is None else match[1].lower()


def _parse_limit(value: object) -> object:
    return value if isinstance(value, dict) else {"rate": value}


Form = typing.Annotated[RateLimit, pydantic.BeforeValidator(_parse_limit), forms.Also(_RATE_FORM)]


def check(limit: RateLimit, place: Place) -> None:
    place.add(rules.check_number(limit.rate.requests, least=1, most=MOST_AT_ONCE), "rate")
    requests, in_minutes = limit.rate.requests, limit.rate.requests // 60
    if limit.rate.period_s == _PERIODS_S["h"] and requests < 60:
        place.add("is less than one in a minute, which nginx cannot count; write 1/m", "rate")
    elif limit.rate.period_s == _PERIODS_S["h"] and requests % 60:
        cause = "is no whole number of requests in a minute, which nginx counts"
        place.add(f"{cause}; write {in_minutes}/m ({in_minutes * 60}/h) or {in_minutes + 1}/m", "rate")
    if limit.burst is not None:
        place.add(rules.check_number(limit.burst, least=1, most=MOST_AT_ONCE), "burst")
    if limit.by in {"address", "user"}:
        return
    if limit.header is None:
        place.add_value(limit.by, 'is not known; expected address, user or "header NAME"', "by")
    else:
        place.add(header_rules.check_header_name(limit.header, request=True), "by")
