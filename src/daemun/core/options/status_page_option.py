"""`status_page`: a public page with the uptime of chosen sites, as files that nginx serves."""

import dataclasses
import enum
import typing

import pydantic

from daemun.core import model
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option, Place
from daemun.core.texts import names, rules, words

ORIGIN = model.Origin(source="status_page")
"""Of the site that daemun makes of it (`core.access.status_site`)."""
ALL = "all"
MOST_SITES = 200
"""What a page can hold, and a reader look through."""
MOST_DAYS = 90
_LONGEST_NAME, _LONGEST_NOTICE = 100, 1000
_EXAMPLE = "{host: status.example.com, sites: [app.example.com]}"


class Language(enum.Enum):
    """AUTO: that of the visitor's browser."""

    AUTO = "auto"
    ENGLISH = "en"
    KOREAN = "ko"


def _one_site(value: object) -> object:
    return {"host": value} if isinstance(value, str) else value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShownSite(forms.OptionMap):
    """name: what visitors see of it; None: its host."""

    shape: typing.ClassVar[str] = "the host of a site, or {host, name}"
    meanings: typing.ClassVar[dict[str, str]] = {"host": "of a site", "name": "what the page calls it; its host"}
    host: forms.Host
    name: forms.Text | None = None

    @property
    def shown(self) -> str:
        return self.name or self.host


_Site = typing.Annotated[ShownSite, pydantic.BeforeValidator(_one_site), forms.Also(forms.TEXT)]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShownEntry(forms.OptionMap):
    """A site, or a group of sites with a title."""

    shape: typing.ClassVar[str] = "the host of a site, {host, name}, or {title, sites}"
    meanings: typing.ClassVar[dict[str, str]] = {
        "host": "of a site",
        "name": "what the page calls the site; its host",
        "title": "of a group of sites",
        "sites": "of the group",
    }
    host: forms.Host | None = None
    name: forms.Text | None = None
    title: forms.Text | None = None
    sites: typing.Annotated[tuple[_Site, ...], pydantic.Strict(strict=False), forms.ONE_OR_MORE] = ()

    @property
    def listed(self) -> tuple[ShownSite, ...]:
        return self.sites if self.host is None else (ShownSite(host=self.host, name=self.name),)


def _every(value: object) -> object:
    return () if value == ALL else value


_Entries = typing.Annotated[
    tuple[typing.Annotated[ShownEntry, pydantic.BeforeValidator(_one_site), forms.Also(forms.TEXT)], ...],
    pydantic.Strict(strict=False),
    forms.ONE_OR_MORE,
    pydantic.BeforeValidator(_every),
    forms.Also(forms.is_(ALL)),
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage(forms.OptionMap):
    """title: None: the page's own words. sites: empty: all of the gate. notice: what its owner wants visitors to
    know."""

    shape: typing.ClassVar[str] = f"a map such as {_EXAMPLE}"
    meanings: typing.ClassVar[dict[str, str]] = {
        "host": "the page's own host",
        "title": "the page's title; Status",
        "sites": "hosts of sites, {host, name} for another name, {title, sites} for a group; or all",
        "days": "so many are shown; 90",
        "language": "auto (the visitor's), en or ko; auto",
        "notice": "what visitors are to know, such as when maintenance is planned; nothing",
    }
    host: forms.Host
    sites: _Entries
    title: forms.Text | None = None
    days: forms.Number = MOST_DAYS
    language: typing.Annotated[Language, forms.choice(Language)] = Language.AUTO
    notice: forms.Text | None = None


def _parse(value: object) -> object:
    if value is False or value == "off":
        return None
    if not isinstance(value, dict):
        raise ValueError(f"expected {StatusPage.shape}, found {words.describe(value)}")  # noqa: TRY004 pydantic's
    return value


def _check(value: StatusPage | None, place: Place) -> None:
    if value is None:
        return
    cause = rules.check_host(value.host)
    if cause is None and ("*" in value.host or names.address_of(value.host) is not None):
        cause = "is not one name, which the status page needs"
    place.add_value(value.host, cause, "host")
    if any(value.host in site.names for site in place.sites if site.origin != ORIGIN):
        place.add(f"{words.quoted(value.host)} is a site already; the status page needs a name of its own", "host")
    place.add(rules.check_number(value.days, least=1, most=MOST_DAYS), "days")
    _check_text(value.title, place, "title")
    _check_text(value.notice, place, "notice", most=_LONGEST_NOTICE)
    for index, entry in enumerate(value.sites):
        _check_entry(entry, place.below("sites").below(index))
    listed = [one.host for entry in value.sites for one in entry.listed]
    twice = sorted({host for host in listed if listed.count(host) > 1}) if len(listed) <= MOST_SITES else ()
    for host in twice:
        place.add(f"{words.quoted(host)} is there twice; leave one out", "sites")
    if len(listed) > MOST_SITES:
        place.add(f"has {len(listed)} sites; expected {MOST_SITES} at most", "sites")


def _check_entry(entry: ShownEntry, place: Place) -> None:
    if (entry.host is None) == (entry.title is None) or (entry.host is not None and entry.sites):
        place.add(f"expected {ShownEntry.shape}: either `host`, or `title` with `sites`")
    if entry.host is None and not entry.sites:
        place.add("has no sites; add `sites`, or leave the group out")
    if entry.title is not None and entry.name is not None:
        place.add("is for a site; a group has a `title`", "name")
    _check_text(entry.title, place, "title")
    for one in entry.listed:
        place.add_value(one.host, rules.check_host(one.host), "host")
        _check_text(one.name, place, "name")


def _check_text(text: str | None, place: Place, *below: str, most: int = _LONGEST_NAME) -> None:
    if text is None:
        return
    place.add(rules.check_text(text), *below)
    if not text.strip():
        place.add("is empty; write something, or leave it out", *below)
    if len(text) > most:
        place.add(f"has {len(text)} characters; expected {most} at most", *below)


OPTION = Option[StatusPage | None](
    name="status_page",
    form=typing.Annotated[StatusPage | None, pydantic.BeforeValidator(_parse), forms.Also(forms.is_(False))],
    default=None,
    doc=Doc(
        kind="`{host, sites, title, days, language, notice}`",
        default="none",
        meaning="a public page with the uptime of chosen sites, see [Status page](#status-page)",
    ),
    levels=frozenset({Level.GATE}),
    check=_check,
)
"""None: there is none."""
