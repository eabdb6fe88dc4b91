"""A checked daemun.yaml becomes the model. Each function turns one part of the file into one value."""

import collections.abc
import os.path
import pathlib

from daemun.core import model, words
from daemun.sources import nginx_snippet, values, yaml_acme, yaml_alerts, yaml_positions, yaml_schema, yaml_words

SOURCE = "file"


class Translation:
    """One file on its way into the model: what is good becomes values, what is not becomes `problems`.

    file_name: how messages call the file. base_dir: the absolute folder that relative paths start from.
    incomplete: the places of sites that lost routes or all their options to a problem.
    """

    def __init__(self, document: yaml_positions.Document, *, file_name: str, base_dir: pathlib.Path) -> None:
        self.document = document
        self.problems: list[model.Problem] = []
        self._file_name = file_name
        self._base_dir = base_dir
        self._sites: dict[str, yaml_positions.Path] = {}
        self.incomplete: set[str] = set()

    # --- places and problems ---

    def origin(self, mark: yaml_positions.Mark) -> model.Origin:
        return model.Origin(source=SOURCE, place=f"{self._file_name}:{mark}")

    def report(self, fault: yaml_positions.Fault, *, host: str | None = None) -> None:
        self.problems.append(model.Problem(origin=self.origin(fault.mark), message=fault.message, host=host))

    def place(self, problem: model.Problem) -> model.Problem:
        """The same problem at the line and column of its field. A site is known by its place: its host may be twice."""
        path = self._sites.get(problem.origin.place, ()) if problem.host is not None else ()
        if (problem.host is not None and not path) or not problem.field:
            return problem
        is_route = len(problem.field) == 2 and problem.field[0] == "routes"
        mark = self.document.locate((*path, *problem.field), key=is_route)
        return model.Problem(
            origin=self.origin(mark),
            message=problem.message,
            host=problem.host,
            severity=problem.severity,
            field=problem.field,
        )

    # --- the top of the file ---

    def settings(self) -> model.Globals:
        """Raises nothing; a file that is no map gives the defaults."""
        entry, faults = yaml_schema.read_part(yaml_schema.FileEntry, self.document, ())
        for fault in faults:
            self.report(fault)
        entry = entry or yaml_schema.FileEntry()
        return model.Globals(
            listen_http=tuple(entry.listen.http),
            listen_https=tuple(entry.listen.https),
            acme=self._acme(entry.acme),
            alerts=self._alerts(entry.alerts),
            default=self._default(entry.default),
            trusted_proxies=tuple(entry.trusted_proxies),
            logs=model.Logs(access=entry.logs.access, max_bytes=entry.logs.max_size, keep=entry.logs.keep),
            docker=self._docker(entry.docker),
            like_nginx_proxy=entry.compat == "nginx-proxy",
            workers=entry.workers,
            old_workers=model.OldWorkers(
                generations=entry.old_workers.generations,
                memory_bytes=entry.old_workers.memory,
                wait_s=entry.old_workers.wait,
                sockets_per_s=entry.old_workers.per_second,
            ),
            user=entry.user,
            snippet=self._snippet(entry.nginx, ("nginx",), host=None),
            snippet_origin=self.origin(self.document.locate(("nginx",))) if entry.nginx else model.NOWHERE,
        )

    def _acme(self, entry: yaml_acme.AcmeEntry) -> model.Acme:
        if entry.eab is not None and len(entry.directory) > 1:
            message = (
                'key "eab": belongs to one of several directories; write `{directory: NAME, eab: ...}` in the list'
            )
            self.report(yaml_positions.Fault(message=message, mark=self.document.locate(("acme", "eab"))))
        return model.Acme(
            authorities=tuple(self._authority(one, entry) for one in entry.directory),
            profile=entry.profile,
            challenge=entry.challenge,
            dns=self._dns(entry.dns),
            hook=tuple(entry.hook),
            resolvers=tuple(entry.resolvers),
        )

    def _authority(self, entry: yaml_acme.AuthorityEntry, usual: yaml_acme.AcmeEntry) -> model.Authority:
        """usual: what holds where the entry says nothing."""
        ca_file, eab = entry.ca_file or usual.ca_file, entry.eab or usual.eab
        return model.Authority(
            directory=entry.directory,
            email=entry.email or usual.email,
            ca_file=None if ca_file is None else self._absolute(ca_file),
            eab=None if eab is None else model.Eab(key_id=eab.kid, hmac_key=self._secret(eab.hmac_key)),
            staging=entry.staging or usual.staging or yaml_acme.STAGINGS.get(entry.directory),
        )

    def _dns(self, entry: yaml_acme.DnsEntry | None) -> model.Dns | None:
        if entry is None:
            return None
        options = ((name, self._secret(value)) for name, value in (entry.__pydantic_extra__ or {}).items())
        return model.Dns(
            provider=entry.provider,
            options=tuple(sorted(options, key=lambda option: option[0])),
            command=tuple(entry.command),
            wait_s=entry.wait,
        )

    def _secret(self, secret: model.Secret) -> model.Secret:
        return secret if secret.file is None else model.Secret(file=self._absolute(secret.file))

    def _alerts(self, entry: yaml_alerts.AlertsEntry) -> model.Alerts:
        return model.Alerts(
            webhooks=tuple(model.Webhook(url=self._secret(url)) for url in entry.webhook),
            ntfy=tuple(
                model.Ntfy(url=self._secret(one.url), token=None if one.token is None else self._secret(one.token))
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
                    password=None if one.password is None else self._secret(one.password),
                )
                for one in entry.smtp
            ),
        )

    def _docker(self, entry: yaml_schema.DockerEntry) -> model.Docker:
        tls = entry.tls
        return model.Docker(
            is_on=entry.endpoint != "off",
            endpoint=None if entry.endpoint in {"auto", "off"} else entry.endpoint,
            tls=None
            if tls is None
            else model.DockerTls(
                ca=self._absolute(tls.ca), certificate=self._absolute(tls.cert), key=self._absolute(tls.key)
            ),
            reserved=tuple(entry.reserve),
        )

    def _default(self, entry: yaml_schema.DefaultEntry) -> model.Default:
        mark = self.document.locate(("default",))
        origin = self.origin(mark) if self.document.find(("default",)) else model.NOWHERE
        if entry.site is not None and entry.redirect is not None:
            message = 'key "default": expected either `site` or `redirect`, found both'
            self.report(yaml_positions.Fault(message=message, mark=mark))
            return model.Default(origin=origin)
        if entry.site is not None:
            return model.Default(kind=model.DefaultKind.SITE, host=entry.site, origin=origin)
        if entry.redirect is not None:
            redirect = model.Redirect(to=entry.redirect, status=entry.status)
            return model.Default(kind=model.DefaultKind.REDIRECT, redirect=redirect, origin=origin)
        return model.Default(origin=origin)

    # --- sites ---

    def sites(self) -> tuple[model.Site, ...]:
        """Every site that is named, as far as it can be read: those in `incomplete` miss what was reported."""
        raw = self.document.value
        found = raw.get("sites") if isinstance(raw, dict) else None
        if isinstance(found, dict):
            return tuple(self._site(host) for host in found)
        if not isinstance(raw, dict):
            return ()
        message = f"`sites` is missing; {yaml_words.MINIMAL_FILE}"
        if "sites" in raw:
            message = (
                f"sites: expected a map of host names, found {words.describe(found)}; none at all is `sites: {{}}`"
            )
        self.report(yaml_positions.Fault(message=message, mark=self.document.locate(("sites",))))
        return ()

    def _site(self, key: str) -> model.Site:
        path = ("sites", key)
        origin = self.origin(self.document.keys[path])
        self._sites[origin.place] = path
        host = self._host(key)
        entry = None if self._mixes_paths_and_options(path, host) else self._read_site(path, host)
        if entry is None:
            self.incomplete.add(origin.place)
            return model.Site(host=host, origin=origin)
        routes = [self._route(path, route_path, host=host) for route_path in entry.routes]
        if None in routes:
            self.incomplete.add(origin.place)
        good = sorted((route for route in routes if route is not None), key=lambda route: route.path)
        self._sites.update({route.origin.place: path for route in good})
        tls = self._tls(entry.tls)
        return model.Site(
            host=host,
            aliases=tuple(entry.aliases),
            redirect_aliases=entry.redirect_aliases,
            tls=tls,
            http=self._http(entry, tls, path, host),
            hsts=make_hsts(entry.hsts),
            on_demand=make_on_demand(entry.on_demand),
            enabled=entry.enabled,
            routes=tuple(good),
            snippet=self._snippet(entry.nginx, (*path, "nginx"), host=host),
            origin=origin,
        )

    def _host(self, key: str) -> str:
        """What has no IDNA form stays as it is, for `core.validate` to refuse."""
        try:
            return values.parse_host(key)
        except ValueError:
            return key

    def _read_site(self, path: yaml_positions.Path, host: str) -> yaml_schema.SiteEntry | None:
        entry, faults = yaml_schema.read_part(yaml_schema.SiteEntry, self.document, path)
        for fault in faults:
            self.report(fault, host=host)
        return entry

    def _mixes_paths_and_options(self, path: yaml_positions.Path, host: str) -> bool:
        value = self.document.get(path)
        if not isinstance(value, dict):
            return False
        paths = [key for key in value if key.startswith("/")]
        if not paths or len(paths) == len(value):
            return False
        option = next(key for key in value if not key.startswith("/"))
        message = (
            f"path {words.quoted(paths[0])} stands beside option {words.quoted(option)}; a site with options has its "
            "paths under `routes:`"
        )
        self.report(yaml_positions.Fault(message=message, mark=self.document.keys[(*path, paths[0])]), host=host)
        return True

    def _tls(self, entry: yaml_acme.TlsWord | yaml_acme.TlsFilesEntry | yaml_acme.TlsOrderEntry) -> model.Tls:
        if isinstance(entry, yaml_acme.TlsWord):
            return model.Tls(mode=model.TlsMode(entry.value))
        if isinstance(entry, yaml_acme.TlsOrderEntry):
            return model.Tls(
                mode=model.TlsMode(entry.mode.value),
                ordering=model.Ordering(
                    authority=None
                    if entry.directory is None
                    else self._authority(entry.directory, yaml_acme.AcmeEntry()),
                    profile=entry.profile,
                    challenge=entry.challenge,
                    dns=self._dns(entry.dns),
                ),
            )
        return model.Tls(
            mode=model.TlsMode.FILES,
            certificate=self._absolute(entry.certificate),
            key=self._absolute(entry.key),
        )

    def _http(
        self, entry: yaml_schema.SiteEntry, tls: model.Tls, path: yaml_positions.Path, host: str
    ) -> model.HttpMode:
        """Without HTTPS there is nowhere to redirect to."""
        if tls.mode is not model.TlsMode.OFF:
            return entry.http or model.HttpMode.REDIRECT
        if entry.http is model.HttpMode.REDIRECT:
            message = 'key "http": cannot redirect to HTTPS, because tls is off; write `http: serve`'
            self.report(yaml_positions.Fault(message=message, mark=self.document.locate((*path, "http"))), host=host)
        return entry.http or model.HttpMode.SERVE

    # --- routes ---

    def _route(self, site: yaml_positions.Path, route_path: str, *, host: str) -> model.Route | None:
        path = self._route_place(site, route_path)
        entry, faults = yaml_schema.read_part(yaml_schema.RouteEntry, self.document, path)
        for fault in faults:
            self.report(fault, host=host)
        if entry is None:
            return None
        if not faults:
            self._report_misplaced(entry, path, host)
        action = self._action(entry, path, host, silent=bool(faults))
        snippet = self._snippet(entry.nginx, (*path, "nginx"), host=host)
        if action is None:
            return None
        return model.Route(
            path=route_path,
            action=action,
            max_body_bytes=entry.max_body,
            request_headers=tuple(entry.request_headers.items()),
            response_headers=tuple(entry.response_headers.items()),
            snippet=snippet,
            origin=self.origin(self.document.keys.get(path, self.document.locate(path))),
        )

    def _route_place(self, site: yaml_positions.Path, route_path: str) -> yaml_positions.Path:
        """Where a route is written: under `routes`, right under the site, or as the site's own value."""
        return self.document.find((*site, "routes", route_path))

    def _action(
        self, entry: yaml_schema.RouteEntry, path: yaml_positions.Path, host: str, *, silent: bool
    ) -> model.Proxy | model.Redirect | model.Files | None:
        given = [key for key in yaml_schema.ACTION_OPTIONS if getattr(entry, key) is not None]
        if len(given) != 1:
            found = words.listed([f"`{key}`" for key in given], last="and") if given else "none of them"
            message = f"{yaml_schema.label(path)}: expected one of `to`, `redirect` or `files`, found {found}"
            if not silent:
                self.report(yaml_positions.Fault(message=message, mark=self.document.locate(path)), host=host)
            return None
        if entry.redirect is not None:
            return model.Redirect(to=entry.redirect, status=entry.status)
        if entry.files is not None:
            return model.Files(folder=self._absolute(entry.files), spa=entry.spa, listing=entry.listing)
        return self._proxy(entry)

    def _report_misplaced(self, entry: yaml_schema.RouteEntry, path: yaml_positions.Path, host: str) -> None:
        """A key that the route's action does not look at would be a wish that silently does not come true."""
        for action, options in yaml_schema.ACTION_OPTIONS.items():
            if getattr(entry, action) is not None:
                continue
            for key in sorted(options & entry.model_fields_set):
                message = f"key {words.quoted(key)} has a meaning only beside `{action}`"
                self.report(yaml_positions.Fault(message=message, mark=self._key_mark((*path, key))), host=host)

    def _key_mark(self, path: yaml_positions.Path) -> yaml_positions.Mark:
        return self.document.keys.get(path, self.document.locate(path))

    def _proxy(self, entry: yaml_schema.RouteEntry) -> model.Proxy:
        tls = model.UpstreamTls(
            verify=entry.verify is not False,
            ca_file=self._absolute(entry.verify) if isinstance(entry.verify, str) else None,
            name=entry.server_name,
        )
        return make_proxy(entry, targets=tuple(_target(target) for target in entry.to or ()), tls=tls)

    # --- texts ---

    def _snippet(self, text: str, path: yaml_positions.Path, *, host: str | None) -> model.Snippet:
        if not text:
            return ()
        try:
            return nginx_snippet.parse_snippet(text)
        except nginx_snippet.SnippetError as error:
            mark = self.document.text_mark(self.document.find(path), error.line)
            message = f"cannot use the hand-written nginx: {error}"
            self.report(yaml_positions.Fault(message=message, mark=mark), host=host)
            return ()

    def _absolute(self, path: str) -> str:
        return os.path.normpath(self._base_dir / path) if path else path


