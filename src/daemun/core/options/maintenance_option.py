"""`maintenance`: a site is closed for a while, with 503 and Retry-After (RFC 9110 sections 15.6.4 and 10.2.3)."""

import collections.abc
import dataclasses
import datetime
import typing

import pydantic

from daemun.core import model
from daemun.core.options import access_option, forms, page_file
from daemun.core.options.option import Doc, Label, Level, NamedFile, Option, Place
from daemun.core.texts import rules, words

_EXAMPLE = "2026-12-31T18:00+09:00"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """page: what visitors are shown; None: the gate's own. until: when it ends by itself; None: it does not. allow: who
    comes in all the same."""

    on: bool = True
    page: page_file.PageFile | None = None
    until: datetime.datetime | None = None
    allow: tuple[str, ...] = ()

    def is_over(self, now: datetime.datetime) -> bool:
        """Whether it has ended by itself."""
        return self.until is not None and self.until <= now

    def is_closed(self, now: datetime.datetime) -> bool:
        return self.on and not self.is_over(now)


def _until(value: object) -> object:
    """YAML 1.1 has times of its own, which come as such."""
    found = value
    if isinstance(value, str):
        try:
            found = datetime.datetime.fromisoformat(value.strip())
        except ValueError:
            found = None
    if not isinstance(found, datetime.datetime):
        raise ValueError(f"expected a time such as {_EXAMPLE}, found {words.describe(value)}")  # noqa: TRY004 pydantic's
    if found.tzinfo is None:
        raise ValueError(f"{words.quoted(str(value))} has no time zone; write it as {_EXAMPLE}, or with Z for UTC")
    try:
        return found.astimezone(datetime.UTC)
    except OverflowError:
        raise ValueError(f"expected a time of the years 1 to 9999 in UTC, found {words.quoted(str(value))}") from None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WrittenMaintenance(forms.OptionMap):
    shape: typing.ClassVar[str] = "true, false, a file or a map"
    meanings: typing.ClassVar[dict[str, str]] = {
        "on": "whether the site is closed now; true",
        "page": "a file that visitors are shown",
        "until": f"when the site opens by itself: {_EXAMPLE}",
        "allow": "addresses and networks that come in all the same; private: the private networks",
    }
    file_only: typing.ClassVar[frozenset[str]] = frozenset({"page"})
    on: forms.Flag = True
    page: page_file.Written | None = None
    until: typing.Annotated[
        pydantic.InstanceOf[datetime.datetime] | None,
        pydantic.BeforeValidator(_until),
        pydantic.WithJsonSchema(forms.TEXT),
    ] = None
    allow: access_option.Networks = ()


def _parse(value: object) -> object:
    if isinstance(value, bool):
        return {"on": value}
    if flag := forms.hint_flag(value):
        raise ValueError(f"expected {WrittenMaintenance.shape}, found {words.describe(value)}{flag}")
    return {"page": value} if isinstance(value, str) else value


def _make(value: WrittenMaintenance) -> Maintenance:
    page = None if value.page is None else page_file.PageFile(path=value.page)
    return Maintenance(on=value.on, page=page, until=value.until, allow=value.allow)


def _check(value: Maintenance, place: Place) -> None:
    if value.page is not None:
        page_file.check(value.page, place, "page")
    for index, network in enumerate(value.allow):
        if network not in access_option.NAMED_NETWORKS:
            place.add_value(network, rules.check_network(network), "allow", index)
        elif network != access_option.PRIVATE:
            place.add_value(network, "lets everybody in; write `maintenance: false`", "allow", index)


def _files(value: Maintenance) -> collections.abc.Iterator[NamedFile]:
    if value.page is not None and value.on:
        yield page_file.named(value.page, "page")


def _pages(value: Maintenance, replace: page_file.Replace) -> Maintenance:
    return value if value.page is None else dataclasses.replace(value, page=replace(value.page))


def find_over(site: model.Site, now: datetime.datetime) -> str | None:
    """What to say of one that has ended by itself and still stands there. None: there is none."""
    held = OPTION.of(site)
    if not held.on or held.until is None or not held.is_over(now):
        return None
    return (
        f"ended at {held.until:%Y-%m-%d %H:%M} UTC, so the site is open; write a later `until`, or remove `maintenance`"
    )


OPTION = Option(
    name="maintenance",
    form=typing.Annotated[
        WrittenMaintenance,
        pydantic.BeforeValidator(_parse),
        pydantic.AfterValidator(_make),
        forms.Also(forms.FLAG, forms.TEXT),
    ],
    default=Maintenance(on=False),
    doc=Doc(
        kind="true, false, a file, or `{on, page, until, allow}`",
        default="`false`",
        meaning="close the site for a while: visitors get 503, as `daemun maintenance HOST on` and `off` switch it, "
        "see [nginx.md](nginx.md#maintenance)",
    ),
    levels=frozenset({Level.SITE}),
    label=Label.VALUE,
    check=_check,
    files=_files,
    pages=_pages,
)
