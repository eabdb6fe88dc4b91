"""What daemun.yaml says beside its sites becomes the settings of the model."""

from daemun.core import model
from daemun.core.options import catalogue
from daemun.sources import yaml_alerts, yaml_context, yaml_ordering, yaml_positions, yaml_top


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
        alerts=_alerts(context, entry.alerts),
        default=_default(context, entry.default),
        trusted_proxies=tuple(entry.trusted_proxies),
        proxy_headers=tuple(entry.proxy_headers),
        options=entry.options(),
        logs=entry.logs.translate(),
        docker=_docker(context, entry.docker),
        like_nginx_proxy=entry.compat == "nginx-proxy",
        workers=entry.workers,
        old_workers=entry.old_workers.translate(),
        user=entry.user,
        snippet=context.snippet(entry.nginx, ("nginx",), host=None),
        snippet_origin=context.origin(context.document.locate(("nginx",))) if entry.nginx else model.NOWHERE,
    )


def _default(context: yaml_context.Context, entry: yaml_top.DefaultEntry) -> model.Default:
    mark = context.document.locate(("default",))
    origin = context.origin(mark) if context.document.find(("default",)) else model.NOWHERE
    if entry.site is not None and entry.redirect is not None:
        message = "default: expected either `site` or `redirect`, found both"
        context.report(yaml_positions.YamlFault(message=message, mark=mark))
        return model.Default(origin=origin)
    if entry.site is not None:
        return model.Default(kind=model.DefaultKind.SITE, host=entry.site, origin=origin)
    if entry.redirect is not None:
        redirect = model.Redirect(to=entry.redirect, options=catalogue.values(status=entry.status))
        return model.Default(kind=model.DefaultKind.REDIRECT, redirect=redirect, origin=origin)
    return model.Default(origin=origin)


def _docker(context: yaml_context.Context, entry: yaml_top.DockerEntry) -> model.Docker:
    tls = entry.tls
    return model.Docker(
        is_on=entry.endpoint != "off",
        endpoint=None if entry.endpoint in {"auto", "off"} else entry.endpoint,
        tls=None
        if tls is None
        else model.DockerTls(
            ca=context.absolute(tls.ca), certificate=context.absolute(tls.cert), key=context.absolute(tls.key)
        ),
        reserved=tuple(entry.reserve),
        tenants=entry.tenants,
        shared=tuple((host, tuple(projects)) for host, projects in entry.share.items()),
    )


def _alerts(context: yaml_context.Context, entry: yaml_alerts.AlertsEntry) -> model.Alerts:
    return model.Alerts(
        webhooks=tuple(model.Webhook(url=context.secret(url)) for url in entry.webhook),
        ntfy=tuple(
            model.Ntfy(url=context.secret(one.url), token=None if one.token is None else context.secret(one.token))
            for one in entry.ntfy
        ),
        mails=tuple(
            model.Mail(
                server=one.server,
                sender=one.sender,
                recipients=tuple(one.to),
                port=one.port,
                security=one.security,
                user=one.user,
                password=None if one.password is None else context.secret(one.password),
            )
            for one in entry.smtp
        ),
    )
