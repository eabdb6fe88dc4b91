"""nginx's files of a configuration that need not be what daemun.yaml holds now, without secrets."""

import collections.abc
import dataclasses
import os
import pathlib
import types

from daemun import settings
from daemun.core import model
from daemun.core.options import secret_fields
from daemun.core.rounds import merge, outcome
from daemun.nginx import worker_account
from daemun.sources import client_authorities, country_networks, yaml_file, yaml_variables
from daemun.wiring import nginx_environment
from daemun.wiring.offline import rendering

_LEAST_HIDDEN = 8
"""Characters of what a variable of the environment holds: shorter values are ports and the like, unless the variable's
name is that of a secret."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PastFiles:
    """files: path -> content, without secrets. problems: what is not in them. moved: as of `assembly.Assembled`."""

    files: dict[str, bytes]
    problems: tuple[model.Problem, ...] = ()
    moved: frozenset[str] = frozenset()


def render(
    chosen: settings.Settings,
    main: pathlib.Path,
    files: collections.abc.Mapping[str, bytes],
    *,
    before: collections.abc.Mapping[str, bytes] = types.MappingProxyType({}),
) -> PastFiles:
    """files: what daemun.yaml (`main`) and those that it includes held, by their names, the former first; empty: there
    was none. What they name beside (certificates, presets, databases) is as it is now, and of variables of the
    environment the values of now are put in, and hidden again. before: nginx's files that these follow. Raises:
    DaemunError."""
    if not files:
        return PastFiles(files={})
    source = yaml_file.YamlFile(main, state=chosen.layout.state, find_worker=worker_account.choose)
    content, *_ = files.values()
    included = {name: held for name, held in files.items() if name != main.name}
    snapshot = source.parse_stored(content, included)
    snapshot, _ = country_networks.with_networks(snapshot)
    snapshot, _ = client_authorities.with_authorities(snapshot, chosen.layout.state)
    desired = merge.merge_snapshots([snapshot])
    assembled = rendering.assemble(chosen, desired, nginx_environment.choose_nginx(chosen), last_good=before)
    refusals = outcome.refusal_problems(desired, assembled.refused)
    faults = [one for one in (*desired.problems, *refusals) if one.severity is model.Severity.ERROR]
    hidden = find_hidden(files.values(), os.environ)
    return PastFiles(
        files={path: hide(made, hidden) for path, made in assembled.files.items()},
        problems=tuple(faults),
        moved=assembled.moved,
    )


def find_hidden(texts: collections.abc.Iterable[bytes], environ: collections.abc.Mapping[str, str]) -> dict[str, str]:
    """What variables hold that may be secrets, and their names, longest first. Pure."""
    names = {name for text in texts for name in yaml_variables.find_names(text.decode("utf-8", "replace"))}
    held = {environ[name]: name for name in sorted(names) if environ.get(name)}
    found = {
        value: name
        for value, name in held.items()
        if len(value) >= _LEAST_HIDDEN or (secret_fields.is_named_so(name) and len(value) > 1)
    }
    return dict(sorted(found.items(), key=lambda one: -len(one[0])))


def hide(content: bytes, hidden: collections.abc.Mapping[str, str]) -> bytes:
    """nginx's file with the names of variables in place of what they hold. Pure."""
    text = content.decode("utf-8", "replace") if hidden else ""
    for value, name in hidden.items():
        for written in (value, value.replace("\\", "\\\\").replace('"', '\\"')):
            text = text.replace(written, f"({name})")
    return text.encode() if hidden else content
