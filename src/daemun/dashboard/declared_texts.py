"""What declarations have in English (keys of daemun.yaml, endpoints of the API, weaknesses of nginx), in the visitor's
language: texts/declared/LANGUAGE.toml, by the English text. Pure.

The API has it in English, from where it is declared; a text that is not in the table stays as it is.
"""

import re

from daemun import package_data

_PARTS = re.compile(r"(?:^|; )(?=[a-z0-9_*]+: )")
"""A key that is a map has the texts of all its keys in one: "http: where visitors come in; https: ..."."""


def translate(text: str, language: str) -> str:
    if language == "en":
        return text
    known: dict[str, str] = package_data.read_toml(f"dashboard/texts/declared/{language}.toml")
    if text in known:
        return known[text]
    parts = [one.partition(": ") for one in _PARTS.split(text) if one]
    if not all(colon and rest in known for _, colon, rest in parts):
        return text
    return "; ".join(f"{key}: {known[rest]}" for key, _, rest in parts)
