"""What declarations have in English (keys of daemun.yaml, endpoints of the API, weaknesses of nginx, causes and cures
of common states), in the visitor's language: texts/declared/LANGUAGE.toml, by the English text. Pure.

The API has it in English, from where it is declared; a text that is not in the table stays as it is. `{0}`, `{1}` in
the table stand for values, which stay as they are unless they are such sentences themselves.
"""

import functools
import re

from daemun import package_data

_PARTS = re.compile(r"(?:^|; )(?=[a-z0-9_*]+: )")
"""A key that is a map has the texts of all its keys in one: "http: where visitors come in; https: ..."."""
_VALUE = re.compile(r"\{(\d)\}")
LONGEST_SENTENCE = 1000
"""Of a longer one, such as with the words of a CA, nothing is sought."""
_DEEPEST = 4


def translate(text: str, language: str) -> str:
    if language == "en":
        return text
    known = _read(language)
    if text in known:
        return known[text]
    parts = [one.partition(": ") for one in _PARTS.split(text) if one]
    if all(colon and rest in known for _, colon, rest in parts):
        return "; ".join(f"{key}: {known[rest]}" for key, _, rest in parts)
    return _translate_sentence(text, language, _DEEPEST) if len(text) <= LONGEST_SENTENCE else text


def _translate_sentence(text: str, language: str, deep: int) -> str:
    """Also of several, apart by semicolons, where all of them are known."""
    known = _read(language)
    if text in known:
        return known[text]
    if not deep:
        return text
    parts = text.split("; ")
    done = [_translate_sentence(one, language, deep - 1) for one in parts] if len(parts) > 1 else []
    if done and not set(done) & set(parts):
        return ". ".join(done)
    for start, pattern, translated in _read_sentences(language):
        if text.startswith(start) and (found := pattern.fullmatch(text)) is not None:
            values = [_translate_sentence(one, language, deep - 1) for one in found.groups()]
            return _VALUE.sub(lambda place, values=values: values[int(place[1])], translated)  # type: ignore[misc]
    return text


def _read(language: str) -> dict[str, str]:
    return package_data.read_toml(f"dashboard/texts/declared/{language}.toml")


@functools.cache
def _read_sentences(language: str) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """Those with values: how each begins, its form, and its translation. Those that say most come first."""
    found = []
    for text, translated in _read(language).items():
        pieces = _VALUE.split(text)
        if len(pieces) > 1:  # every second one is the number of a value, and they are numbered in their order
            form = "([^\n]+?)".join(map(re.escape, pieces[::2]))
            found.append((-sum(map(len, pieces[::2])), pieces[0], re.compile(form), translated))
    return tuple((start, form, translated) for _, start, form, translated in sorted(found, key=lambda one: one[0]))
