"""`access.countries`: networks by what a database file has of them (maxmind.github.io/MaxMind-DB).

The networks are part of the value: whoever reads the file fills them in (`sources.country_networks`), and while they
are not there, nobody comes in.
"""

import collections.abc
import dataclasses
import re
import typing

import pydantic

from daemun.core.options import forms, option

PRIVATE = "private"
_CODE = re.compile(r"[A-Z]{2}\Z|AS[0-9]{1,10}\Z")
_MEANT = {"UK": "GB", "EN": "GB", "EU": "the countries that are meant, one by one"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoundNetworks:
    """digest: of the others; two with the same digest are equal. missing: what was looked for and is nowhere in the
    database."""

    digest: str
    networks: tuple[str, ...] = dataclasses.field(compare=False, repr=False)
    missing: tuple[str, ...] = dataclasses.field(default=(), compare=False)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CountryDatabase:
    """path: absolute. found: the networks of what is named beside it; None: not read."""

    path: str
    found: FoundNetworks | None = None


def _database(value: object, info: pydantic.ValidationInfo) -> object:
    if isinstance(value, str) and value:
        return CountryDatabase(path=forms.absolute(value, info))
    raise ValueError("expected the path of a database file, such as /var/lib/GeoIP/GeoLite2-Country.mmdb")


def _codes(value: object) -> object:
    """Norway may be read as false."""
    listed = value if isinstance(value, list | tuple) else [value]
    return ["NO" if one is False else one.strip().upper() if _is_code(one) else one for one in listed]


def _is_code(value: object) -> typing.TypeGuard[str]:
    return isinstance(value, str) and value != PRIVATE


Database = typing.Annotated[
    pydantic.InstanceOf[CountryDatabase],
    pydantic.BeforeValidator(_database),
    pydantic.WithJsonSchema(forms.TEXT),
]
Codes = typing.Annotated[
    tuple[forms.Text, ...],
    pydantic.Strict(strict=False),
    pydantic.BeforeValidator(_codes),
    forms.Also(forms.TEXT),
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Countries(forms.OptionMap):
    """One of allow and deny."""

    meanings: typing.ClassVar[dict[str, str]] = {
        "database": "a .mmdb file: GeoLite2, DB-IP, IPinfo; read again when it changes",
        "allow": "countries (KR) and autonomous systems (AS15169) that are let in, and private; all others get 403",
        "deny": "those that get 403",
    }
    database: Database
    allow: Codes = ()
    deny: Codes = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """What is looked for in the database."""
        return tuple(dict.fromkeys(one for one in (*self.allow, *self.deny) if one != PRIVATE))


Form = typing.Annotated[tuple[Countries, ...], pydantic.Strict(strict=False), forms.ONE_OR_MORE]


def check(value: Countries, place: option.Place) -> None:
    if bool(value.allow) is bool(value.deny):
        place.add("needs one of allow and deny")
    if PRIVATE in value.deny:
        place.add("cannot hold private: what no database knows passes; deny it beside countries", "deny")
    for key in ("allow", "deny"):
        check_codes(getattr(value, key), place, key, also=PRIVATE)


def check_codes(codes: tuple[str, ...], place: option.Place, *below: str, also: str | None = None) -> None:
    """also: what may stand there besides."""
    expected = "expected a country (KR)" + (
        " or an autonomous system (AS15169)" if also is None else f", an autonomous system (AS15169) or {also}"
    )
    for index, code in enumerate(codes):
        if code in _MEANT:
            place.add_value(code, f"is no country of ISO 3166; write {_MEANT[code]}", *below, index)
        elif code != also and not _CODE.match(code):
            place.add_value(code, f"is not known; {expected}", *below, index)


def files(value: collections.abc.Iterable[Countries]) -> collections.abc.Iterator[option.NamedFile]:
    for index, one in enumerate(value):
        yield option.NamedFile(
            path=one.database.path,
            below=("countries", index, "database"),
            is_watched=True,
            until="what was read of it last goes on, and where nothing was, nobody comes in",
        )
