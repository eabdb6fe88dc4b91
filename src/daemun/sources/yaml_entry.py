"""What the maps of daemun.yaml are read with that are no value of an option: the file, a site, a route, ..."""

import typing

import pydantic


class YamlEntry(pydantic.BaseModel):
    """A map with known keys. Values are taken as written: "2" is not 2.

    Built when it is made. With `defer_build=True` (pydantic.ConfigDict) beside its base it is built when the first map
    of its kind is read, as most files have none. Never for one that stands within another one: of that pydantic (2.14)
    makes no JSON Schema then.
    """

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)
    shape: typing.ClassVar[str] = "a map (`key: value` lines)"
    """What can stand there, in words."""

    def given(self, names: typing.Container[str]) -> dict[str, typing.Any]:
        """The values of these keys, as far as they are written."""
        found = {name: getattr(self, name) for name in self.model_fields_set if name in names}
        return {name: value for name, value in found.items() if value is not None}
