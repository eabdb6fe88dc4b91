"""What pages need, imported and read before the process gives up its rights: it may open no file afterwards."""

import importlib
import pkgutil
import types

import jinja2

from daemun.dashboard import page_environment, page_texts, pages, static_assets


def load_pages() -> tuple[types.ModuleType, ...]:
    """The modules of the folder pages that have `routes`, by their names."""
    names = sorted(one.name for one in pkgutil.iter_modules(pages.__path__) if one.name.endswith("_pages"))
    return tuple(importlib.import_module(f"{pages.__name__}.{name}") for name in names)


def load_templates(environment: jinja2.Environment) -> None:
    """Compile every template, and read every text and what they load."""
    for name in environment.list_templates():
        environment.get_template(name)
    for language in page_texts.LANGUAGES:
        page_texts.read_all(language)
    for name in static_assets.load():
        page_environment.asset(name)
