r"""Patterns for the values of headers, cookies and query parameters, as the conditions of routes have them. Pure.

    json             this text
    *json*           with any characters, or none, for each star
    ~ ^v[12]$        a regular expression that is found in the value; ~* of either case

How long a match can take is bounded: a star takes the first place where what follows it fits, and never tries another
(an atomic group), and expressions are those of `expressions`.
"""

import re

from daemun.core.texts import expressions, patterns

MOST_BYTES = 128
"""Of a text: nginx takes 4,095 bytes for a parameter, and a byte of a query becomes up to 20."""
MOST_STARS = 8
_EXPRESSION = re.compile(r"~(\*?)\s*(\S.*)\Z", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z0-9_/]")
_CAPTURING = re.compile(r"\(\?P?<[A-Za-z_][A-Za-z0-9_]*>\Z")


def check(text: str) -> str | None:
    """Why a pattern is refused, in words that follow it."""
    if not text:
        return "is empty; expected a text, `true` for any value, or `false` for none"
    if (parts := _split(text)) is not None:
        return expressions.check(parts[1], f"{parts[0]} ")
    if not text.isprintable():
        return "holds a control character, which no request has there"
    if (size := len(text.encode())) > MOST_BYTES:
        return f"is too long: {size} bytes, at most {MOST_BYTES}"
    if (stars := text.count("*")) > MOST_STARS:
        return f"holds {stars} stars, at most {MOST_STARS}"
    return None


def _split(text: str) -> tuple[str, str] | None:
    """nginx's sign and the expression; None where a pattern is none."""
    match = _EXPRESSION.match(text)
    return None if match is None else (f"~{match[1]}", match[2].strip())


def written(text: str, *, is_encoded: bool = False) -> str:
    """A good pattern as the key of a `map`. is_encoded: of a query, where any byte may be percent-encoded; what an
    expression is found in is the value as it was sent."""
    if (parts := _split(text)) is not None:
        return f"{parts[0]}(?s){_without_names(parts[1])}"
    escape = encoded if is_encoded else _escaped
    first, *others = (escape(part) for part in text.split("*"))
    if not others:
        return rf"~(?s)^{first}\z"
    *inner, last = others
    stars = "".join(f"(?>.*?{part})" for part in inner if part)
    return rf"~(?s)^{first}{stars}" + (rf".*{last}\z" if last else "")


def _without_names(expression: str) -> str:
    """Nothing uses its groups."""
    parts = (_CAPTURING.sub("(?:", part) if kind == "open" else part for kind, part in patterns.tokens(expression))
    return "".join(parts)


def _escaped(text: str) -> str:
    return "".join(one if _PLAIN.match(one) or not one.isascii() else f"\\{one}" for one in text)


def encoded(text: str) -> str:
    """A text of a query: each byte as it is or percent-encoded (RFC 3986 section 2.1), a space as a plus sign, too."""
    return "".join(map(_encoded_byte, text.encode()))


def _encoded_byte(byte: int) -> str:
    digits = "".join(f"[{digit}{digit.lower()}]" if digit.isalpha() else digit for digit in f"{byte:02X}")
    sign = chr(byte)
    if sign == " ":
        return rf"(?:\+|%{digits})"
    is_plain = sign.isascii() and _PLAIN.match(sign)
    itself = sign if is_plain else f"\\x{byte:02x}"
    return f"(?:{itself}|%{digits})"
