"""Which kept answers a purge means. Pure."""

import collections.abc

from daemun.core.texts import names, words
from daemun.errors import ConfigError
from daemun.nginx import cache_files

Rule = collections.abc.Callable[[cache_files.CacheKey], bool]


def make_rule(host: str, path: str | None) -> Rule:
    """Whether what is kept is of a site or of one of its names, and of a path. Raises: ConfigError."""
    site, is_path = names.variable_suffix(host, ""), _of_path(path)
    return lambda one: (one.host == host or one.site == site) and is_path(one)


def _of_path(path: str | None) -> Rule:
    if path is None:
        return lambda _: True
    if not path.startswith("/"):
        raise ConfigError(
            f"cannot purge {words.quoted(path)}: expected a path that begins with a slash, such as /blog/*"
        )
    wanted, mark, query = path.partition("?")
    is_prefix = wanted.endswith("*")
    if "*" in wanted.removesuffix("*") or (is_prefix and mark):
        raise ConfigError(
            f"cannot purge {words.quoted(path)}: a * stands for all that begin so, at the end alone, as in /blog/*; "
            "write %2A for one that belongs to the path"
        )
    if is_prefix:
        if cache_files.leads_up(wanted):
            raise ConfigError(
                f"cannot purge {words.quoted(path)}: with a * the path has no segment . or ..; write the one that is "
                "meant, such as /blog/*"
            )
        prefix = cache_files.normal_path(wanted.removesuffix("*"))
        return lambda one: one.path.startswith(prefix)
    exact = cache_files.normal_path(wanted)
    return lambda one: one.path == exact and (not mark or one.query == query)
