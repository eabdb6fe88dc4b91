"""`balance`: how requests are spread over the servers of a route
(nginx.org/en/docs/http/ngx_http_upstream_module.html)."""

import dataclasses
import enum
import re
import typing

import pydantic

from daemun.core import render_environment
from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Option, Place, RouteAction
from daemun.core.texts import rules, variable_rules, words


class Method(enum.Enum):
    ROUND_ROBIN = "round_robin"
    LEAST_CONN = "least_conn"
    IP_HASH = "ip_hash"
    HASH = "hash"
    RANDOM = "random"
    STICKY = "sticky"


_VARIABLE = re.compile(r"\$\{?[A-Za-z_]")
_WITHOUT_BACKUP = frozenset({Method.HASH, Method.IP_HASH, Method.RANDOM})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """key: for Method.HASH, text with the variables of `texts.names.VARIABLES`; else None."""

    method: Method = Method.ROUND_ROBIN
    key: str | None = None


def _parse(value: object) -> object:
    """ "hash $key" is a method and its key."""
    if isinstance(value, str) and value.split(maxsplit=1)[:1] == ["hash"]:
        return Balance(method=Method.HASH, key=value.removeprefix("hash").strip())
    known = [method.value for method in Method if method is not Method.HASH]
    if isinstance(value, str) and value in known:
        return Balance(method=Method(value))
    expected = words.listed([*known, '"hash $variable"'])
    raise ValueError(f"expected {expected}, found {words.describe(value)}{forms.hint(value, known)}")


_FORM = typing.Annotated[
    pydantic.InstanceOf[Balance],
    pydantic.BeforeValidator(_parse),
    pydantic.WithJsonSchema(
        {
            "anyOf": [
                {"enum": [method.value for method in Method if method is not Method.HASH]},
                {"type": "string", "pattern": r"^hash\s.*\$"},
            ]
        }
    ),
]


def _check(value: Balance, place: Place) -> None:
    if value.method is Method.HASH:
        key = value.key or ""
        cause = rules.check_text(key) or variable_rules.check_variables(key)
        if cause is None and not _VARIABLE.search(key):
            cause = 'needs a variable to tell requests apart, such as "hash $remote_addr"'
        place.add(cause)
    elif value.key is not None:
        place.add(f"a hash key has no meaning with {value.method.value}")
    if value.method in _WITHOUT_BACKUP and any(target.backup for target in place.proxy.targets):
        place.add(f"{value.method.value} cannot be used with a backup server (nginx refuses it)")


OPTION = Option(
    name="balance",
    form=_FORM,
    default=Balance(),
    doc=Doc(
        kind="`round_robin`, `least_conn`, `ip_hash`, `random`, `sticky`, `hash $variable`",
        default="`round_robin`",
        meaning="how requests are spread; `sticky`: by a cookie",
    ),
    actions=frozenset({RouteAction.TO}),
    label=Label.VALUE,
    check=_check,
    needs=lambda value: (render_environment.Feature.STICKY,) if value.method is Method.STICKY else (),
)
