"""`compat`: the tool whose users find everything as they know it."""

import typing

import pydantic

from daemun.core.options.option import Doc, Level, Option
from daemun.core.texts import words

_NONE, _NGINX_PROXY = "none", "nginx-proxy"


def _parse(value: object) -> object:
    if value is False or value in (_NONE, _NGINX_PROXY):
        return value == _NGINX_PROXY
    known = words.listed([_NONE, _NGINX_PROXY])
    raise ValueError(f"{words.describe(value)} is not in this version yet (the words of other proxies); write {known}")


OPTION = Option(
    name="compat",
    form=typing.Annotated[
        bool, pydantic.BeforeValidator(_parse), pydantic.WithJsonSchema({"enum": [_NONE, _NGINX_PROXY, False]})
    ],
    default=False,
    doc=Doc(
        kind="`none`, `nginx-proxy`",
        default="`none`",
        meaning="`nginx-proxy`: as nginx-proxy, see [nginx-proxy.md](nginx-proxy.md)",
    ),
    levels=frozenset({Level.GATE}),
    model_field="like_nginx_proxy",
)
