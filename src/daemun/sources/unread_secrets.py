"""Files with secrets that cannot be read: of CAs, DNS providers, alerts, CrowdSec and identity providers.

For `daemun check`; the daemon reads them when they are used, and reports it then. Blocking, milliseconds.
"""

import collections.abc
import dataclasses

from daemun import secret
from daemun.core import model, problem_report
from daemun.core.options import catalogue, forms
from daemun.errors import ConfigError

_Field = tuple[str | int, ...]
_AUTHORITY, _EAB = "directory", "eab"


def find_problems(snapshot: model.Snapshot) -> tuple[model.Problem, ...]:
    """Every one of them. A variable of the environment is another's than the daemon's."""
    found: list[model.Problem] = []
    seen: set[int] = set()
    for held in catalogue.find_values(snapshot):
        if held.site is not None and not held.site.enabled:
            continue
        host, origin = (None, model.NOWHERE) if held.site is None else (held.site.host, held.site.origin)
        for one, field in _find(held.value, held.field):
            if one.file is None or id(one) in seen:  # of `defaults`, each site has the same one
                continue
            seen.add(id(one))
            try:
                secret.read(one)
            except ConfigError as error:
                message = f"{problem_report.label(_shown(field), host=host)}: {error}"
                found.append(model.Problem(origin=origin, message=message, host=host, field=field))
    return tuple(found)


def _find(value: object, field: _Field) -> collections.abc.Iterator[tuple[model.Secret, _Field]]:
    """The secrets in a value, however deep, and where they are written. field: of the value."""
    match value:
        case model.Secret():
            yield value, field
        case model.Dns(options=options):
            for name, one in options:
                yield one, (*field, name)
        case model.Acme(authorities=authorities):
            for index, authority in enumerate(authorities):
                # `eab` stands beside the directories, or in the map of one: what is not written is skipped.
                yield from _find(authority.eab, (*field, _EAB, _AUTHORITY, index, _EAB))
            yield from _find(value.dns, (*field, "dns"))
        case model.Tls(ordering=ordering):
            if ordering.authority is not None:
                yield from _find(ordering.authority.eab, (*field, _AUTHORITY, _EAB))
            yield from _find(ordering.dns, (*field, "dns"))
        case tuple() | dict():
            for key, one in value.items() if isinstance(value, dict) else enumerate(value):
                yield from _find(one, (*field, key))
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            keys = forms.keys(type(value)) if isinstance(value, forms.OptionMap) else None
            names = [one.name for one in dataclasses.fields(value)]
            for key, name in zip(keys or names, names, strict=True):
                yield from _find(getattr(value, name), (*field, key))


def _shown(field: _Field) -> _Field:
    """As messages call it: an `eab` once, wherever it is."""
    return field if field.count(_EAB) < 2 else (*field[: field.index(_EAB) + 1], *field[-1:])
