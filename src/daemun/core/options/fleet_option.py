"""`fleet`: what this machine shares with others that serve the same, and by which database."""

import collections.abc
import dataclasses
import re
import typing

import pydantic

from daemun.core import model, validate_dns
from daemun.core.options import forms, ordering_forms
from daemun.core.options.option import Doc, Level, NamedFile, Option, Place
from daemun.core.texts import names, rules

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
"""As a part of keys of the store."""
_DATABASE = re.compile(r"postgres(?:ql)?://\S+")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FleetDns:
    """Records of names with the addresses of all machines that live. made_by: who makes them. addresses: of this
    machine, for visitors; (): what its interfaces have that everybody can reach."""

    names: tuple[str, ...]
    made_by: model.Dns
    addresses: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _WrittenDns(ordering_forms.WrittenDns):
    shape: typing.ClassVar[str] = "a map with `names` and the `provider` of their zone"
    meanings: typing.ClassVar[dict[str, str]] = {
        "names": "names whose A and AAAA records are the addresses of the machines that live",
        "addresses": "of this machine, for visitors; those of its interfaces that everybody can reach",
        "provider": ordering_forms.WrittenDns.meanings["provider"],
        "command": ordering_forms.WrittenDns.meanings["command"],
        "wait": ordering_forms.WrittenDns.meanings["wait"],
    }
    names: forms.Hosts
    addresses: typing.Annotated[tuple[forms.Text, ...], pydantic.Strict(strict=False), forms.ONE_OR_MORE] = ()


def _make_dns(written: _WrittenDns) -> FleetDns:
    return FleetDns(names=written.names, addresses=written.addresses, made_by=ordering_forms.make_dns(written))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fleet(forms.OptionMap):
    """database: a URL, with its password. key: absolute path of the file with the fleet's key. name: of this machine
    among them; None: its host name. dns: None: no records are made."""

    shape: typing.ClassVar[str] = "a map such as {database: {file: database.url}, key: fleet.key}"
    meanings: typing.ClassVar[dict[str, str]] = {
        "database": "the URL of the PostgreSQL database, postgresql://USER:PASSWORD@HOST,HOST/DATABASE",
        "key": "the file with the key that encrypts what the database has; `daemun fleet init` makes it",
        "name": "of this machine among them; its host name",
        "dns": "names in DNS that follow the machines that live",
    }
    database: forms.Secret
    key: forms.File
    name: forms.Text | None = None
    dns: typing.Annotated[_WrittenDns, forms.FurtherKeys("options"), pydantic.AfterValidator(_make_dns)] | None = None

    @property
    def records(self) -> FleetDns | None:
        """`dns` as its form reads it."""
        return typing.cast(FleetDns | None, self.dns)


def check_name(name: str) -> str | None:
    if _NAME.fullmatch(name):
        return None
    return "is no name of a machine; expected 1 to 63 of a-z, 0-9, `.`, `_` and `-`, such as web-1"


def check_address(text: str) -> str | None:
    if not names.is_address_for_visitors(text):
        return "is no address by which visitors reach a machine; expected one such as 203.0.113.7 or 2001:db8::7"
    return None


def check_database(url: str) -> str | None:
    """The message leaves the URL out: it has a password."""
    if not _DATABASE.fullmatch(url):
        return "expected a URL such as postgresql://daemun:PASSWORD@db.lan/daemun"
    # libpq takes what stands behind the first "@", or "/", for the host: the errors of that would name the wrong cause.
    server, _, rest = url.partition("://")[2].partition("/")
    host = server.partition("@")[2]
    if "@" in host.partition("?")[0] or "@" in rest.partition("?")[0]:
        return (
            "its password has a sign that ends it; write signs other than letters, digits, `-`, `.`, `_` and `~` as "
            "%XX: `@` is %40, `/` %2F, `:` %3A, `%` %25, `?` %3F, `#` %23"
        )
    return None


def _check(value: Fleet | None, place: Place) -> None:
    if value is None:
        return
    if value.database.text is not None:
        place.add(check_database(value.database.text), "database")
    if value.name is not None:
        place.add_value(value.name, check_name(value.name), "name")
    if value.records is not None:
        if not value.records.names:
            place.add("is empty; expected at least one name", "dns", "names")
        for index, name in enumerate(value.records.names):
            place.add_value(name, rules.check_host(name), "dns", "names", index)
        for index, address in enumerate(value.records.addresses):
            place.add_value(address, check_address(address), "dns", "addresses", index)
        validate_dns.check_dns(value.records.made_by, place.report, *place.field, "dns")


def _find_files(value: Fleet | None) -> collections.abc.Iterator[NamedFile]:
    if value is not None:
        until = "this machine serves by what it knew of its fleet, and changes nothing of it"
        yield NamedFile(path=value.key, below=("key",), is_private_key=True, until=until)


OPTION = Option[Fleet | None](
    name="fleet",
    form=Fleet | None,
    default=None,
    doc=Doc(
        kind="`{database, key, name, dns: {names, addresses, provider, command, wait}}`; the database a secret",
        default="none; `name`: the host name",
        meaning="certificates, users, tokens and all else that is kept, shared with other machines that serve the same,"
        " in a PostgreSQL database, see [Several machines](#several-machines); a change waits for `daemun stop"
        " --keep-traffic` and `daemun up`",
    ),
    levels=frozenset({Level.GATE}),
    check=_check,
    files=_find_files,
)
"""None: this machine is alone."""
