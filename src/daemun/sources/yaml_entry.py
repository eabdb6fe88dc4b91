"""What the maps of daemun.yaml are read with that are no value of an option: the file, a site, a route, ..."""

import typing

import pydantic


class YamlEntry(pydantic.BaseModel):
    """A map with known keys. Values are taken as written: "2" is not 2."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)
    shape: typing.ClassVar[str] = "a map (`key: value` lines)"
    """What can stand there, in words."""

    def given(self, names: typing.Container[str]) -> dict[str, typing.Any]:
        """The values of these keys, as far as they are written."""
        found = {name: getattr(self, name) for name in self.model_fields_set if name in names}
        return {name: value for name, value in found.items() if value is not None}


def make_schema(kind: type[YamlEntry]) -> dict[str, typing.Any]:
    """Of such a map, as JSON Schema. The maps within it are built first: of forms that both have, pydantic (2.14) loses
    those that are deferred."""
    for field in kind.model_fields.values():
        for part in typing.get_args(field.annotation):
            if isinstance(part, type) and issubclass(part, YamlEntry):
                part.model_rebuild()
    return kind.model_json_schema()
