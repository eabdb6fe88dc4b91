"""Jinja with all that the pages' templates use."""

import datetime
import functools
import hashlib
import typing

import jinja2

from daemun import package_data
from daemun.core.texts import cures
from daemun.dashboard import change_authors, declared_texts, figures, page_frame, page_texts

STATIC = "/static"
"""Where the files of the folder static are, by the names that `asset` gives."""


_EDITOR_WORDS = {
    "Find": "editor.find",
    "Replace": "editor.replace_word",
    "next": "editor.next",
    "previous": "editor.previous",
    "all": "editor.all",
    "match case": "editor.match_case",
    "regexp": "editor.regexp",
    "by word": "editor.by_word",
    "replace": "editor.replace",
    "replace all": "editor.replace_all",
    "close": "editor.close",
    "current match": "editor.current_match",
    "on line": "editor.on_line",
    "Go to line": "editor.go_to_line",
    "go": "editor.go",
    "replaced $ matches": "editor.replaced",
    "replaced match on line $": "editor.replaced_line",
    "folded code": "editor.folded",
    "unfold": "editor.unfold",
    "to": "editor.to",
    "Diagnostics": "editor.diagnostics",
    "No diagnostics": "editor.no_diagnostics",
    "Completions": "editor.completions",
    "Selection deleted": "editor.deleted",
    "Control character": "editor.control",
}
"""CodeMirror's own words (its phrases) -> their texts."""


@functools.cache
def asset(name: str) -> str:
    """The address of a file of the folder static. It changes with the content, so that browsers may keep it for ever.

    Raises: FileNotFoundError when there is none, or the frontend was not built (scripts/frontend.py).
    """
    digest = hashlib.sha256(package_data.read_bytes(f"dashboard/static/{name}")).hexdigest()[:12]
    return f"{STATIC}/{name}?v={digest}"


def editor_words(texts: page_texts.Texts) -> dict[str, str]:
    """CodeMirror's own words in the page's language (codemirror.net/docs/ref/#state.EditorState^phrases)."""
    return {word: texts(key) for word, key in _EDITOR_WORDS.items()}


@functools.cache
def make() -> jinja2.Environment:
    """One for the process: it keeps the templates that it has compiled."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("daemun.dashboard"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        number=figures.number,
        size=figures.size,
        percent=figures.percent,
        seconds=figures.seconds,
        moment=figures.moment,
        stamp=figures.stamp,
        complete=cures.complete,
    )
    environment.globals.update(
        asset=asset,
        author=change_authors.describe,
        polylines=figures.polylines,
        graph_rows=figures.graph_rows,
        span=figures.span,
        editor_words=editor_words,
        entries=page_frame.ENTRIES,
        languages=page_texts.LANGUAGES,
    )
    return environment


def render(
    environment: jinja2.Environment,
    template: str,
    page: page_frame.Frame,
    *,
    now: datetime.datetime | None = None,
    **values: typing.Any,
) -> str:
    """A page. now: for what says how long ago something was."""
    texts = page_texts.Texts(page.language)
    now = now or datetime.datetime.now(datetime.UTC)
    declared = functools.partial(declared_texts.translate, language=page.language)
    found = {"page": page, "t": texts, "declared": declared, "nonce": page.nonce, "now": now}
    return environment.get_template(template).render(**found, **values)
