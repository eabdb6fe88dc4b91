"""The site of the public status page (`core.options.status_page_option`): daemun's own, which no source has. Pure."""

from daemun.core import model
from daemun.core.access import access_levels
from daemun.core.options import access_option, catalogue, header_options, status_page_option

_HEADERS = (
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'",
    ),
    ("Cache-Control", "no-cache"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)


def make(settings: model.Globals) -> model.Site | None:
    """None: there is none. Conditions of the gate that a judge has no part in hold there, too."""
    found = status_page_option.OPTION.of(settings)
    if found is None:
        return None
    origin = status_page_option.ORIGIN
    page = model.Route(path="/", action=model.Redirect(to=f"https://{found.host}/"), origin=origin)
    access = access_levels.without_judges(settings)
    options = catalogue.values(access_option.OPTION.set(access), header_options.RESPONSE.set(_HEADERS))
    return model.Site(host=found.host, routes=(page,), options=options, origin=origin)


def is_it(site: model.Site) -> bool:
    return site.origin == status_page_option.ORIGIN
