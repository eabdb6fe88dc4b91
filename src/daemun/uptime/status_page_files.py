"""What the files of the public status page contain."""

import pathlib

from daemun.core.options import status_page_option
from daemun.core.render import status_page_locations
from daemun.core.uptime import status_feed, status_html, status_report, status_words

_HERE = pathlib.Path(__file__).parent


def render(report: status_report.StatusReport, language: status_page_option.Language) -> dict[str, bytes]:
    """All files of the page, by name."""
    is_korean = language is status_page_option.Language.KOREAN
    feed = status_feed.as_atom(report, status_words.KOREAN if is_korean else status_words.ENGLISH)
    texts = {
        status_page_locations.file_of(status_page_locations.PAGES[words.language]): status_html.render(report, words)
        for words in status_words.EVERY
    }
    texts |= {status_page_locations.DATA: status_feed.as_json(report), status_page_locations.FEED: feed}
    for path in (status_page_locations.STYLE, status_page_locations.SCRIPT):
        texts[path] = (_HERE / path.removeprefix("/")).read_text(encoding="utf-8")
    return {path.removeprefix("/"): text.encode("utf-8", "replace") for path, text in texts.items()}
