"""Which addresses streams, and the listener of metrics, may have: of one port and protocol, one program part alone can
have it. Pure."""

import collections.abc
import dataclasses

from daemun.core import model, problem_report
from daemun.core.access import built_in_sites
from daemun.core.options import http3_option, metrics_option, streams_option
from daemun.core.texts import words

_EVERY = frozenset({None, "0.0.0.0", "::"})  # noqa: S104 compared, not bound


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """who: for messages. host: None: every address."""

    who: str
    host: str | None
    port: int
    is_udp: bool = False


def find_problems(settings: model.Globals, sites: collections.abc.Iterable[model.Site]) -> tuple[model.Problem, ...]:
    """Streams whose addresses the gate itself, a site with ports of its own, or another stream has."""
    # What stands in for one that is set aside leaves its addresses to whoever is right.
    streams = sorted(streams_option.OPTION.of(settings), key=lambda one: one.fault is not None)
    if not streams:
        return ()
    known, report = _Occupied.of(settings, tuple(sites)), problem_report.ProblemReport(host=None, origin=model.NOWHERE)
    for one in streams:
        known.check(one, settings, report)
    return tuple(report.problems)


def add_possible(
    settings: model.Globals, sites: collections.abc.Iterable[model.Site], more: streams_option.Streams
) -> tuple[streams_option.Streams, tuple[model.Problem, ...]]:
    """The streams of the file, with those of another source that can be beside them and each other; and why the rest
    cannot."""
    streams = streams_option.OPTION.of(settings)
    if not more:
        return streams, ()
    report = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
    sites = tuple(sites)
    known, held = _Occupied.of(settings, sites), _find_held(settings, sites)
    for one in sorted(streams, key=lambda one: one.fault is not None):
        known.check(one, settings, problem_report.ProblemReport(host=None, origin=model.NOWHERE))
    kept = {one.name: one for one in streams}
    for one in more:
        at, field = report.at(one.origin), (streams_option.OPTION.name, one.name)
        shown = one.stream.certificate_host
        if one.name in kept:
            at.add(f"the name belongs to the stream of {kept[one.name].origin}; choose another name", *field)
        elif len(kept) >= streams_option.MOST:
            at.add(f"{streams_option.MOST} streams are there already, and no more can be served", *field)
        elif shown is not None and shown in held:
            cause = f"{words.quoted(shown)} belongs to {held[shown]}, whose certificate is not for others"
            at.add(f"{cause}; give it another host", *field, "tls")
        elif found := known.try_out(one, settings):
            report.problems += found
        else:
            kept[one.name] = one
    return tuple(kept.values()), tuple(report.problems)


def _find_held(settings: model.Globals, sites: collections.abc.Iterable[model.Site]) -> dict[str, str]:
    """Hosts of the file and of daemun itself, and whose they are: what clients send to them is for nobody else."""
    of_file = (site for site in sites if site.origin.source != model.CONTAINERS)
    held = {name: f"site {words.quoted(site.host)}" for site in of_file for name in site.names}
    for one in streams_option.OPTION.of(settings):
        shown = () if one.stream.certificate_host is None else (one.stream.certificate_host,)
        held |= dict.fromkeys((*one.hosts_passed, *shown), f"stream {words.quoted(one.name)}")
    for built_in, site in built_in_sites.find_all(settings):
        held |= dict.fromkeys(site.names, built_in.name)
    return held


