"""From what is desired to the files nginx reads. Pure: equal input gives equal bytes.

The tree: nginx.conf; sites/NAME.conf, one per enabled site; and what those include. `generation.conf`, which nginx.conf
includes too, is added by the nginx adapter: it holds the server that says which generation answers.
"""

from daemun.core import directive, model, plan
from daemun.core.render import default, environment, hold, main, mime, serialise, server, site
from daemun.core.render import scope as scope_
from daemun.errors import RenderError


def render_files(desired: model.Desired, env: environment.Environment) -> dict[str, bytes]:
    """Render every file of a generation but generation.conf.

    Returns: path relative to the generation's folder -> UTF-8 content, sorted by path.
    Raises: RenderError when a value cannot be written safely or nginx cannot do it; names site and route.
    """
    main.check_state(env.layout.state)
    settings = desired.globals
    if (settings.trusted_proxies or settings.proxy_protocol) and environment.Feature.REALIP not in env.nginx.features:
        raise RenderError(
            "cannot render trusted_proxies or the PROXY protocol: this nginx was built without the realip module"
        )
    trees: dict[str, tuple[directive.Node, ...]] = {
        "nginx.conf": main.nodes(desired, env),
        main.MIME: mime.nodes(),
        server.LISTEN_HTTP: server.listen_file(settings, settings.listen_http, ipv6=env.ipv6),
        server.LISTEN_HTTPS: server.listen_file(settings, settings.listen_https, "ssl", ipv6=env.ipv6),
        server.CHALLENGE: server.challenge_file(env),
        hold.HOLD: hold.file(buffered=True),
        hold.HOLD_UNBUFFERED: hold.file(buffered=False),
    }
    if settings.snippet:
        title = directive.Comment(f"Hand-written nginx for the http level{scope_.place(settings.snippet_origin)}")
        trees[main.SNIPPET] = (title, *settings.snippet)
    files = {path: serialise.serialise(nodes) for path, nodes in trees.items()}
    chosen = default.default_site(desired)
    for one in desired.enabled:
        files[plan.site_file(one.host)] = render_site(
            one, env, is_default=chosen is not None and one.host == chosen.host, settings=settings
        )
    return dict(sorted(files.items()))


def render_site(
    one: model.Site, env: environment.Environment, *, is_default: bool = False, settings: model.Globals | None = None
) -> bytes:
    """Render the file of one site. is_default: it serves unknown names too. Raises: RenderError."""
    settings = settings or model.Globals()
    nodes = site.nodes(scope_.Scope(site=one, environment=env, is_default=is_default, settings=settings))
    return _serialise(one, nodes)


def render_unavailable(
    one: model.Site, env: environment.Environment, *, settings: model.Globals | None = None
) -> bytes:
    """Render the same names with nothing but a 503 page, for a site that cannot be served as configured.

    Raises: RenderError when the names themselves cannot be written.
    """
    scope = scope_.Scope(site=one, environment=env, settings=settings or model.Globals())
    return _serialise(one, site.unavailable_nodes(scope))


def _serialise(one: model.Site, nodes: tuple[directive.Node, ...]) -> bytes:
    try:
        return serialise.serialise(nodes)
    except RenderError as error:
        raise RenderError(f'cannot render site "{one.host}"{scope_.place(one.origin)}: {error}') from error
