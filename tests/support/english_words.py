"""English sentences on a page that is in another language: outside of code, of what people type, and of messages."""

import html.parser
import re

_SKIPPED = frozenset({"script", "style", "code", "pre", "kbd", "samp", "textarea", "title"})
_VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "path", "rect", "use"})
_SEEN = frozenset({"alt", "aria-description", "aria-label", "data-label", "placeholder", "title"})
_SENTENCE = re.compile(r"\b[A-Za-z][a-z']+ [a-z']{2,}\b")
_CODE = re.compile(r"`[^`]*`|\bdaemun dashboard\b|\bdaemun local CA\b|^복사: .*")
"""And names: of a command, of what signed a certificate, and of a button that copies a command."""


class _Texts(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        is_skipped = not _SKIPPED.isdisjoint(self.open)
        self.found += [value for name, value in attrs if name in _SEEN and value and not is_skipped]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if _SKIPPED.isdisjoint(self.open):
            self.found.append(data)


def find(page: str) -> set[str]:
    """Texts with two English words or more."""
    reader = _Texts()
    reader.feed(page)
    texts = {" ".join(_CODE.sub("", text).split()) for text in reader.found}
    return {text for text in texts if _SENTENCE.search(text)}