@dataclasses.dataclass(slots=True)
class _Occupied:
    """What the gate, sites and earlier streams occupy. taken: addresses. names: names in handshakes, with the owner of
    each."""

    taken: list[_Taken]
    names: dict[str, str]

    @classmethod
    def of(cls, settings: model.Globals, sites: collections.abc.Sequence[model.Site]) -> "_Occupied":
        names = {name: f"site {words.quoted(site.host)}" for site in sites if site.enabled for name in site.names}
        for built_in, site in built_in_sites.find_all(settings):
            names |= dict.fromkeys(site.names, built_in.name)
        return cls(taken=[*_of_gate(settings, sites), *_of_metrics(settings), *_of_sites(sites)], names=names)

    def check(
        self, one: streams_option.NamedStream, settings: model.Globals, report: problem_report.ProblemReport
    ) -> None:
        """Reports what others have, and takes the rest. One that is switched off takes nothing."""
        if not one.stream.enabled:
            return
        at = report.at(one.origin)
        if one.stream.is_passthrough:
            if one.is_known:
                self._check_names(one, at)
            _check_passed(one, settings, at)
            return
        listened: list[_Taken] = []
        for index, address in enumerate(one.stream.listen):
            mine = _Taken(who="", host=address.host, port=address.port, is_udp=one.stream.is_udp)
            rival = next((other for other in (*self.taken, *listened) if _collide(mine, other)), None)
            if rival is not None:
                cause = f"{address} is already listened on by {rival.who}; choose another port"
                at.add(cause, "streams", one.name, "listen", index)
            listened.append(dataclasses.replace(mine, who="the same stream"))
        self.taken += [dataclasses.replace(mine, who=f"stream {words.quoted(one.name)}") for mine in listened]

    def try_out(self, one: streams_option.NamedStream, settings: model.Globals) -> list[model.Problem]:
        """What keeps a stream from being beside those that are known; it takes nothing where there is something."""
        report = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
        names = {**self.names} if one.stream.is_passthrough else self.names  # of thousands of sites
        tried = _Occupied(taken=[*self.taken], names=names)
        tried.check(one, settings, report)
        if not report.problems:
            self.taken, self.names = tried.taken, tried.names
        return report.problems

    def _check_names(self, one: streams_option.NamedStream, report: problem_report.ProblemReport) -> None:
        """A name in a handshake leads to one place."""
        for host in one.hosts_passed:
            if host in self.names:
                cause = f"{words.quoted(host)} already belongs to {self.names[host]}; give one of the two another host"
                report.add(cause, "streams", one.name, *(("hosts",) if one.stream.hosts else ("tls",)))
                continue
            self.names[host] = f"stream {words.quoted(one.name)}"


def find_metrics_problems(
    settings: model.Globals, sites: collections.abc.Sequence[model.Site]
) -> tuple[model.Problem, ...]:
    """The listener of metrics where visitors come in."""
    metrics = metrics_option.OPTION.of(settings)
    if metrics is None:
        return ()
    report = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
    mine = _Taken(who="", host=metrics.listen.host, port=metrics.listen.port)
    rival = next((one for one in (*_of_gate(settings, sites), *_of_sites(sites)) if _collide(mine, one)), None)
    if rival is not None:
        cause = f"{metrics.listen} is already listened on by {rival.who}; choose another port"
        report.add(cause, metrics_option.OPTION.name, "listen")
    return tuple(report.problems)


def _check_passed(
    one: streams_option.NamedStream, settings: model.Globals, report: problem_report.ProblemReport
) -> None:
    """Sites and names that are passed on come in at the same addresses."""
    ports = sorted({address.port for address in settings.listen.https})
    if not ports:
        return  # which is a mistake of its own
    expected = words.listed([str(port) for port in ports])
    for index, address in enumerate(one.stream.listen):
        if address.host is not None or address.port not in ports:
            cure = address.port if address.port in ports else ports[0]
            cause = f"expected the port of listen.https ({expected}) alone, found {address}; write `listen: {cure}`"
            report.add(cause, "streams", one.name, "listen", index)


def _of_gate(settings: model.Globals, sites: collections.abc.Sequence[model.Site]) -> collections.abc.Iterator[_Taken]:
    for who, addresses in (("listen.http", settings.listen.http), ("listen.https", settings.listen.https)):
        for address in addresses:
            yield _Taken(who=who, host=address.host, port=address.port)
    if http3_option.OPTION.of(settings) or any(site.enabled and http3_option.OPTION.of(site) for site in sites):
        for address in settings.listen.https:
            yield _Taken(who="http3", host=address.host, port=address.port, is_udp=True)


def _of_metrics(settings: model.Globals) -> collections.abc.Iterator[_Taken]:
    metrics = metrics_option.OPTION.of(settings)
    if metrics is not None:
        yield _Taken(who="metrics", host=metrics.listen.host, port=metrics.listen.port)


def _of_sites(sites: collections.abc.Iterable[model.Site]) -> collections.abc.Iterator[_Taken]:
    for site in sites:
        for port in (site.http_port, site.https_port):
            if port is not None and site.enabled:
                yield _Taken(who=f"site {words.quoted(site.host)}", host=None, port=port)


def _collide(one: _Taken, other: _Taken) -> bool:
    """A socket for every address of a port goes together with none for a single one of them."""
    if (one.port, one.is_udp) != (other.port, other.is_udp):
        return False
    return one.host == other.host or one.host in _EVERY or other.host in _EVERY


def find_tcp_ports(settings: model.Globals) -> frozenset[int]:
    """The ports on which streams take connections."""
    enabled = streams_option.find_enabled(settings)
    chosen = (one.stream for one in enabled if not one.stream.is_udp and not one.stream.is_passthrough)
    return frozenset(address.port for stream in chosen for address in stream.listen)