def make_hsts(entry: yaml_schema.HstsEntry | None) -> model.Hsts | None:
    """None when the site does not say it."""
    if entry is None:
        return None
    return model.Hsts(
        max_age_s=round(entry.max_age), include_subdomains=entry.include_subdomains, preload=entry.preload
    )


def make_on_demand(entry: yaml_acme.OnDemandEntry | None) -> model.OnDemand | None:
    return None if entry is None else model.OnDemand(ask=entry.ask, per_minute=entry.per_minute, most=entry.most)


def make_proxy(
    entry: yaml_schema.RouteEntry, *, targets: tuple[model.Target, ...], tls: model.UpstreamTls
) -> model.Proxy:
    """A route to these servers with the options of the entry."""
    balance, hash_key = entry.balance
    return model.Proxy(
        targets=targets,
        balance=balance,
        hash_key=hash_key,
        tls=tls,
        timeouts=model.Timeouts(
            connect_s=entry.timeout.connect,
            read_s=entry.timeout.read,
            send_s=entry.timeout.send,
            idle_s=entry.timeout.idle,
        ),
        retries=entry.retries,
        buffering=entry.buffering,
        host_header=entry.host_header,
        document_root=entry.root,
        index=entry.index,
        health=entry.health.translate() if entry.health is not None else None,
        hold_s=entry.hold,
        keepalive=entry.keepalive,
    )


def _target(entry: yaml_schema.TargetEntry) -> model.Target:
    return model.Target(
        scheme=entry.url.scheme,
        host=entry.url.host,
        port=entry.url.port,
        socket=entry.url.socket,
        path=entry.url.path,
        weight=entry.weight,
        backup=entry.backup,
        down=entry.down,
        max_fails=entry.max_fails,
        fail_timeout_s=entry.fail_timeout,
        max_connections=entry.max_connections,
    )


def collect(problems: collections.abc.Iterable[model.Problem]) -> tuple[model.Problem, ...]:
    """In the order of the file, each once."""

    def place(problem: model.Problem) -> tuple[int, ...]:
        return tuple(int(part) for part in problem.origin.place.rsplit(":", 2)[1:] if part.isdigit())

    return tuple(dict.fromkeys(sorted(problems, key=place)))
