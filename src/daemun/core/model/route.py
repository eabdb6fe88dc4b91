"""What happens to the requests under one path prefix."""

import dataclasses

from daemun.core import directive
from daemun.core.model.problem import NOWHERE, Origin
from daemun.core.model.target import USUAL_MAX_BODY_BYTES, Proxy


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """A route's requests are sent elsewhere.

    to: a URL or a path, with the variables of `core.names.VARIABLES`. status: 301, 302, 303, 307 or 308.
    """

    to: str
    status: int = 301


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A route's requests are answered from a folder: the rest of the path after the route's prefix is looked up in it.

    folder: absolute path. spa: a path that is no file is answered with the folder's index.html.
    """

    folder: str
    spa: bool = False
    listing: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Compress:
    """Whether answers are compressed. types: which, besides HTML; empty: the usual ones."""

    is_on: bool = True
    types: tuple[str, ...] = ()


Header = tuple[str, str]


Snippet = tuple[directive.Node, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Everything under one path prefix of a site.

    path: starts with "/"; nginx's prefix rule: the longest one wins. Or a regular expression behind "~" (as it is) or
        "~*" (of either case), only from containers and only one that `core.patterns` accepts; those are tried in the
        order of their texts and win over prefixes.
    max_body_bytes: largest request body; 0: no limit.
    request_headers, response_headers: set (an empty value removes the header); values may hold `core.names.VARIABLES`.
    snippet: the owner's raw nginx for this location. replaced: it stands at the level of the server instead of it.
    compress: which answers are compressed; None: as for the whole site.
    is_internal: only clients that `Globals.internal` lets in are served.
    """

    path: str
    action: Proxy | Redirect | Files
    is_internal: bool = False
    replaced: bool = False
    max_body_bytes: int = USUAL_MAX_BODY_BYTES
    compress: Compress | None = None
    request_headers: tuple[Header, ...] = ()
    response_headers: tuple[Header, ...] = ()
    snippet: Snippet = ()
    origin: Origin = NOWHERE
