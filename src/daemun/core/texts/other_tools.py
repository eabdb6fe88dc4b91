"""Looks up what people write in other tools, and what it is here. The table is `other_tools.toml`, beside this file."""

import functools
import re

from daemun import package_data
from daemun.core.texts import words


@functools.cache
def read_table(name: str) -> dict[str, str]:
    """name: "keys", "placeholders", "servers" or "values". What each word of other tools is here."""
    found: dict[str, str] = {}
    for here, others in package_data.read_toml("core/texts/other_tools.toml")[name].items():
        for word in others:
            found[word] = f"{found[word]}; {here}" if word in found else here
    return found


@functools.cache
def _by_letters(name: str) -> dict[str, str]:
    return {words.letters(word): here for word, here in read_table(name).items()}


def find_key(word: str) -> str | None:
    """What a key of another tool is here, in words for a message; None: it is not in the table."""
    return _by_letters("keys").get(words.letters(word))


def is_of_server(word: str) -> bool:
    """Whether its value in another tool is a server, or a URL of one."""
    return words.letters(word) in _by_letters("servers")


def find_word(word: str) -> str | None:
    """What a value of another tool is here."""
    return _by_letters("values").get(words.letters(word))


def is_placeholder(text: str) -> bool:
    """Whether the text is another tool's placeholder for a part of the request."""
    return text in read_table("placeholders")


_FOREIGN = re.compile(
    r"\{(?:env|http|tls|system|time|vars|file|rp)\.[\w.*:-]+\}|\{\$[A-Za-z_]\w*(?::[^{}]*)?\}|%\[[a-z][^\]]*\]"
)
"""Caddy's placeholders and HAProxy's samples, also those that are nothing here."""


_OF_NGINX = re.compile(r"\$\{[A-Za-z_]\w*\}")


def find_placeholder(text: str) -> str | None:
    """The first placeholder of another tool in a text that is sent as it is; None: it has none. Those that nginx's
    variables look like are left to their own rule."""
    text = _OF_NGINX.sub("", text)
    known = (one for one in read_table("placeholders") if not one.startswith("$") and one in text)
    foreign = _FOREIGN.search(text)
    return min((*known, *([] if foreign is None else [foreign.group()])), key=text.index, default=None)


def with_variables(text: str) -> str:
    """The text with nginx's variables in place of other tools' placeholders; the same text when it has none."""
    for found, here in read_table("placeholders").items():
        if found.startswith("{"):  # "${path}" is Caddy's "{path}" in the words of a shell
            text = text.replace(f"${found}", here)
        text = text.replace(found, here)
    return text
