"""What no template and no script of the dashboard may hold, and that every component shows hostile values as text."""

import gzip
import pathlib
import re

import jinja2
import pytest

from daemun import dashboard
from tests.support import gallery, page_elements

FOLDER = pathlib.Path(dashboard.__file__).parent
TEMPLATES = sorted((FOLDER / "templates").rglob("*.html"))
SCRIPTS = sorted((FOLDER / "static").glob("*.js"))

_FORBIDDEN = {
    "an inline style": r"\sstyle\s*=|<style\b",
    "an event by attribute": r"\son[a-z]+\s*=",
    "htmx code by attribute (hx-on)": r"hx-on\b",
    "a filter in hx-trigger": r"hx-trigger\s*=\s*[\"'][^\"']*\[",
    "js: for htmx": r"=\s*[\"'][^\"']*\bj(?:s|avascript):",
    "what Jinja does not escape": r"\|\s*safe\b|\bMarkup\b|autoescape\s+false",
    "something loaded from elsewhere": r"(?:src|href|action|hx-[a-z]+)\s*=\s*[\"'](?:https?:)?//",
    "a script with text": r"<script\b(?![^>]*\bsrc=)",
}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_nothing_that_the_policy_forbids(path: pathlib.Path) -> None:
    text = re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.S)
    assert [name for name, pattern in _FORBIDDEN.items() if re.search(pattern, text, re.I)] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_elements_with_htmx_have_the_nonce_and_every_form_an_address(path: pathlib.Path) -> None:
    text = re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.S)
    for tag in re.findall(r"<[a-z][^<]*?>", text, re.S):
        if re.search(r"\shx-(?!nonce)[a-z:-]+=", tag):
            assert 'hx-nonce="{{ nonce }}"' in tag, tag
        if tag.startswith("<form") and "post" in tag:
            assert "action=" in tag, tag
        if tag.startswith("<script"):
            assert 'nonce="{{ nonce }}"' in tag, tag


def test_the_rules_notice_what_they_forbid() -> None:
    bad = (
        '<p style="a">', '<p onclick="x">', '<p hx-on:click="x">', '<p hx-trigger="click[a]">', "<p hx-vals='js:{}'>",
        "{{ a|safe }}", '<img src="https://a.test/">', '<a href="//a.test">', "<script>1</script>",
        '<a href="javascript:1">',
    )  # fmt: skip
    for text in bad:
        assert any(re.search(pattern, text, re.I) for pattern in _FORBIDDEN.values()), text


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_write_text_and_no_html(path: pathlib.Path) -> None:
    pattern = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|https?://|\.srcdoc"
    assert re.findall(pattern, path.read_text()) == []


@pytest.mark.parametrize("language", ["en", "ko"])
def test_components_show_hostile_values_as_text(language: str) -> None:
    page = gallery.render(language)
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") > 8
    elements = page_elements.Elements(page).found
    assert not [tag for tag, _ in elements if tag in ("img", "iframe", "object", "embed", "base", "style")]
    assert not [name for _, attributes in elements for name in attributes if name.startswith("on") or name == "style"]
    scripts = [attributes for tag, attributes in elements if tag == "script"]
    assert all(one.get("nonce") == "n0nce" and str(one.get("src")).startswith("/static/") for one in scripts)


def test_components_have_unique_ids_and_labels_that_lead_somewhere() -> None:
    elements = page_elements.Elements(gallery.render()).found
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert sorted(set(ids), key=str) == sorted(ids, key=str)
    for _, attributes in elements:
        for name in ("for", "aria-labelledby", "aria-describedby"):
            for target in (attributes.get(name) or "").split():
                assert target in ids


def test_who_has_not_signed_in_sees_no_entries() -> None:
    page = gallery.render(viewer=None)
    assert 'class="entries"' not in page and 'role="search"' not in page and "/sign-out" not in page
    assert 'class="entries"' in gallery.render()


def test_a_value_that_a_template_lacks_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        gallery.environment().from_string("{{ nothing }}").render()


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_class_has_a_style(path: pathlib.Path) -> None:
    """Or a script uses it. A word that the style does not know looks like nothing: it is written otherwise here."""
    styles = "".join(one.read_text() for one in [*(FOLDER / "static").glob("*.css"), *SCRIPTS])
    known = set(re.findall(r"\.([a-z][a-z0-9-]*)", styles))
    text = re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.S)
    # What is put together of values is left out.
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "\0", text, flags=re.S)
    names = " ".join(re.findall(r'\bclass="([^"]*)"', text)).split()
    assert {name for name in names if "\0" not in name} - known == set()


LIGHTEST = 60_000
"""Bytes of scripts and styles that a page may load, compressed; the editor's page has more."""


def _assets(path: pathlib.Path) -> set[str]:
    """What a page loads beside the frame's own."""
    text = path.read_text()
    found = set(re.findall(r"""(?:asset|ui\.script|script)\(\s*["']([^"']+\.(?:js|css))["']""", text))
    if re.search(r"graph_scripts\(\)", text):
        found |= {"vendor/uplot.js", "graph.js", "vendor/uplot.css"}
    return found


@pytest.mark.parametrize("path", [*TEMPLATES, gallery.TEMPLATE], ids=lambda path: path.name)
def test_pages_are_light(path: pathlib.Path) -> None:
    names = _assets(FOLDER / "templates/base.html") | _assets(path)
    if path.name == "macros.html" or "vendor/editor.js" in names:
        return
    assert sum(len(gzip.compress((FOLDER / "static" / name).read_bytes(), 6)) for name in names) <= LIGHTEST
