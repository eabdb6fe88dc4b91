"""Where a site stands in a text of daemun.yaml, and the texts in which it is changed. Pure."""

from ruamel import yaml

from daemun.core.options import from_option
from daemun.core.texts import route_paths
from daemun.sources import yaml_holder, yaml_meaning, yaml_positions, yaml_splice

Value = str | yaml_splice.Lines | yaml_splice.Verbatim


class SitePlaces:
    """Where a site stands in a text, and the texts in which it is changed. None: it stands there in no usual way.

    keys: with which it is written, normally one.
    """

    def __init__(self, text: str, host: str) -> None:
        root = yaml_positions.compose(text)
        top = yaml_splice.entries(root) if root is not None else []
        self._host = host
        self._sites = next((entry for entry in top if entry.name == "sites"), None)
        all_sites = yaml_splice.entries(self._sites.value) if self._sites is not None else []
        found = [entry for entry in all_sites if yaml_holder.host_of(entry.name) == host]
        self._site = found[0] if found else None
        self.keys = [entry.name for entry in found]
        is_block = bool(all_sites) and not yaml_splice.is_flow(all_sites[0].owner)
        step = all_sites[0].key.start_mark.column - top[0].key.start_mark.column if is_block else 0
        self._text = yaml_splice.SplicedText(text, step if 0 < step <= 8 else 2)

    def with_route(self, route_path: str, target: str | yaml_splice.Lines) -> str | None:
        line = yaml_splice.NewEntry(route_path, target)
        if self._sites is None:
            return None
        if self._site is None:
            value: str | yaml_splice.Lines = target if route_path == "/" and isinstance(target, str) else (line,)
            return self._text.insert(self._sites, yaml_splice.NewEntry(self._host, value))
        if (old := self._only_target()) is not None:
            return self._text.replace(self._site, (yaml_splice.NewEntry("/", old), line))
        holder = self._routes()
        if holder is None and self._has(from_option.OPTION.name) and not self._has("routes"):
            return self._text.insert(self._site, yaml_splice.NewEntry("routes", (line,)))
        return None if holder is None else self._text.insert(holder, line)

    def with_site(self, lines: yaml_splice.Lines) -> str | None:
        """With a site that is not there yet."""
        if self._sites is None or self._site is not None:
            return None
        return self._text.insert(self._sites, yaml_splice.NewEntry(self._host, lines))

    def _has(self, key: str) -> bool:
        return self._site is not None and any(one.name == key for one in yaml_splice.entries(self._site.value))

    def without_site(self) -> str | None:
        if self._site is None or self._sites is None:
            return None
        return self._text.remove(self._site, holder=self._sites)

    def without_route(self, route_path: str) -> str | None:
        holder = self._routes()
        if holder is not None and self._has(from_option.OPTION.name) and len(yaml_splice.entries(holder.value)) == 1:
            return self.without_value("routes")
        found = [entry for entry in yaml_splice.entries(holder.value) if entry.name == route_path] if holder else []
        return self._text.remove(found[0], holder=holder) if found and holder else None

    def with_enabled(self, *, enabled: bool) -> str | None:
        return self._with_option(yaml_splice.NewEntry("enabled", str(enabled).lower()))

    def with_maintenance(self, *, is_on: bool) -> str | None:
        word = str(is_on).lower()
        options = {} if self._site is None else {one.name: one for one in yaml_splice.entries(self._site.value)}
        old = options.get("maintenance")
        if old is None or self._only_target() is not None or self._routes() is self._site:
            return self._with_option(yaml_splice.NewEntry("maintenance", word))
        inner = {one.name: one for one in yaml_splice.entries(old.value)}
        if "on" in inner:
            return self._text.replace(inner["on"], word)
        if inner:
            return self._text.insert(old, yaml_splice.NewEntry("on", word), first=True)
        page = yaml_meaning.find_page(old.value.value)
        if page is None:
            return self._text.replace(old, word)
        return self._text.replace(old, (yaml_splice.NewEntry("on", word), yaml_splice.NewEntry("page", page)))

    def _with_option(self, line: yaml_splice.NewEntry) -> str | None:
        if self._site is None:
            return None
        if (old := self._only_target()) is not None:
            return self._text.replace(
                self._site, (line, yaml_splice.NewEntry("routes", (yaml_splice.NewEntry("/", old),)))
            )
        options = {entry.name: entry for entry in yaml_splice.entries(self._site.value)}
        if line.key in options:
            return self._text.replace(options[line.key], line.value)
        if self._routes() is self._site:
            return self._text.wrap(self._site, line, "routes")
        return self._text.insert(self._site, line, first=True)

    def _only_target(self) -> str | None:
        """The target of a site that is written as nothing else."""
        value = self._site.value.value if self._site is not None else None
        return value if isinstance(value, str) else None

    def _routes(self) -> yaml_splice.MapEntry | None:
        """The entry whose value maps paths: the site's own in the short form, else its `routes`."""
        if self._site is None:
            return None
        options = yaml_splice.entries(self._site.value)
        if all(route_paths.is_written(entry.name) for entry in options):
            return self._site
        return next((entry for entry in options if entry.name == "routes"), None)

    def with_value(self, key: str, value: Value) -> str | None:
        """With an option of the site."""
        return self._with_option(yaml_splice.NewEntry(key, value))

    def without_value(self, key: str) -> str | None:
        """Without an option of the site; the same where it is not there."""
        if self._site is None:
            return None
        found = {entry.name: entry for entry in yaml_splice.entries(self._site.value)}.get(key)
        return self._text.text if found is None else self._text.remove(found, holder=self._site)

    def with_route_value(self, path: str, index: int | None, key: str, value: Value | None) -> str | None:
        """With a key of a route, or without it. index: of one of several for this path."""
        if (old := self._only_target()) is not None and self._site is not None and (path, index) == ("/", None):
            route = _with_target(old, key, value)
            return self._text.text if not route else self._text.replace(self._site, (yaml_splice.NewEntry("/", route),))
        holder = self._find_route(path, index)
        if holder is None:
            return None
        if isinstance(holder.value, yaml.nodes.ScalarNode):
            route = _with_target(str(holder.value.value), key, value)
            is_item = index is not None  # of a list, which has no key of its own
            return self._text.text if not route else None if is_item else self._text.replace(holder, route)
        return self._with_key(holder, key, value)

    def _with_key(self, holder: yaml_splice.MapEntry, key: str, value: Value | None) -> str | None:
        """holder: of a map with entries."""
        found = {one.name: one for one in yaml_splice.entries(holder.value)}
        if not found or (value is None and [*found] == [key]):
            return None
        if value is None:
            return self._text.text if key not in found else self._text.remove(found[key], holder=holder)
        if key in found:
            return self._text.replace(found[key], value)
        return self._text.insert(holder, yaml_splice.NewEntry(key, value))

    def _find_route(self, path: str, index: int | None) -> yaml_splice.MapEntry | None:
        holder = self._routes()
        if holder is None:
            return None
        route = next((one for one in yaml_splice.entries(holder.value) if one.name == path), None)
        if route is None or index is None:
            return route
        if not isinstance(route.value, yaml.nodes.SequenceNode) or not 0 <= index < len(route.value.value):
            return None
        return yaml_splice.MapEntry(route.key, route.value.value[index], route.owner)


def _with_target(old: str, key: str, value: Value | None) -> yaml_splice.Lines:
    """A route that was a target alone; empty: it stays so."""
    if value is None:
        return ()
    entry = yaml_splice.NewEntry(key, value)
    return (entry,) if key == "to" else (yaml_splice.NewEntry("to", old), entry)
