"""`verify`, `server_name`: how the certificate of an https, h2 or grpcs server is checked
(nginx.org/r/proxy_ssl_verify, nginx.org/r/proxy_ssl_name)."""

import collections.abc
import dataclasses
import typing

import pydantic

from daemun.core import model
from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, NamedFile, Option, Place, RouteAction
from daemun.core.texts import names, rules, words


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """is_on: False accepts any certificate. ca_file: absolute path of the trusted roots; None: the system's.

    ca_digest: of what ca_file holds, which nginx loads once; "": not looked at.
    """

    is_on: bool = True
    ca_file: str | None = None
    ca_digest: str = ""


_OFF = frozenset({"disabled", "insecure", "no", "none", "off", "optional", "skip"})
"""What other tools have for it, and YAML 1.1 for "false"; no path of a CA file."""


def _parse(value: object, info: pydantic.ValidationInfo) -> object:
    if isinstance(value, bool):
        return Verify(is_on=value)
    if isinstance(value, str) and value.lower() in _OFF:
        raise ValueError(f"expected true, false or the path of a CA file, found {words.describe(value)}; write false")
    if isinstance(value, str):
        return Verify(ca_file=forms.absolute(value, info))
    raise ValueError(f"expected true, false or the path of a CA file, found {words.describe(value)}")


Form = typing.Annotated[
    pydantic.InstanceOf[Verify],
    pydantic.BeforeValidator(_parse),
    pydantic.WithJsonSchema({"type": ["boolean", "string"]}),
]


def find_tls(proxy: model.Proxy) -> model.UpstreamTls:
    """How the certificates of these servers are checked."""
    verify = VERIFY.of(proxy)
    name = SERVER_NAME.of(proxy)
    return model.UpstreamTls(verify=verify.is_on, ca_file=verify.ca_file, ca_digest=verify.ca_digest, name=name)


def is_encrypted(proxy: model.Proxy) -> bool:
    return any(target.scheme.is_encrypted for target in proxy.targets)


def _check_verify(value: Verify, place: Place) -> None:
    if value.ca_file is not None:
        place.add_value(value.ca_file, rules.check_absolute(value.ca_file))
    if is_encrypted(place.proxy):
        place.add_beside(_find_name_cause(place.proxy, value), "to")
    elif value != Verify() and SERVER_NAME.of(place.proxy) is None:
        place.add("has no effect: no target is https, h2 or grpcs", severity=model.Severity.WARNING)


def _check_name(value: str | None, place: Place) -> None:
    if value is None:
        return
    if names.address_of(value) is not None:
        place.add(
            "is an IP address, and nginx compares names only; name one that the certificate carries, or write "
            "`verify: false` without it"
        )
        return
    place.add(rules.check_server(value))
    if not is_encrypted(place.proxy):
        place.add("has no effect: no target is https, h2 or grpcs", severity=model.Severity.WARNING)


def _find_name_cause(proxy: model.Proxy, verify: Verify) -> str | None:
    """nginx compares a server's certificate with one name for the whole route, and with names only (proxy_ssl_name)."""
    if SERVER_NAME.of(proxy) is not None:
        return None
    targets = [target for target in proxy.targets if target.scheme.is_encrypted]
    hosts = {target.host for target in targets}
    nameless = [target for target in targets if target.host is None or names.address_of(target.host)]
    if len(nameless) == len(targets):
        if not verify.is_on:
            return None
        shown = words.quoted(str(nameless[0]))
        cause = f"the certificate of {shown} cannot be verified, because nginx compares names only"
        return f"{cause}; set `server_name` to a name it carries, or `verify: false`"
    if len(hosts) > 1:
        return "the targets with TLS have several hosts; set `server_name`, the one name nginx asks for"
    return None


def _files(value: Verify) -> collections.abc.Iterator[NamedFile]:
    if value.ca_file is not None:
        yield NamedFile(path=value.ca_file)


def _with_digest(value: Verify, digest: collections.abc.Callable[[str], str]) -> Verify:
    return value if value.ca_file is None else dataclasses.replace(value, ca_digest=digest(value.ca_file))


VERIFY = Option(
    name="verify",
    form=Form,
    default=Verify(),
    doc=Doc(
        kind="true, false, path of a CA file",
        default="`true`",
        meaning="whether an https, h2 or grpcs server's certificate is checked, and against which roots",
    ),
    actions=frozenset({RouteAction.TO}),
    label=Label.VALUE,
    check=_check_verify,
    files=_files,
    digested=_with_digest,
)
SERVER_NAME = Option[str | None](
    name="server_name",
    form=forms.Host,
    default=None,
    doc=Doc(
        kind="host",
        default="the target's host",
        meaning="the name that certificate must carry; needed to verify a server with an IP address",
    ),
    actions=frozenset({RouteAction.TO}),
    label=Label.TEXT,
    check=_check_name,
)
