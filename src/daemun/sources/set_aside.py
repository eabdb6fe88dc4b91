"""What is wrong with one site of daemun.yaml is that site's trouble: every other site of the file is served.

A site that cannot be read goes on as it was when it could be; one that never could shows a 503 page. Nothing of a site
with an error is applied: a typo in what guards it must not open it.
"""

import collections.abc
import dataclasses

from daemun.core import model
from daemun.core.options import access_option, catalogue
from daemun.core.texts import rules, spellings
from daemun.sources import loaded_files, yaml_file, yaml_file_set

Known = collections.abc.Mapping[str, model.Site]
"""By host: a site as it was read last without an error."""


_BESIDE = frozenset({access_option.OPTION.name, *catalogue.PAGES})
"""Options that a site is served without where a file that they name cannot be read."""


def set_aside(error: yaml_file.InvalidFileError, known: Known, *, is_start: bool) -> model.Snapshot:
    """The snapshot of a file in which only single sites are wrong.

    is_start: no version of the file was applied yet. Raises: `error`, when something concerns all sites, or when
    nothing would be left to serve at a start; later a site that was taken out of the file goes, whatever stays.
    """
    good, errors = error.good, [one for one in error.problems if one.severity is model.Severity.ERROR]
    if good is None or good.globals is None or any(one.host is None and one.file is None for one in errors):
        raise error
    faults = _find_faults(errors)
    sites = tuple(site for site in good.sites if site.host not in faults)
    written = {site.host for site in sites}
    faults = {_find_meant(host, known.keys() - written): fault for host, fault in faults.items()}
    faults |= _find_lost(error, {host: site for host, site in known.items() if host not in written | faults.keys()})
    standing = tuple(_stand_in(host, fault, known) for host, fault in faults.items())
    if is_start and not any(site.enabled for site in sites) and not faults.keys() & known.keys():
        raise error
    # The last ones: a name that moved to a site that is right belongs to that site.
    return dataclasses.replace(good, sites=(*sites, *standing))


def _find_faults(errors: collections.abc.Iterable[model.Problem]) -> dict[str, model.SetAside]:
    """By host. A missing certificate is none: its site is served with another one
    (`certs.served.certificate_files`), and neither is a missing page, in whose place the gate's is shown. Nor is a file
    that decides who may come in: an earlier version of the site could let in whom it is to keep out, and without the
    file none of those it names can come in."""
    by_host: dict[str, list[model.Problem]] = {}
    for one in errors:
        is_beside = one.file is not None and (one.field[:1] == ("tls",) or not _BESIDE.isdisjoint(one.field))
        if one.host is not None and not is_beside:
            by_host.setdefault(one.host, []).append(one)
    return {
        host: model.SetAside(
            reason="; ".join(map(str, found)),
            bars=tuple(bar for one in found for bar in (one.file, one.bars) if bar is not None),
        )
        for host, found in by_host.items()
    }


def _find_lost(error: yaml_file.InvalidFileError, known: Known) -> dict[str, model.SetAside]:
    """The sites of files that are included and cannot be used as a whole: they go on as they were."""
    reasons: dict[str, list[str]] = {}
    for one in error.problems:
        if one.host is None and one.severity is model.Severity.ERROR:
            reasons.setdefault(yaml_file_set.file_of(one.origin), []).append(str(one))
    return {
        host: model.SetAside(reason="; ".join(reasons.get(name, ())))
        for host, site in known.items()
        if (name := yaml_file_set.file_of(site.origin)) in error.lost
    }


def _find_meant(host: str, served: collections.abc.Set[str]) -> str:
    """The site that a key stands for which is no host: one that was served until a port was written behind it is kept
    as it was."""
    if rules.check_host(host) is None:
        return host
    return next((meant for meant in spellings.hosts(host) if meant in served), host)


def _stand_in(host: str, fault: model.SetAside, known: Known) -> model.Site:
    """Without an earlier version nothing is known of its certificate either, so none is ordered. Whom a file lets in
    may have changed since."""
    before = known.get(host) or model.Site(host=host, tls=model.Tls(mode=model.TlsMode.LOCAL))
    return dataclasses.replace(loaded_files.with_loaded(before), fault=fault)
