"""`keep`: what of a request's path and query a redirect takes along."""

import enum
import re
import typing

from daemun.core import model
from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Option, Place, RouteAction
from daemun.core.texts import route_paths, words


class Keep(enum.Enum):
    """PATH: the rest of the path behind the route's. URI: both."""

    PATH = "path"
    QUERY = "query"
    URI = "uri"

    @property
    def has_path(self) -> bool:
        return self is not Keep.QUERY

    @property
    def has_query(self) -> bool:
        return self is not Keep.PATH


_OWN = re.compile(r"\$\{?(?:request_uri|uri|args|is_args|query_string)\b\}?|[?#]")


def _check(value: Keep | None, place: Place) -> None:
    if value is None or place.route is None or not isinstance(place.route.action, model.Redirect):
        return
    if value.has_path and not route_paths.is_prefix(place.route.path):
        place.add("keeps the rest behind a prefix, and this route has none; write `keep: query`")
    to = place.route.action.to
    if (own := _OWN.search(to)) is not None:
        cause = f"adds to {words.quoted(to)}, which has {words.quoted(own.group())} of its own; leave one of them out"
        place.add(cause)


OPTION = Option[Keep | None](
    name="keep",
    form=typing.Annotated[Keep, forms.choice(Keep)],
    default=None,
    doc=Doc(
        kind="`path`, `query`, `uri`",
        default="none",
        meaning="what a redirect takes along: the rest of the path behind the route's, the query, or both",
    ),
    actions=frozenset({RouteAction.REDIRECT}),
    label=Label.VALUE,
    check=_check,
)
