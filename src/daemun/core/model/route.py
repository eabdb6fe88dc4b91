"""What happens to the requests of one path."""

import dataclasses

from daemun.core import directive
from daemun.core.model.problem import NOWHERE, Origin
from daemun.core.model.target import OptionValues, Proxy


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """A route's requests are sent elsewhere.

    to: a URL or a path, with the variables of `texts.names.VARIABLES`.
    """

    to: str
    options: OptionValues = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A route's requests are answered from a folder: the rest of the path after the route's prefix is looked up in it.

    folder: absolute path. trusted: the part of it in which nobody but root and daemun's own account can put a link in
    the place of a folder; None: all of it.
    """

    folder: str
    trusted: str | None = None
    options: OptionValues = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Respond:
    """A route's requests get a fixed answer from the gate.

    body: the text as it is. file: absolute path of a file with it. None of them: nothing, or the page of an error.
    media_type: of the body or file; None: plain text, or what the file's name tells. trusted: as of `Files`.
    """

    status: int = 200
    body: str | None = None
    file: str | None = None
    media_type: str | None = None
    trusted: str | None = None
    options: OptionValues = ()

    @property
    def refuses(self) -> bool:
        """Whether it tells nothing but a status of an error."""
        return self.status >= 400 and self.body is None and self.file is None


Action = Proxy | Redirect | Files | Respond

Header = tuple[str, str]


Snippet = tuple[directive.Node, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Everything at one path of a site.

    path: in a form of `texts.route_paths`: a prefix, an exact path, a suffix or an expression. Those of the last two
        kinds are behind the others in a site, and tried in its order. In nginx-proxy's place, containers have
        expressions of strangers (`texts.patterns`), without a space behind "~" or "~*".
    entry: its place in the list of a path whose routes have conditions (`options.when_option`), from 0; None: the path
        has this route alone.
    options: those that every action has; those of one action are its own.
    snippet: the owner's raw nginx for this location. replaced: it stands at the level of the server instead of it.
    is_internal: only clients that `Globals.internal` lets in are served.
    """

    path: str
    action: Action
    entry: int | None = None
    is_internal: bool = False
    replaced: bool = False
    options: OptionValues = ()
    snippet: Snippet = ()
    origin: Origin = NOWHERE

    @property
    def name(self) -> str:
        """What distinguishes it in its site: the path, or "/api/ #2"."""
        return self.path if self.entry is None else f"{self.path} #{self.entry + 1}"

    @property
    def field(self) -> tuple[str | int, ...]:
        """Its place in a site of daemun.yaml (`Problem.field`)."""
        return ("routes", self.path) if self.entry is None else ("routes", self.path, self.entry)
