"""Hand-written nginx for the http level: a file for that in daemun.yaml, and one for each file that stands apart."""

import dataclasses
import re
import zlib

from daemun.core import directive, model, render_environment
from daemun.core.plan import generation_files
from daemun.core.render import buffer_sizes, internal_clients, site_scope, upstream
from daemun.core.services import named_servers

OF_THE_FILE = f"{generation_files.SNIPPETS}http.conf"


def paths(settings: model.Globals) -> tuple[str, ...]:
    """Of the files that nginx.conf includes, in their order."""
    own = (OF_THE_FILE,) if settings.own_snippet else ()
    return (*own, *(_path(part) for part in settings.parts))


def nodes(settings: model.Globals, env: render_environment.Environment, path: str) -> tuple[directive.Node, ...]:
    """Raises: RenderError."""
    if path == generation_files.INTERNAL_CLIENTS:
        return internal_clients.internal_file(settings)
    part = find_part(settings, path)
    origin = settings.snippet_origin if part is None else model.Origin(source="file", place=part.place)
    title = directive.Comment(f"Hand-written nginx for the http level{site_scope.place(origin)}")
    found = named_servers.find_in_gate(settings, part)
    written = buffer_sizes.fit_gate(upstream.groups(settings, env, found.nodes), settings, env.nginx)
    named = upstream.named(settings, env, found.upstreams)
    # An owner's size of the tables of maps has to be known before the first map.
    maps = tuple(node for node in named if isinstance(node, directive.Directive) and node.name == "map")
    return (title, *(node for node in named if node not in maps), *written, *maps)


def find_part(settings: model.Globals, path: str) -> model.SnippetFile | None:
    return next((part for part in settings.parts if _path(part) == path), None)


def without(desired: model.Desired, path: str) -> model.Desired:
    """What is desired as if a file were empty."""
    settings = desired.globals
    own = () if path == OF_THE_FILE else settings.own_snippet
    part = find_part(settings, path)
    parts = tuple(dataclasses.replace(one, snippet=()) if one is part else one for one in settings.parts)
    snippet = (*own, *(node for one in parts for node in one.snippet))
    return dataclasses.replace(desired, globals=dataclasses.replace(settings, snippet=snippet, parts=parts))


def _path(part: model.SnippetFile) -> str:
    """The owner's folder and name, for people; `include` takes some signs for patterns."""
    shown = "/".join(part.place.rsplit("/", 2)[-2:])
    plain = re.sub(r"[^A-Za-z0-9./_-]", "_", shown)
    named = f"{generation_files.SNIPPETS}{plain}"
    return named if plain == shown else f"{named}_{zlib.crc32(shown.encode()):08x}"
