"""What can be done to a draft beside writing a text: what `daemun add`, `rm`, `enable` and `disable` do to a file, and
keys set and unset. Blocking.
"""

import collections.abc
import pathlib

from daemun.control import draft_port
from daemun.core import model
from daemun.core.options import option
from daemun.core.texts import spellings, words
from daemun.errors import ConfigError
from daemun.sources import added_target, yaml_bulk, yaml_edit, yaml_holder, yaml_meaning, yaml_set
from daemun.sources.drafts import draft, draft_overlay, draft_secrets, option_forms

MOST_EDITS = 100
MOST_HOSTS = 10_000
"""Of one edit."""
_OVER = frozenset({"add", "set", "enable", "disable", "maintenance_on", "maintenance_off"})


def _find_closed(site: yaml_meaning.SiteValue) -> object:
    """What a site means with maintenance; UNKNOWN: it depends on the time."""
    fields = site.value.get("maintenance") if isinstance(site.value, dict) else None
    if isinstance(fields, dict) and "until" in fields:
        return yaml_meaning.UNKNOWN
    return site.value if site.is_in_maintenance() else site.with_maintenance(is_on=True)


def _find_open(site: yaml_meaning.SiteValue) -> object:
    return site.with_maintenance(is_on=False) if site.is_in_maintenance() else site.value


def _switching(what: str, *, enabled: bool) -> yaml_bulk.SiteSwitch:
    return yaml_bulk.SiteSwitch(
        what=what,
        write=lambda places: places.with_enabled(enabled=enabled),
        read=lambda site: site.value if site.is_enabled() is enabled else site.with_enabled(enabled=enabled),
        alone=lambda file, host: yaml_edit.set_enabled(file, host, enabled=enabled),
    )


def _closing(
    what: str, read: collections.abc.Callable[[yaml_meaning.SiteValue], object], *, is_on: bool
) -> yaml_bulk.SiteSwitch:
    return yaml_bulk.SiteSwitch(
        what=what,
        write=lambda places: places.with_maintenance(is_on=is_on),
        read=read,
        alone=lambda file, host: yaml_edit.set_maintenance(file, host, is_on=is_on),
    )


_SWITCHES = {
    "enable": _switching("enable", enabled=True),
    "disable": _switching("disable", enabled=False),
    "maintenance_on": _closing("close", _find_closed, is_on=True),
    "maintenance_off": _closing("open", _find_open, is_on=False),
}
"""What can be done to many sites at once."""


def apply(main: pathlib.Path, one: draft.Draft, edit: draft_port.DraftEdit) -> tuple[draft.Draft, int]:
    """Returns: the draft, and how many sites are others than before. Raises: ConfigError, EnvironmentProblemError."""
    if edit.hosts:
        overlay = draft_overlay.DraftOverlay(main, one)
        count = _switch(main, edit, overlay)
        return overlay.draft, count
    edited = _apply_one(main, one, edit)
    return edited, int(edited is not one and edited != one and edit.what != "lay_over" and edit.host is not None)


def _apply_one(main: pathlib.Path, one: draft.Draft, edit: draft_port.DraftEdit) -> draft.Draft:
    overlay = draft_overlay.DraftOverlay(main, one)
    if edit.host is None:
        if edit.what != "set":
            raise ConfigError(f"cannot {edit.what}: the host is missing")
        yaml_set.set_of_gate(yaml_holder.Holder(path=main, name=main.name, main=main, files=overlay), _changes_of(edit))
        return overlay.draft
    if edit.what == "add":
        _add(main, edit.host, edit, overlay)
        return overlay.draft
    holder = yaml_holder.find(main, edit.host, file=edit.file if edit.what == "lay_over" else None, files=overlay)
    match edit.what:
        case "remove":
            yaml_edit.remove_site(holder, edit.host)
        case "remove_route":
            yaml_edit.remove_route(holder, edit.host, edit.path or "/")
        case "enable" | "disable":
            yaml_edit.set_enabled(holder, edit.host, enabled=edit.what == "enable")
        case "maintenance_on" | "maintenance_off":
            yaml_edit.set_maintenance(holder, edit.host, is_on=edit.what == "maintenance_on")
        case "lay_over":
            yaml_edit.lay_over_containers(holder, edit.host)
        case "set":
            place = None if edit.path is None else yaml_set.RoutePlace(path=edit.path, index=edit.index)
            yaml_set.set_of_site(holder, edit.host, _changes_of(edit), route=place)
        case _:
            raise ConfigError(f"cannot edit: {words.quoted(edit.what)} is no edit that is known")
    return overlay.draft


