"""Names that hand-written nginx adds to a site: nginx knows them, and daemun orders no certificate for them. Pure."""

from daemun.core import directive, model
from daemun.core.texts import rules, words

_NO_NAMES = frozenset({"", "_", "$hostname"})
"""What stands there for no visitor's name."""


def find_problems(snapshot: model.Snapshot) -> list[model.Problem]:
    """Warnings of names that visitors of HTTPS get no certificate for, and 421."""
    found = []
    for site in snapshot.sites:
        if not site.enabled or site.tls.mode is model.TlsMode.OFF:
            continue
        for line in site.snippet:
            if not isinstance(line, directive.Directive) or line.name != "server_name":
                continue
            names = dict.fromkeys(name for arg in line.args for name in _names(arg.value))
            others = [name for name in names if not _has(site, name)]
            if others:
                found.append(_describe(site, line, others))
    return found


def _has(site: model.Site, name: str) -> bool:
    return any(name == one or (one.startswith("*.") and name.endswith(one[1:])) for one in site.names)


def _names(written: str) -> tuple[str, ...]:
    """A dot before a name stands for two (nginx.org/en/docs/http/server_names.html)."""
    written = written if written.startswith("~") else written.lower()
    if written.startswith("."):
        return (written[1:], f"*{written}")
    return () if written in _NO_NAMES else (written,)


def _describe(site: model.Site, line: directive.Directive, others: list[str]) -> model.Problem:
    seen = words.listed([words.quoted(name) for name in others], last="and")
    cause = f"`server_name` gets no certificate for {seen}, and its visitors get an error (421)"
    good = [name for name in others if rules.check_host(name) is None]
    written = ", ".join(words.quoted(name) for name in good)
    cure = f"write `aliases: [{written}]` in the site" if good else "write each name as one of the site's `aliases`"
    return model.Problem(
        origin=model.Origin(source="file", place=line.beside),
        message=f"site {words.quoted(site.host)}, nginx: {cause}; {cure} in its place",
        host=site.host,
        severity=model.Severity.WARNING,
    )
