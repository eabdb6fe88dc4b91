"""Names that keep a CA from signing, in words."""

import collections.abc

from daemun.core.texts import words

_MOST_NAMED = 3
"""Of many names that fail, so many are shown with the reason, the others by their names."""


def explain(blamed: collections.abc.Iterable[dict[str, str]], host: str, *, is_served: bool) -> str:
    """blamed: of each CA, the names and why. host: of the site; other names can be taken out of it. is_served: whether
    the other names have a certificate."""
    known = {name: why for found in blamed for name, why in found.items()}
    texts = [_explain_one(name, why, host) for name, why in list(known.items())[:_MOST_NAMED]]
    texts[1:] = [text.partition(". The CA says")[0] for text in texts[1:]]
    if more := list(known)[_MOST_NAMED:]:
        texts.append(f"the same kind of trouble with {words.listed(map(words.quoted, more), last='and')}")
    if is_served:
        texts.append("the other names have their certificate, and these join it when they can")
    return "; ".join(texts)


def _explain_one(name: str, why: str, host: str) -> str:
    text = why if name in why else f"{name}: {why}"
    if name == host:
        return text
    what, separator, detail = text.partition(". The CA says")
    return f"{what.removesuffix('.')}; or take {words.quoted(name)} out of `aliases`{separator}{detail}"
