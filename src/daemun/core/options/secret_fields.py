"""Where daemun.yaml holds secrets, from the forms of all options: each `model.Secret`, and hashed passwords. Pure."""

import collections.abc
import dataclasses
import functools
import re
import types
import typing

from daemun.core import model
from daemun.core.options import catalogue, forms

_NAMES = re.compile(
    r"(?:^|[_.-])(?:pass|password|passwd|passphrase|pwd|secret|token|(?:api|hmac|private|access)[_-]?key|credentials?)s?$"
    r"|(?:^|-)(?:authorization|cookie)$",
    re.IGNORECASE,
)
"""Headers have dashes: `ignore_cookies` and its like are no header of cookies, but names of cookies."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What can be secret of a value. keys: of a map. others: of keys that are not among them."""

    is_secret: bool = False
    keys: collections.abc.Mapping[str, "Field"] = dataclasses.field(default_factory=dict)
    others: "Field | None" = None

    def find(self, key: str) -> "Field | None":
        return self.keys.get(key, self.others)

    @property
    def can_be_short(self) -> bool:
        """Whether a text may stand for the map that has the secret: a webhook's URL."""
        return any(one.is_secret for one in self.keys.values())

    @property
    def holds_any(self) -> bool:
        below = (*self.keys.values(), *(() if self.others is None else (self.others,)))
        return self.is_secret or any(one.holds_any for one in below)


_NOTHING = Field()


def is_named_so(key: str) -> bool:
    """Whether a key's name alone shows that its value is a secret, wherever it stands: of a header, or below `x-`."""
    return _NAMES.search(key) is not None


@functools.cache
def find_all() -> collections.abc.Mapping[str, Field]:
    """The options that can hold secrets."""
    found = {one.name: _find(one.form) for one in catalogue.EVERY}
    return types.MappingProxyType({name: field for name, field in found.items() if field.holds_any})


@functools.cache
def find_holders() -> frozenset[str]:
    """The keys that stand right above a secret, one of which is above each."""
    return frozenset(name for key, field in find_all().items() for name in _find_holders(key, field))


def _find_holders(key: str, field: Field) -> collections.abc.Iterator[str]:
    below = [*field.keys.items(), *(() if field.others is None else (("", field.others),))]
    if field.is_secret or any(one.is_secret for _, one in below):
        yield key
    for name, one in below:
        yield from _find_holders(name or key, one) if not one.is_secret else ()


def _find(form: object) -> Field:
    marks = getattr(form, "__metadata__", ())
    if form is model.Secret or forms.HASHES in marks:
        return Field(is_secret=True)
    if isinstance(form, type):
        known = forms.keys(form) if issubclass(form, forms.OptionMap) else {}
        return Field(keys={key: _find(one) for key, one in known.items()})
    parts = typing.get_args(form)
    if typing.get_origin(form) is dict:
        below = _find(parts[1])
        return Field(others=below if below.holds_any else None)
    found = functools.reduce(_join, map(_find, parts if not marks else parts[:1]), _NOTHING)
    further = next((one for one in marks if isinstance(one, forms.FurtherKeys)), None)
    if further is None:
        return found
    own = {key: one for key, one in found.keys.items() if key != further.field}
    return dataclasses.replace(found, keys=own, others=found.keys[further.field].others)


def _join(one: Field, other: Field) -> Field:
    """Of two forms of one value."""
    keys = {key: _join(one.keys.get(key, _NOTHING), other.keys.get(key, _NOTHING)) for key in {*one.keys, *other.keys}}
    return Field(is_secret=one.is_secret or other.is_secret, keys=keys, others=one.others or other.others)
