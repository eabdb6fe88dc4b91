"""After how long something ends, as people write it, and when that is."""

import datetime
import re

from daemun import errors
from daemun.core.texts import words

_TIME = re.compile(r"([1-9][0-9]{0,5})\s*([mhd])\Z")
_UNITS_S = {"m": 60, "h": 3600, "d": 86400}
_LONGEST_S = 3660 * 86400


def read(text: str, purpose: str) -> int:
    """Seconds. purpose: "let a token end". Raises: ConfigError."""
    match = _TIME.match(text.strip())
    found = 0 if match is None else int(match[1]) * _UNITS_S[match[2]]
    if not 0 < found <= _LONGEST_S:
        raise errors.ConfigError(
            f"cannot {purpose} after {words.quoted(text)}: expected a time such as 12h or 30d, ten years at most"
        )
    return found


def moment(seconds: float) -> str:
    """Since the epoch, in UTC."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
