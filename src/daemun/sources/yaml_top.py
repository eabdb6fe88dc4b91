"""What stands in daemun.yaml beside its sites."""

import typing

import pydantic

from daemun.core.options import catalogue, forms, option
from daemun.sources import yaml_defaults, yaml_entry, yaml_include, yaml_words

_Pattern = typing.Annotated[forms.Text, pydantic.AfterValidator(yaml_include.check_pattern)]


class FileEntry(yaml_entry.YamlEntry):
    """The top of the file. Sites are checked one by one, as `yaml_site.SITE`."""

    shape = f"a map with `sites`; {yaml_words.MINIMAL_FILE}"
    sites: typing.Annotated[
        typing.Any,
        option.Doc(
            kind="map of hosts",
            default="needed",
            meaning="what is served; `{}` for nothing yet; may be missing beside `include`",
        ),
    ] = None
    include: typing.Annotated[
        typing.Annotated[tuple[_Pattern, ...], pydantic.Strict(strict=False), forms.ONE_OR_MORE] | None,
        option.Doc(
            kind="file, pattern or list",
            default="`[]`",
            meaning="files with further sites, such as `sites/*.yaml`, see [above](#several-files)",
        ),
    ] = None
    defaults: typing.Annotated[
        yaml_defaults.DEFAULTS | None,  # type: ignore[valid-type]
        option.Doc(
            kind="map of options",
            default="`{}`",
            meaning="options of sites and routes, for every site of the file that does not set them itself",
        ),
    ] = None
    nginx: typing.Annotated[
        str, option.Doc(kind="text", default="none", meaning="hand-written directives for the `http` block")
    ] = ""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _without_extensions(cls, value: object) -> object:
        return _without_extensions(value)


class IncludedEntry(yaml_entry.YamlEntry):
    """The top of a file that `include` names."""

    shape = "a map with `sites`"
    sites: typing.Any = None
    streams: typing.Any = None
    """Read one by one, as those of daemun.yaml."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _without_extensions(cls, value: object) -> object:
        return _without_extensions(value)


def _without_extensions(value: object) -> object:
    """`x-` keys are the owner's own, for anchors, as in compose files."""
    if not isinstance(value, dict):
        return value
    return {key: one for key, one in value.items() if not (isinstance(key, str) and key.startswith("x-"))}


FILE: type[FileEntry] = catalogue.with_options("FileEntry", FileEntry, option.Level.GATE)
"""With the options."""
