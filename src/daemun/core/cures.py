"""What a message advises a person to write. It is given to the same check that refused the first text, and printed only
when the check accepts it: a cure that fails at the next try is worse than none. Pure."""

import collections.abc
import json

Check = collections.abc.Callable[[str], str | None]
"""The cause of a refusal; None: the text is good."""


def write(check: Check, *candidates: str) -> str:
    """'; write "http://web"' with the first candidate that is good; '' when none is."""
    good = next((one for one in candidates if one and one.isprintable() and check(one) is None), None)
    return "" if good is None else f"; write {json.dumps(good, ensure_ascii=False)}"
