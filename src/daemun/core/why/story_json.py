"""The story of `daemun why` as JSON values, for the command and the API. Pure."""

import collections.abc

from daemun.core.why import url_facts


def to_json(story: url_facts.Story, clean: collections.abc.Callable[[str], str]) -> dict[str, object]:
    """clean: makes one line of what strangers sent. Keys may be added, never renamed. `cause`, `cure`, `kind` are those
    of the first of `causes`; null: nothing is wrong."""
    first = story.causes[0] if story.causes else None
    return {
        "ok": first is None,
        "subject": clean(story.subject),
        "kind": None if first is None else first.kind,
        "cause": None if first is None else clean(first.cause),
        "cure": None if first is None or first.cure is None else clean(first.cure),
        "causes": [
            {"kind": one.kind, "cause": clean(one.cause), "cure": None if one.cure is None else clean(one.cure)}
            for one in story.causes
        ],
        "chain": [
            {"topic": one.topic, "weight": one.weight.value, "message": clean(one.message)} for one in story.steps
        ],
        "missing": [clean(one) for one in story.missing],
    }


def on_one_line(text: str) -> str:
    """Without control characters."""
    shown = "".join(sign if sign.isprintable() or sign in "\n\t" else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return " ".join(shown.split())
