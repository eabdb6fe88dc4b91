"""What is known of one request that was: what nginx logged of it, and what its URL finds today. Values only."""

import dataclasses
import datetime
import re

from daemun.core import model
from daemun.core.logged import logged_request
from daemun.core.why import route_walk, site_choice, url_facts

_LONGEST_ID = 80
_ID = re.compile(r"[A-Za-z0-9._:+/=@~-]{1,80}\Z")
_CONNECTION_ID = re.compile(r"\d{1,20}-\d{1,20}\Z")
BEGINNING = re.compile(r"[0-9a-f]{6,31}\Z")
"""Of the id of a page, long enough to be looked for."""
MARK = re.compile(r"answered (\d{3})(?:, request_id: [^,]*)?\Z")
"""The words of daemun's own line in the error log, which leads from the id on a page to a connection."""


def check_id(text: str) -> str | None:
    """Why a text is no id of a request; None: it may be one."""
    if _ID.match(text):
        return None
    return f"is no id of a request: expected up to {_LONGEST_ID} letters and digits, as error pages show it"


def is_servers(request: logged_request.LoggedRequest) -> bool:
    """Whether the last server that was tried answered with the status that the visitor got. nginx notes one of its own
    for a server that failed; what the gate answers then is a page, whose id is of another form."""
    tries = request.tries
    if not tries or tries[-1].status is None or tries[-1].status != request.status:
        return False
    return is_connection_id(request.request_id or "") or request.status not in {502, 503, 504}


def is_connection_id(text: str) -> bool:
    """Whether it is of a request that got no page of the gate: connection and number."""
    return _CONNECTION_ID.match(text) is not None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """id: what was asked about. line: of the access log, or what daemun's own line in the error log has of it; None: no
    log has it. errors: lines of the error log about it, in their order. today: what its URL finds today. hold_socket:
    where requests wait."""

    id: str
    now: datetime.datetime
    line: logged_request.LoggedRequest | None = None
    errors: tuple[str, ...] = ()
    desired: model.Desired | None = None
    choice: site_choice.SiteChoice = site_choice.NO_SITE
    walk: route_walk.RouteWalk | None = None
    today: url_facts.UrlFacts | None = None
    hold_socket: str = ""
    missing: tuple[str, ...] = ()
