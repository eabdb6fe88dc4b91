"""What stands in daemun.yaml beside its sites becomes the settings of the model."""

import collections.abc
import dataclasses
import typing

from daemun.core import model
from daemun.core.options import catalogue, default_option, listen_option, node_option, streams_option
from daemun.sources import yaml_context, yaml_include, yaml_positions, yaml_top


def translate(context: yaml_context.Context) -> model.Globals:
    """Raises nothing; a file that is no map gives the defaults."""
    written, others = _split(context.document.value)
    entry, faults = context.read_part(yaml_top.FILE, (), instead=others)
    for fault in faults:
        context.report(fault)
    entry = entry or yaml_top.FILE()
    context.include = tuple(_patterns(context, entry))
    given = entry.given(catalogue.BY_NAME)
    if written:
        given[streams_option.OPTION.name] = read_streams(context, written)
    node = typing.cast(node_option.Node | None, given.get(node_option.OPTION.name))
    if node is not None and node.own_listen is not None:
        given[listen_option.OPTION.name] = node.own_listen
    settings = model.Globals(
        **catalogue.as_fields(given),
        origins=tuple(
            (name, context.origin(context.document.locate((name,), key=True)))
            for name in given
            if catalogue.BY_NAME[name].wants is not None
        ),
        snippet=context.snippet(entry.nginx, ("nginx",), host=None),
        snippet_origin=context.origin(context.document.locate(("nginx",))) if entry.nginx else model.NOWHERE,
    )
    name = default_option.OPTION.name
    if name not in given:
        return settings
    default = dataclasses.replace(settings.default, origin=context.origin(context.document.locate((name,))))
    return dataclasses.replace(settings, default=default)


def _split(raw: object) -> tuple[dict[str, object], object]:
    """The streams of a file, and what else it holds; None: the whole of it."""
    written = raw.get(streams_option.OPTION.name) if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(written, dict):
        return {}, None
    return written, {key: value for key, value in raw.items() if key != streams_option.OPTION.name}


def read_streams(context: yaml_context.Context, written: dict[str, object]) -> streams_option.Streams:
    """Each that can be read, so that one that cannot keeps no other from being served."""
    found, faults = _read_some(context, written)
    if faults:
        found = ()
        for name, value in written.items():
            some, faults = _read_some(context, {name: value})
            is_off = isinstance(value, dict) and value.get("enabled") is False
            for fault in faults:
                context.report(fault, severity=model.Severity.WARNING if is_off else model.Severity.ERROR)
            found += some
    return tuple(
        dataclasses.replace(
            one, origin=context.origin(context.document.locate((streams_option.OPTION.name, one.name), key=True))
        )
        for one in found
    )


def _read_some(
    context: yaml_context.Context, written: object
) -> tuple[streams_option.Streams, tuple[yaml_positions.YamlFault, ...]]:
    name = streams_option.OPTION.name
    entry, faults = context.read_part(yaml_top.FILE, (), instead={name: written})
    given = {} if entry is None else entry.given({name})
    return typing.cast(streams_option.Streams, given.get(name, ())), faults


def translate_included(context: yaml_context.Context) -> model.Globals:
    """What stands in a file that `include` names beside its sites: streams, and the owner's own keys."""
    _, faults = context.read_part(yaml_top.IncludedEntry, ())
    for fault in faults:
        context.report(fault)
    raw, name = context.document.value, streams_option.OPTION.name
    found = raw.get(name) if isinstance(raw, dict) else None
    if found is not None and not isinstance(found, dict):
        for fault in _read_some(context, found)[1]:
            context.report(fault)
    streams = read_streams(context, found) if isinstance(found, dict) else ()
    return model.Globals(options=catalogue.values(streams_option.OPTION.set(streams)) if streams else ())


def _patterns(
    context: yaml_context.Context, entry: yaml_top.FileEntry
) -> collections.abc.Iterator[yaml_include.Pattern]:
    for index, text in enumerate(entry.include or ()):
        field = (yaml_include.KEY, index)
        origin = context.origin(context.document.locate(field))
        yield yaml_include.Pattern(text=text, origin=origin, field=field)


def find_home(context: yaml_context.Context, field: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Where a field of the settings is written: what is this machine's own goes before the same key beside it."""
    own = (node_option.OPTION.name, *field)
    is_own = field[0] == listen_option.OPTION.name and own[:2] in context.document.keys
    return own if is_own else field
