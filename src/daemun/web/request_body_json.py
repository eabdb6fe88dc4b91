"""What a request to the API brings, read and checked."""

import collections.abc
import json
import re
import typing

from starlette import exceptions, requests

from daemun.core.texts import words

LARGEST_BODY_BYTES = 64 << 10
_LONGEST_S = 10**9
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
"""The beginning of what may be one half of a character without the other."""

Json = dict[str, typing.Any]


async def read_object(request: requests.Request, *, most_bytes: int = LARGEST_BODY_BYTES) -> Json:
    """The request's JSON object; {} for an empty body. Raises: HTTPException 400 or 413."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise exceptions.HTTPException(413, f"cannot read the body: more than {most_bytes} bytes")
    try:
        value = json.loads(body.decode("utf-8-sig") or "{}")
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        # The last one: thousands of lists within each other.
        raise exceptions.HTTPException(400, f"cannot read the body as JSON: {error}") from error
    except ValueError as error:  # Python reads no number of more than 4,300 digits
        raise exceptions.HTTPException(400, "cannot read the body as JSON: a number in it is too long") from error
    if _HALF.search(body) and not _is_text(value):
        raise exceptions.HTTPException(400, "cannot read the body as JSON: a text in it has half a character")
    if not isinstance(value, dict):
        raise exceptions.HTTPException(400, "cannot read the body: a JSON object is expected")
    return value


def _is_text(value: object) -> bool:
    """Halves of characters can be neither written to a file nor sent (RFC 8259 section 8.2)."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True


def check_keys(body: Json, known: collections.abc.Sequence[str]) -> None:
    """What a key does that is not known would not be done. Raises: HTTPException 400."""
    unknown = next((one for one in body if one not in known), None)
    if unknown is not None:
        expected = words.listed([words.quoted(one) for one in known]) if known else "nothing"
        cause = f"{words.quoted(unknown)} is not known; expected {expected}{words.guess(unknown, known)}"
        raise exceptions.HTTPException(400, f"cannot use the body: {cause}")


def take_text(body: Json, key: str) -> str:
    """Raises: HTTPException 400."""
    value = take_optional_text(body, key)
    if value is None:
        raise exceptions.HTTPException(400, f'cannot use the body: "{key}" is missing')
    return value


def take_optional_text(body: Json, key: str) -> str | None:
    """Raises: HTTPException 400, without the value: it may be a secret."""
    value = body.get(key)
    if value is not None and not isinstance(value, str):
        raise exceptions.HTTPException(400, f'cannot use the body: "{key}" must be a text')
    return value


def take_flag(body: Json, key: str) -> bool:
    """Raises: HTTPException 400."""
    value = body.get(key, False)
    if not isinstance(value, bool):
        raise exceptions.HTTPException(400, f'cannot use the body: "{key}" must be true or false')
    return value


def take_seconds(body: Json, key: str) -> float | None:
    """Neither negative, nor NaN, nor a number of hundreds of digits. Raises: HTTPException 400."""
    value = body.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LONGEST_S:
        cause = f'"{key}" must be a number of seconds, from 0 to {_LONGEST_S}'
        raise exceptions.HTTPException(400, f"cannot use the body: {cause}")
    return float(value)
