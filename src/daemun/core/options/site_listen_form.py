"""`listen` of a site: ports of its own, at the gate's addresses."""

import dataclasses
import typing

import pydantic

from daemun.core import model
from daemun.core.options import forms
from daemun.core.texts import rules, words


def _port(value: object) -> object:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"expected a port such as 8443, found {words.describe(value)}")  # noqa: TRY004 pydantic's
    if (cause := rules.check_number(value, least=1, most=65535)) is not None:
        raise ValueError(f"port {cause}")
    return value


_Port = typing.Annotated[int, pydantic.BeforeValidator(_port), pydantic.WithJsonSchema({"type": "integer"})]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteListen(forms.OptionMap):
    """None: no port for that protocol."""

    shape: typing.ClassVar[str] = "a map such as {http: 8080, https: 8443}"
    meanings: typing.ClassVar[dict[str, str]] = {
        "http": "the port of plain HTTP; none",
        "https": "the port of HTTPS; none",
    }
    http: _Port | None = None
    https: _Port | None = None


def _parse(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(f"expected a map, found {words.describe(value)}; write `listen: {{https: {value}}}`")  # noqa: TRY004 pydantic
    return value


Form = typing.Annotated[SiteListen, pydantic.BeforeValidator(_parse)]


def find_cause(listen: SiteListen, tls: model.Tls, http: model.HttpMode | None) -> str | None:
    """What does not go together. http: as it is written, None: it is not."""
    has_tls = tls.mode is not model.TlsMode.OFF
    if listen.http is not None and listen.http == listen.https:
        return f"has {listen.http} for both; choose another port for one of them"
    if has_tls and listen.https is None:
        return "has no port for HTTPS; add one, such as `https: 8443`, or write `tls: off` in the site"
    if not has_tls and listen.https is not None:
        return "has a port for HTTPS, but tls is off; leave `https` out"
    if not has_tls and listen.http is None:
        return "has no port; add one, such as `http: 8080`"
    if listen.http is None and http in {model.HttpMode.REDIRECT, model.HttpMode.SERVE}:
        return f"has no port for plain HTTP, where `http: {http.value}` wants one; add one, such as `http: 8080`"
    return None
