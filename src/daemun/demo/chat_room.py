"""Limits of messages in the chat room. Pure."""

import dataclasses
import datetime
import json
import typing

MAX_NAME_CHARS = 32
MAX_TEXT_CHARS = 500


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """One message. sender: the token of the connection it came from. at: aware UTC."""

    sender: str
    name: str
    text: str
    at: datetime.datetime

    def as_json(self) -> dict[str, typing.Any]:
        return {"type": "said", "from": self.sender, "name": self.name, "text": self.text, "at": self.at.isoformat()}


def parse_message(frame: str | bytes, *, sender: str, at: datetime.datetime) -> ChatMessage:
    """What a page sent: `{"name": ..., "text": ...}`.

    Raises: ValueError with words for the person who wrote it.
    """
    try:
        found = json.loads(frame)
    except (ValueError, RecursionError):  # the latter from thousands of nested brackets
        raise ValueError("cannot read the message: it is not JSON") from None
    match found:
        case {"name": str(name), "text": str(text)}:
            # A name is one line: without this, a name with line breaks could look like another person's message.
            return ChatMessage(
                sender=sender,
                name=_checked("name", " ".join(name.split()), MAX_NAME_CHARS),
                text=_checked("text", text.strip(), MAX_TEXT_CHARS),
                at=at,
            )
        case _:
            raise ValueError('cannot read the message: expected an object with the strings "name" and "text"')


def _checked(field: str, value: str, max_chars: int) -> str:
    if not value:
        raise ValueError(f"cannot send the message: the {field} is empty")
    if len(value) > max_chars:
        raise ValueError(
            f"cannot send the message: the {field} has {len(value)} characters, {max_chars} are the most allowed"
        )
    return value


class Pace:
    """How fast one connection may talk: `burst` messages at once, `per_s` a second in the long run (a token bucket)."""

    def __init__(self, *, burst: int = 8, per_s: float = 2.0) -> None:
        self._burst = burst
        self._per_s = per_s
        self._tokens = float(burst)
        self._seen_s = 0.0

    def wait_s(self, now_s: float) -> float:
        """Count one message at now_s (seconds of any clock that only goes forward).

        Returns: how long to wait before the next one is read; 0 while the burst lasts.
        """
        self._tokens = min(self._burst, self._tokens + (now_s - self._seen_s) * self._per_s) - 1
        self._seen_s = now_s
        return max(0.0, -self._tokens / self._per_s)
