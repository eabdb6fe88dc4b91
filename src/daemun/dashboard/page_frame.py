"""What the frame around every page shows, and the headers that go with it. Pure."""

import dataclasses
import datetime
import enum

ENTRIES = {
    "home": "/",
    "sites": "/sites",
    "certificates": "/certificates",
    "changes": "/changes",
    "settings": "/settings",
}
"""The five entries of the dashboard, and where they lead."""


class State(enum.StrEnum):
    """What a lamp shows."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    UNKNOWN = "unknown"


class Tone(enum.StrEnum):
    """What a message at the head of a page reports."""

    DONE = "done"
    WARNING = "warning"
    FAILED = "failed"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What came of a request, at the head of the next page."""

    tone: Tone
    text: str
    details: str = ""
    """Folded: words of nginx, of a server."""
    link: str = ""
    link_text: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks at the page."""

    name: str
    role: str
    """look, change or own."""

    def may(self, role: str) -> bool:
        """Whether to show what needs a role. The API decides; pages only do not offer what it would refuse."""
        order = ("look", "change", "own")
        return order.index(self.role) >= order.index(role)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """`page` of the templates."""

    language: str
    nonce: str
    """Of this answer alone: at least 128 random bits, in URL-safe base64."""
    path: str = "/"
    """With the query, on this host: where the switches of language lead back to."""
    entry: str = ""
    """Of ENTRIES, that which is marked; of a page that belongs to none it is empty."""
    viewer: Viewer | None = None
    """None before the sign-in: then the frame has neither entries nor a search."""
    state: State = State.UNKNOWN
    """Of everything: the icon of the tab and the lamp in the header."""
    needs_you: int = 0
    """How many troubles there are."""
    as_of: datetime.datetime | None = None
    """When the daemon found what the page shows; None for pages without such."""
    command: str = ""
    """The command line that shows or does the same."""
    command_options: str = ""
    """What commands need to reach this gate; empty where they find it by themselves."""
    search: str = ""
    messages: tuple[Message, ...] = ()


def content_security_policy(nonce: str, *, styles: bool = False) -> str:
    """The header of a page. styles: for the editor, which makes style elements with the nonce, and has data: images.

    Source: W3C Content Security Policy Level 3.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}'",
            f"style-src 'self' 'nonce-{nonce}'" if styles else "style-src 'self'",
            "img-src 'self' data:" if styles else "img-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        )
    )
