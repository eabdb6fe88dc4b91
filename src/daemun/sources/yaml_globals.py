"""What stands in daemun.yaml beside its sites becomes the settings of the model."""

import collections.abc
import dataclasses

from daemun.core import model
from daemun.core.options import catalogue, default_option, streams_option
from daemun.sources import yaml_context, yaml_include, yaml_top


def translate(context: yaml_context.Context) -> model.Globals:
    """Raises nothing; a file that is no map gives the defaults."""
    entry, faults = context.read_part(yaml_top.FILE, ())
    for fault in faults:
        context.report(fault)
    entry = entry or yaml_top.FILE()
    context.include = tuple(_patterns(context, entry))
    given = entry.given(catalogue.BY_NAME)
    settings = model.Globals(
        **catalogue.as_fields(given),
        snippet=context.snippet(entry.nginx, ("nginx",), host=None),
        snippet_origin=context.origin(context.document.locate(("nginx",))) if entry.nginx else model.NOWHERE,
    )
    if streams_option.OPTION.name in given:
        options = streams_option.with_origins(
            settings.options,
            lambda one: context.origin(context.document.locate((streams_option.OPTION.name, one))),
        )
        settings = dataclasses.replace(settings, options=options)
    name = default_option.OPTION.name
    if name not in given:
        return settings
    default = dataclasses.replace(settings.default, origin=context.origin(context.document.locate((name,))))
    return dataclasses.replace(settings, default=default)


def check_included(context: yaml_context.Context) -> None:
    """What stands in a file that `include` names beside its sites: nothing but the owner's own."""
    _, faults = context.read_part(yaml_top.IncludedEntry, ())
    for fault in faults:
        context.report(fault)


def _patterns(
    context: yaml_context.Context, entry: yaml_top.FileEntry
) -> collections.abc.Iterator[yaml_include.Pattern]:
    for index, text in enumerate(entry.include or ()):
        field = (yaml_include.KEY, index)
        origin = context.origin(context.document.locate(field))
        yield yaml_include.Pattern(text=text, origin=origin, field=field)
