"""A checked daemun.yaml becomes the model."""

import collections.abc
import dataclasses
import pathlib
import typing

from daemun.core import model, value_parsers
from daemun.core.options import (
    app_option,
    catalogue,
    from_option,
    http_option,
    option,
    rewrite_option,
    site_listen_form,
    streams_option,
    tls_option,
    when_option,
)
from daemun.core.texts import cures, route_paths, url_rules, words
from daemun.sources import (
    app_paths,
    app_preset,
    known_apps,
    yaml_check,
    yaml_context,
    yaml_defaults,
    yaml_entry,
    yaml_globals,
    yaml_include,
    yaml_over_containers,
    yaml_positions,
    yaml_route,
    yaml_site,
    yaml_suggestions,
    yaml_words,
)

_OF_SITES = frozenset(one.name for one in catalogue.SITE)


class Translation(yaml_context.Context):
    """One file on its way into the model: what is good becomes values, what is not becomes `problems`.

    incomplete: the places of sites that lost routes or all their options to a problem. defaults: of its sites.
    """

    def __init__(
        self,
        document: yaml_positions.Document,
        *,
        file_name: str,
        base_dir: pathlib.Path,
        including: yaml_defaults.Defaults | None = None,
        apps: known_apps.KnownApps = known_apps.BUILT_IN,
    ) -> None:
        """including: the defaults of the file that names this one with `include`; None: this is daemun.yaml itself."""
        super().__init__(document, file_name=file_name, base_dir=base_dir)
        self._apps = apps
        self.incomplete: set[str] = set()
        self.is_included = including is not None
        self._sites: dict[str, yaml_positions.Path] = {}
        self.defaults = self._read_defaults() if including is None else including
        self._written: dict[tuple[yaml_positions.Path, str], str] = {}
        """How the path of a route is written, where that is otherwise ("/api/*")."""

    def _read_defaults(self) -> yaml_defaults.Defaults:
        """What is wrong with them is reported with the top of the file."""
        raw = self.document.value
        if not isinstance(raw, dict) or not isinstance(raw.get(yaml_defaults.KEY), dict):
            return yaml_defaults.NONE
        entry, _ = self.read_part(yaml_defaults.DEFAULTS, (yaml_defaults.KEY,))
        return yaml_defaults.Defaults(entry, raw[yaml_defaults.KEY])

    def place(self, problem: model.Problem) -> model.Problem:
        """The same problem at the line and column of its field. A site is identified by its place: its host may be
        twice."""
        path = self._sites.get(problem.origin.place, ()) if problem.host is not None else ()
        if (problem.host is not None and not path) or not problem.field:
            return problem
        field = problem.field if path else yaml_globals.find_home(self, problem.field)
        is_route = len(field) == 2 and field[0] == "routes"
        if len(field) > 1 and field[0] == "routes":
            field = ("routes", self._written.get((path, str(field[1])), field[1]), *field[2:])
        mark = self.document.locate((*path, *field), key=is_route)
        return dataclasses.replace(problem, origin=self.origin(mark))

    def report_fault(self, fault: yaml_positions.YamlFault) -> None:
        """One of the document: what is inside a site is a problem of that site."""
        is_of_site = fault.path[:1] == ("sites",) and len(fault.path) > 1
        self.report(fault, host=self._host(str(fault.path[1])) if is_of_site else None)

    def settings(self) -> model.Globals:
        """Of a file that another one includes, its streams."""
        if self.is_included:
            return yaml_globals.translate_included(self)
        return yaml_globals.translate(self)

    # --- sites ---

    def sites(self) -> tuple[model.Site, ...]:
        """Every site that is named, as far as it can be read: those in `incomplete` miss what was reported."""
        raw = self.document.value
        found = raw.get("sites") if isinstance(raw, dict) else None
        if isinstance(found, dict):
            return tuple(self._site(host) for host in found)
        beside = streams_option.OPTION.name if self.is_included else yaml_include.KEY
        stray, slip = yaml_check.find_stray_sites(raw), yaml_check.find_slip_of_sites(raw)
        if not isinstance(raw, dict) or ("sites" not in raw and beside in raw and not (stray or slip)):
            return ()
        message = yaml_words.LACKS_SITES if not self.is_included else yaml_words.INCLUDED_LACKS_SITES
        mark = self.document.locate(("sites",))
        if stray:
            hosts = words.listed([words.quoted(host) for host in stray[:3]], last="and")
            more = f" and {len(stray) - 3} more" if len(stray) > 3 else ""
            message = f"`sites:` is missing above {hosts}{more}; write it on a line of its own, and indent them below"
            mark = self._key_mark((stray[0],))
        elif slip is not None:
            message, mark = f'unknown key {words.quoted(slip)}: did you mean "sites"?', self._key_mark((slip,))
        if "sites" in raw:
            cure = yaml_words.hint_at_colon(found) or "; none at all is `sites: {}`"
            if yaml_suggestions.is_map_behind_dashes(found):
                cure = '; leave out the "-" before each host'
            message = f"sites: expected a map of host names, found {words.describe(found)}{cure}"
        self.report(yaml_positions.YamlFault(message=message, mark=mark, path=("sites",)))
        return ()

    def _site(self, key: str) -> model.Site:
        path = ("sites", key)
        origin = self.origin(self.document.keys[path])
        self._sites[origin.place] = path
        host = self._host(key)
        if (home := yaml_check.find_home_of_stray(key, self.document.get(path))) is not None:
            self.report_at(path, home, host=host, mark=self.document.keys[path])
            self.incomplete.add(origin.place)
            return model.Site(host=host, enabled=not self._is_off(path), origin=origin)
        sorted_out = self._sort_out(path, host)
        entry = self._read_site(path, host, instead=sorted_out)
        if entry is None or sorted_out is not None:
            self.incomplete.add(origin.place)
        if entry is None:
            return model.Site(host=host, enabled=not self._is_off(path), origin=origin)
        self._report_same_paths(path, entry.routes, host)
        app = self._find_app(entry, path, host)
        self._over = yaml_over_containers.KeysOver(entry)
        routes = [one for route_path in entry.routes for one in self._routes(path, route_path, host=host, app=app)]
        if entry.php is not None:
            routes.append(self._php_route(path, entry, host, app))
        elif self._over.lies_over and app is not None and "/" not in entry.routes:
            routes.append(self._route(path, "/", host, None, app=app, instead={}))
        if None in routes:
            self.incomplete.add(origin.place)
        written = [route for route in routes if route is not None]
        good = sorted(
            (*written, *self._app_routes(written, path, host, app)), key=lambda route: route_paths.order(route.path)
        )
        self._sites.update({route.origin.place: path for route in good})
        given = entry.given(_OF_SITES)
        if app is not None:
            self._warn_of_repeated(app, entry, path, host)
        given = self.defaults.for_site(entry, given if app is None else app.for_site(entry, given))
        listen = self._listen(entry.listen, given, path, host)
        if listen.https is not None and listen.http is None:
            given.setdefault(http_option.OPTION.name, model.HttpMode.OFF)
        given[from_option.OPTION.name] = self._over.make_overlay(given)
        given[http_option.OPTION.name] = self._http(given, path, host)
        return model.Site(
            host=host,
            http_port=listen.http,
            https_port=listen.https,
            **catalogue.as_fields(given),
            routes=tuple(good),
            snippet=self.snippet(entry.nginx, (*path, "nginx"), host=host),
            origin=origin,
        )

    def _report_same_paths(self, site: yaml_positions.Path, paths: collections.abc.Iterable[str], host: str) -> None:
        """ "/api/*" is "/api/"."""
        seen: dict[str, str] = {}
        for path in paths:
            first = seen.setdefault(route_paths.normal(path), path)
            if first != path:
                place = self._route_place(site, path)
                cause = f"is the same as {words.quoted(first)}; keep one of them"
                self.report_at(place, cause, host=host, mark=self._key_mark(place))

    def _host(self, key: str) -> str:
        """What has no IDNA form stays as it is, for `validation.validate` to refuse."""
        try:
            return value_parsers.parse_host(key)
        except ValueError:
            return key

    def _read_site(self, path: yaml_positions.Path, host: str, *, instead: object = None) -> yaml_site.SiteEntry | None:
        entry, faults = self.read_part(yaml_site.SITE, path, instead=instead)
        for fault in faults:
            self.report(fault, host=host)
        return entry

    def _is_off(self, path: yaml_positions.Path) -> bool:
        """Whether a site is switched off, whatever else it sets."""
        value = self.document.get(path)
        return isinstance(value, dict) and value.get("enabled") is False

    def _sort_out(self, path: yaml_positions.Path, host: str) -> dict[str, object] | None:
        """A site whose paths stand beside its options, or without their slash, with all that can be read where it
        belongs, so that this hides no other mistake. None: there is no problem."""
        value = self.document.get(path)
        if not isinstance(value, dict):
            return None
        paths = {key: one for key, one in value.items() if route_paths.is_written(key)}
        bare = [key for key in value if yaml_check.is_meant_as_path(key, value[key], beside_paths=bool(paths))]
        options = {key: one for key, one in value.items() if key not in paths and key not in bare}
        for key in bare:
            bare_path = key.rpartition(" ")[2].lstrip("/")  # without nginx's "=" and "^~" before it
            cure = cures.write(url_rules.check_route_path, f"/{bare_path}")
            before = ", or `~ ^/...` above the expressions that it is to go before" if key.startswith("^~") else ""
            cause = f'path {words.quoted(key)} must start with "/"{cure}{before}'
            self.report_at(path, cause, host=host, mark=self.document.keys[(*path, key)])
        if paths and options:
            first, option = words.quoted(next(iter(paths))), words.quoted(next(iter(options)))
            cause = f"path {first} stands beside option {option}; a site with options has its paths under `routes:`"
            self.report_at(path, cause, host=host, mark=self.document.keys[(*path, next(iter(paths)))])
        elif not bare:
            return None
        routes = options.get("routes")
        return {**options, "routes": {**(routes if isinstance(routes, dict) else {}), **paths}}

    def _listen(
        self,
        written: site_listen_form.SiteListen | None,
        given: dict[str, typing.Any],
        path: yaml_positions.Path,
        host: str,
    ) -> site_listen_form.SiteListen:
        """Without ports of its own, the gate's are the site's."""
        if written is None:
            return site_listen_form.SiteListen()
        tls = given.get(tls_option.OPTION.name, tls_option.OPTION.default)
        cause = site_listen_form.find_cause(written, tls, given.get(http_option.OPTION.name))
        if cause is None:
            return written
        found = {"http": written.http, "https": written.https}
        if self.document.get((*path, "listen")) == {name: port for name, port in found.items() if port is not None}:
            self.report_at((*path, "listen"), cause, host=host)  # else what is wrong was reported
        return site_listen_form.SiteListen()

    def _http(self, given: dict[str, typing.Any], path: yaml_positions.Path, host: str) -> model.HttpMode:
        name = http_option.OPTION.name
        written, tls = given.get(name), given.get(tls_option.OPTION.name, tls_option.OPTION.default)
        if (cause := http_option.find_cause(written, tls)) is not None:
            self.report_at((*path, name), cause, host=host)
        return http_option.choose(written, tls)

    # --- applications ---

    def _find_app(
        self, entry: yaml_entry.YamlEntry, path: yaml_positions.Path, host: str, around: app_preset.Preset | None = None
    ) -> app_preset.Preset | None:
        """What a site or a route names, which an unknown one is reported of. around: of its site."""
        name = getattr(entry, app_option.OPTION.name)
        if name is None or name == app_option.NONE:
            return around if name is None else None
        place = (*path, app_option.OPTION.name)
        app = self._apps.find(name)
        if app is None:
            self.report_at(place, self._apps.explain(name), host=host)
        return app

    def _app_routes(
        self, written: list[model.Route], path: yaml_positions.Path, host: str, app: app_preset.Preset | None
    ) -> collections.abc.Iterator[model.Route]:
        """The paths that the applications behind its routes want answered. app: of the site."""
        for one in app_paths.find(written, lambda name: app if name is None else self._apps.find(name)):
            holder = path if app_option.OPTION.of(one.route.action) is None else self._route_place(path, one.route.path)
            place = self.document.find((*holder, app_option.OPTION.name))
            origin = self.origin(self._key_mark(place))
            try:
                yield from (dataclasses.replace(route, origin=origin) for route in app_paths.make_routes(one, written))
            except app_paths.UnplacedPathError as error:
                self.report_at(place, str(error), host=host)

    def _warn_of_repeated(
        self, app: app_preset.Preset, entry: yaml_entry.YamlEntry, path: yaml_positions.Path, host: str
    ) -> None:
        for name in app.find_repeated(entry):
            cause = f"is what `app: {app.name}` sets anyway; leave one of them out"
            self.report_at((*path, name), cause, host=host, severity=model.Severity.WARNING)

    # --- routes ---

    def _routes(
        self, site: yaml_positions.Path, route_path: str, *, host: str, app: app_preset.Preset | None
    ) -> collections.abc.Iterator[model.Route | None]:
        """The route of a path, or those of its list. app: of the site."""
        path = self._route_place(site, route_path)
        if (prefix := route_paths.normal(route_path)) != route_path:
            self._written[site, prefix] = route_path
        written = self.document.get(path)
        if yaml_route.is_list(written):
            assert isinstance(written, list)
            yield from (self._route((*path, index), prefix, host, index, app=app) for index in range(len(written)))
        else:
            yield self._route(path, prefix, host, 0 if yaml_route.has_condition(written) else None, app=app)

    def _php_route(
        self, site: yaml_positions.Path, entry: yaml_site.SiteEntry, host: str, app: app_preset.Preset | None
    ) -> model.Route | None:
        """The route "/" of a site with `php`."""
        if "/" in entry.routes:
            self.report_at((*site, yaml_site.PHP), 'stands beside a route "/"; keep one of them', host=host)
            return None
        value = self.document.get((*site, yaml_site.PHP))
        return self._route(site, "/", host, None, app=app, instead={yaml_site.PHP: value})

    def _route(
        self,
        path: yaml_positions.Path,
        prefix: str,
        host: str,
        number: int | None,
        *,
        app: app_preset.Preset | None,
        instead: object = None,
    ) -> model.Route | None:
        """number: its place among those of its path. app: of the site. instead: what stands for the route, which is
        written elsewhere."""
        entry, faults = self.read_part(yaml_route.ROUTE, path, instead=instead)
        for fault in faults:
            self.report(fault, host=host)
        at = len(path)
        if entry is None or any(fault.path[at : at + 1] == (when_option.OPTION.name,) for fault in faults):
            return None  # without its conditions it would seem to take what others are for
        action, options = self._action(entry, path, prefix, host, number, is_silent=bool(faults), app=app)
        snippet = self.snippet(entry.nginx, (*path, "nginx"), host=host)
        if action is None:
            return None
        return model.Route(
            path=prefix,
            action=rewrite_option.place_path(prefix, action),
            entry=number,
            options=options,
            snippet=snippet,
            origin=self.origin(self.document.keys.get(path, self.document.locate(path))),
        )

    def _route_place(self, site: yaml_positions.Path, route_path: str) -> yaml_positions.Path:
        """Where a route is written: under `routes`, right under the site, or as the site's own value."""
        below, beside = (*site, "routes", route_path), (*site, route_path)
        is_beside = beside in self.document.keys and below not in self.document.keys
        return beside if is_beside else self.document.find(below)

    def _action(
        self,
        entry: yaml_route.RouteEntry,
        path: yaml_positions.Path,
        prefix: str,
        host: str,
        number: int | None,
        *,
        is_silent: bool,
        app: app_preset.Preset | None,
    ) -> tuple[model.Action | None, model.OptionValues]:
        """What a route leads to, and the options of the route itself. number: its place among those of its path.
        is_silent: what is wrong is reported already. app: of the site."""
        is_open = self._over.lacks_action(entry, number)
        actions = (option.RouteAction.TO,) if is_open else entry.actions()
        if len(actions) != 1:
            found = words.listed([f"`{kind.value}`" for kind in actions], last="and") if actions else "none of them"
            if not is_silent:
                expected = words.listed([f"`{kind.value}`" for kind in option.RouteAction])
                self.report_at(path, f"expected one of {expected}, found {found}", host=host)
            return None, ()
        if (
            actions[0] is option.RouteAction.TO
            and (preset := self._find_app(entry, path, host, around=app)) is not None
        ):
            self._warn_of_repeated(preset, entry, path, host)
            urls = [target.url for target in entry.to or ()]
            is_http = all(url.scheme.is_http and url.socket is None for url in urls)
            preset.for_route(entry, is_of_site=preset is app, is_http=is_http)
        self.defaults.for_route(entry, actions[0])
        return self._over.make_action(entry, prefix) if is_open else entry.make_action()

    def _key_mark(self, path: yaml_positions.Path) -> yaml_positions.TextPosition:
        return self.document.keys.get(path, self.document.locate(path))


def collect(
    problems: collections.abc.Iterable[model.Problem], files: collections.abc.Mapping[str, int] | None = None
) -> tuple[model.Problem, ...]:
    """In the order of the file, each once. files: where each comes, by its name in messages, of several."""

    def place(problem: model.Problem) -> tuple[int, ...]:
        name, *numbers = problem.origin.place.rsplit(":", 2)
        return ((files or {}).get(name, 0), *(int(part) for part in numbers if part.isdigit()))

    return tuple(dict.fromkeys(sorted(problems, key=place)))