def _switch(main: pathlib.Path, edit: draft_port.DraftEdit, files: draft_overlay.DraftOverlay) -> int:
    made = _SWITCHES.get(edit.what)
    if made is None:
        raise ConfigError(
            f"cannot {edit.what} many sites at once; expected {words.listed(map(words.quoted, _SWITCHES))}"
        )
    if len(edit.hosts) > MOST_HOSTS:
        raise ConfigError(f"cannot {made.what} {len(edit.hosts)} sites at once; expected {MOST_HOSTS} at most")
    found = yaml_holder.find_all(main, edit.hosts, files=files)
    return sum(yaml_bulk.change(holder, hosts, made) for holder, hosts in found)


def with_overlays(
    edits: collections.abc.Iterable[draft_port.DraftEdit], sites: collections.abc.Iterable[model.Site]
) -> tuple[draft_port.DraftEdit, ...]:
    """What is set of a site that containers alone have, or added to it, is set over it (`from`), unless a file of the
    draft has it.
    sites: that the gate has."""
    hosts = {site.host for site in sites if site.origin.source == model.CONTAINERS}
    found: list[draft_port.DraftEdit] = []
    for edit in edits:
        named = (*edit.hosts, *(() if edit.host is None else (edit.host,))) if edit.what in _OVER else ()
        over = [one for one in named if yaml_holder.host_of(one) in hosts]
        if len(over) > yaml_bulk.MOST_ALONE:
            raise ConfigError(
                f"cannot {edit.what} {len(over)} sites of containers at once; choose {yaml_bulk.MOST_ALONE} at most"
            )
        found += [draft_port.DraftEdit(what="lay_over", host=one, file=edit.file) for one in over]
        found.append(edit)
    return tuple(found)


def _add(main: pathlib.Path, host: str, edit: draft_port.DraftEdit, files: draft_overlay.DraftOverlay) -> None:
    """Raises: RefusedInputError."""
    target = edit.target
    is_folder = spellings.folder(target) is not None or added_target.is_folder(target)
    if is_folder and not target.startswith("/"):
        raise draft_port.RefusedInputError(
            f"cannot add {words.quoted(host)}: {words.quoted(target)} starts where daemun was started, which this page "
            "does not show; write the whole path, as in /srv/www",
            "target",
        )
    field = "file" if edit.file else ""
    try:
        holder = yaml_holder.find(main, host, file=edit.file, files=files)
        field = "" if added_target.is_good_host(host) else "host"
        yaml_edit.add_route(holder, host, target, route_path=edit.path or "/", app=edit.app or None)
    except yaml_edit.RefusedPartError as error:
        raise draft_port.RefusedInputError(str(error), error.part) from error
    except ConfigError as error:
        if field:
            raise draft_port.RefusedInputError(str(error), field) from error
        raise


def _changes_of(edit: draft_port.DraftEdit) -> dict[str, object]:
    level = option.Level.GATE if edit.host is None else option.Level.SITE if edit.path is None else option.Level.ROUTE
    inputs = {key: option_forms.read_input(level, key, text) for key, text in edit.inputs.items()}
    changes = {**edit.values, **inputs, **dict.fromkeys(edit.unset, yaml_set.UNSET)}
    for key, value in changes.items():
        if draft_secrets.holds_mark(value):
            raise ConfigError(
                f"cannot set {words.quoted(key)}: a part of it is (hidden); write the value itself there, or where it "
                "is ({file: PATH}), or change this in the text of the file"
            )
    return changes
