"""Sets aside sites and streams of daemun.yaml that have a mistake, so that everything else in the file is served.

One that cannot be read goes on as it was when it could be; a site that never could shows a 503 page, a stream is not
served. Nothing of one with an error is applied: a typo in what guards it must not open it.
"""

import collections.abc
import dataclasses

from daemun.core import model
from daemun.core.options import access_option, catalogue, streams_option
from daemun.core.texts import rules, spellings
from daemun.core.validation import validate_streams
from daemun.sources import loaded_files, yaml_file, yaml_file_set


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LastGoodEntries:
    """What was read last without an error. sites: by host. streams: by name."""

    sites: collections.abc.Mapping[str, model.Site] = dataclasses.field(default_factory=dict)
    streams: collections.abc.Mapping[str, streams_option.NamedStream] = dataclasses.field(default_factory=dict)


_BESIDE = frozenset({access_option.OPTION.name, *catalogue.PAGES})
"""Options that a site is served without where a file that they name cannot be read."""


def set_aside(error: yaml_file.InvalidFileError, last_good: LastGoodEntries, *, is_start: bool) -> model.Snapshot:
    """The snapshot of a file in which only single sites and streams are wrong.

    is_start: no version of the file was applied yet. Raises: `error`, when something concerns all sites, or when
    nothing would be left to serve at a start; later a site that was taken out of the file goes, whatever stays.
    """
    good, errors = error.good, [one for one in error.problems if one.severity is model.Severity.ERROR]
    if good is None or good.globals is None or any(map(_concerns_all, errors)):
        raise error
    faults = _find_faults(errors)
    sites = tuple(site for site in good.sites if site.host not in faults)
    written = {site.host for site in sites}
    faults = {_find_meant(host, last_good.sites.keys() - written): fault for host, fault in faults.items()}
    gone = written | faults.keys()
    faults |= _find_lost(error, {host: site for host, site in last_good.sites.items() if host not in gone})
    stand_ins = tuple(_stand_in(host, fault, last_good.sites) for host, fault in faults.items())
    # The last ones: a name that moved to a site that is right belongs to that site.
    all_sites = (*sites, *stand_ins)
    settings = _with_streams(
        good.globals, _find_stream_faults(error, errors, good.globals, last_good), last_good, all_sites
    )
    is_served = any(site.enabled for site in sites) or bool(faults.keys() & last_good.sites.keys())
    if is_start and not is_served and not streams_option.find_enabled(settings):
        raise error
    return dataclasses.replace(good, sites=all_sites, globals=settings)


def _concerns_all(problem: model.Problem) -> bool:
    return problem.host is None and problem.file is None and streams_option.find_name(problem) is None


def _find_stream_faults(
    error: yaml_file.InvalidFileError,
    errors: collections.abc.Iterable[model.Problem],
    settings: model.Globals,
    last_good: LastGoodEntries,
) -> list[streams_option.NamedStream]:
    """The streams that cannot be served as they are written, as if no earlier version was known."""
    by_name: dict[str, list[model.Problem]] = {}
    for one in errors:
        if (name := streams_option.find_name(one)) is not None:
            by_name.setdefault(name, []).append(one)
    found = [streams_option.make_unknown(name, some[0].origin, _fault_of(some)) for name, some in by_name.items()]
    written = {one.name for one in streams_option.OPTION.of(settings)} | by_name.keys()
    reasons = _find_reasons(error)
    for name, before in last_good.streams.items():
        file = yaml_file_set.file_of(before.origin)
        if name not in written and file in error.lost:
            fault = model.SetAside(reason="; ".join(reasons.get(file, ())))
            found.append(streams_option.make_unknown(name, before.origin, fault))
    return found


def _with_streams(
    settings: model.Globals,
    unknown: collections.abc.Sequence[streams_option.NamedStream],
    last_good: LastGoodEntries,
    sites: collections.abc.Sequence[model.Site],
) -> model.Globals:
    """The same with the last good version of each stream that has an error, unless another one has its place now."""
    if not unknown:
        return settings
    names = {one.name for one in unknown}
    kept = tuple(one for one in streams_option.OPTION.of(settings) if one.name not in names)
    stand_ins = [
        dataclasses.replace(last_good.streams[one.name], fault=one.fault, origin=one.origin)
        if one.name in last_good.streams
        else one
        for one in unknown
    ]
    both = dataclasses.replace(
        settings, options=catalogue.with_value(settings.options, streams_option.OPTION, (*kept, *stand_ins))
    )
    lost = {streams_option.find_name(problem) for problem in validate_streams.find_problems(both, sites)}
    chosen = [none if one.name in lost else one for one, none in zip(stand_ins, unknown, strict=True)]
    return dataclasses.replace(
        settings, options=catalogue.with_value(settings.options, streams_option.OPTION, (*kept, *chosen))
    )


def _fault_of(found: collections.abc.Iterable[model.Problem]) -> model.SetAside:
    found = tuple(found)
    bars = tuple(bar for one in found for bar in (one.file, one.bars) if bar is not None)
    return model.SetAside(reason="; ".join(map(str, found)), bars=bars)


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
    return {host: _fault_of(found) for host, found in by_host.items()}


def _find_lost(
    error: yaml_file.InvalidFileError, last_good: collections.abc.Mapping[str, model.Site]
) -> dict[str, model.SetAside]:
    """The sites of files that are included and cannot be used as a whole: they go on as they were."""
    reasons = _find_reasons(error)
    return {
        host: model.SetAside(reason="; ".join(reasons.get(name, ())))
        for host, site in last_good.items()
        if (name := yaml_file_set.file_of(site.origin)) in error.lost
    }


def _find_reasons(error: yaml_file.InvalidFileError) -> dict[str, list[str]]:
    """By the name of a file: why it cannot be used as a whole."""
    reasons: dict[str, list[str]] = {}
    for one in error.problems:
        if one.host is None and one.severity is model.Severity.ERROR:
            reasons.setdefault(yaml_file_set.file_of(one.origin), []).append(str(one))
    return reasons


def _find_meant(host: str, served: collections.abc.Set[str]) -> str:
    """The site that a key stands for which is no host: one that was served until a port was written behind it is kept
    as it was."""
    if rules.check_host(host) is None:
        return host
    return next((meant for meant in spellings.hosts(host) if meant in served), host)


def _stand_in(host: str, fault: model.SetAside, last_good: collections.abc.Mapping[str, model.Site]) -> model.Site:
    """Without an earlier version nothing is known of its certificate either, so none is ordered; where containers have
    the host, theirs is what was there before, and goes on with its certificate and servers. Whom a file lets in may
    have changed since."""
    none = model.Site(host=host, tls=model.Tls(mode=model.TlsMode.LOCAL), overlay=model.Overlay())
    before = last_good.get(host) or none
    return dataclasses.replace(loaded_files.with_loaded(before), fault=fault)
