"""The texts of a draft for those who may change what is served and may not see its secrets. Pure.

Each secret is shown as `(hidden 1)`, counted in the text as it is, and put back when the text returns. It may stand
nowhere but where it stood: whoever cannot see it cannot let it be shown in another place, either.
"""

import re

from daemun.errors import ConfigError
from daemun.sources.history import secret_masks

_MARK = re.compile(r"\(hidden ([0-9]{1,6})\)")


def show(content: bytes) -> str | None:
    """None: it is no YAML, in which secrets cannot be found for sure."""
    masked = secret_masks.mask(content)
    if masked is None:
        return None
    return secret_masks.fill(masked.text, [f"(hidden {number})" for number in range(1, len(masked.secrets) + 1)])


def holds_mark(value: object) -> bool:
    """Whether a text of it, or a part of one, is shown in place of a secret."""
    if isinstance(value, dict):
        return any(map(holds_mark, (*value, *value.values())))
    if isinstance(value, list | tuple):
        return any(map(holds_mark, value))
    return isinstance(value, str) and _MARK.search(value) is not None


def put_back(shown: str, content: bytes) -> bytes:
    """A text that was edited as `show` gave it. content: what it was made of. Raises: ConfigError."""
    masked = secret_masks.mask(content)
    secrets = () if masked is None else masked.secrets
    used = [int(one) for one in _MARK.findall(shown)]
    if masked is None or not used:
        return shown.encode()
    if wrong := sorted(one for one in used if not 1 <= one <= len(secrets)):
        raise ConfigError(
            f"cannot use the text: there is no secret (hidden {wrong[0]}); write the new one in its place"
        )
    found = _MARK.sub(lambda match: secrets[int(match[1]) - 1].written, shown).encode()
    again = secret_masks.mask(found)
    if again is None:
        raise ConfigError(
            "cannot use the text: it is no YAML, and what is (hidden) cannot be put back into such a text; correct it "
            "first"
        )
    places = {(one.written, one.path) for one in secrets}
    for one in again.secrets:
        if any(one.written == known.written for known in secrets) and (one.written, one.path) not in places:
            raise ConfigError(
                f"cannot use the text: what is (hidden) may stand where it stood only, and not at {one.path}; write "
                "the value itself there"
            )
    # A short secret is found by its place alone: one mark too many is shown somewhere.
    if sum((one.written, one.path) in places for one in again.secrets) != len(used):
        raise ConfigError("cannot use the text: what is (hidden) stands at a place that does not hide it")
    return found
