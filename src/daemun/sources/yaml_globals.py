"""What stands in daemun.yaml beside its sites becomes the settings of the model."""

from daemun.core import model
from daemun.core.options import catalogue
from daemun.sources import yaml_context, yaml_ordering, yaml_top


def translate(context: yaml_context.Context) -> model.Globals:
    """Raises nothing; a file that is no map gives the defaults."""
    entry, faults = context.read_part(yaml_top.FILE, ())
    for fault in faults:
        context.report(fault)
    entry = entry or yaml_top.FILE()
    return model.Globals(
        listen_http=tuple(entry.listen.http),
        listen_https=tuple(entry.listen.https),
        acme=yaml_ordering.translate_acme(context, entry.acme),
        default=_default(context, entry.default),
        options=catalogue.values(**entry.given(catalogue.BY_NAME)),
        like_nginx_proxy=entry.compat == "nginx-proxy",
        snippet=context.snippet(entry.nginx, ("nginx",), host=None),
        snippet_origin=context.origin(context.document.locate(("nginx",))) if entry.nginx else model.NOWHERE,
    )


def _default(context: yaml_context.Context, entry: yaml_top.DefaultEntry) -> model.Default:
    mark = context.document.locate(("default",))
    origin = context.origin(mark) if context.document.find(("default",)) else model.NOWHERE
    if entry.site is not None and entry.redirect is not None:
        context.report_at(("default",), "expected either `site` or `redirect`, found both")
        return model.Default(origin=origin)
    if entry.site is not None:
        return model.Default(kind=model.DefaultKind.SITE, host=entry.site, origin=origin)
    if entry.redirect is not None:
        redirect = model.Redirect(to=entry.redirect, options=catalogue.values(status=entry.status))
        return model.Default(kind=model.DefaultKind.REDIRECT, redirect=redirect, origin=origin)
    return model.Default(origin=origin)
