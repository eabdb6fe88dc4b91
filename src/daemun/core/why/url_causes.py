"""What is wrong with a URL, the first cause first. Pure.

What a visitor receives decides: the cause of that stands before all else that was found on the way. What comes earlier
in a request comes first: no gate, the wrong port, no such site, TLS, and then what the answer shows.
"""

import collections.abc

from daemun.core import model
from daemun.core.certificates import on_demand_names
from daemun.core.texts import words
from daemun.core.why import (
    answer_causes,
    header_causes,
    logged_errors,
    page_causes,
    page_parts,
    redirect_causes,
    site_choice,
    tls_causes,
    url_facts,
)

Causes = collections.abc.Iterator[url_facts.Cause]
MOST = 8
_STATE = "site-state"
_OF_NO_SERVER = frozenset({logged_errors.NO_SERVER, "status-502", "status-503", "status-504"})
"""What daemun has the site as says why."""


def find_causes(facts: url_facts.UrlFacts) -> tuple[url_facts.Cause, ...]:
    """Empty: nothing is wrong."""
    found: dict[tuple[str, str], url_facts.Cause] = {}
    for look in (
        _of_ports,
        _of_gate,
        _of_site,
        tls_causes.find,
        header_causes.find_preflight,
        answer_causes.find,
        header_causes.find_unreadable,
        redirect_causes.find,
        _of_onward,
        _of_configuration,
        page_causes.find,
        page_parts.find,
        tls_causes.find_untrusted,
        _of_names,
        _of_daemon,
        _of_port_in_front,
    ):
        for cause in look(facts):
            found.setdefault((cause.kind, cause.cause), cause)
    # A status alone, and what daemun has the site as, say nothing beside what was found.
    every = tuple(found.values())
    vague = [one for one in every if one.kind in {_STATE, *_OF_NO_SERVER} or one.kind.startswith("status-")]
    is_known = any(not one.kind.startswith("dns-") and one not in vague for one in every)
    shown = [one for one in every if one not in vague or not is_known]
    return tuple(sorted(shown, key=lambda one: one.kind in _OF_NO_SERVER))[:MOST]


def _cause(kind: str, cause: str, cure: str | None = None) -> url_facts.Cause:
    return url_facts.Cause(kind=kind, cause=cause, cure=cure)


def _of_onward(facts: url_facts.UrlFacts) -> Causes:
    """Where redirects lead to an error, what is wrong there. The name, and what is said of this URL, come anyway."""
    onward = facts.onward
    if onward is None:
        return
    to = words.quoted(str(onward.url), at_most=120)
    is_same = onward.url.host == facts.url.host
    for one in find_causes(onward):
        if not (one.kind.startswith("dns-") and is_same):
            yield _cause(one.kind, f"it redirects to {to}: {one.cause}", one.cure)


def _of_configuration(facts: url_facts.UrlFacts) -> Causes:
    """What is wrong with the file as a whole, where no site has the name: one that has it is served."""
    if facts.choice.name is not None:
        return
    for line in (facts.config_error or "").splitlines():
        if line.strip() and not line.startswith(f"{model.Severity.WARNING.value}: "):
            cause, _, cure = line.removeprefix(f"{model.Severity.ERROR.value}: ").partition("; ")
            yield _cause("configuration", cause, cure or "`daemun check` shows what is wrong with the file")
    for one in facts.faults:
        if one.host is None:
            yield _of_problem("configuration", one)


def _of_problem(kind: str, one: model.Problem) -> url_facts.Cause:
    cure = one.cure or "correct the file; `daemun check` shows the place"
    return _cause(kind, model.located(str(one.origin), one.reason), cure)


def _of_ports(facts: url_facts.UrlFacts) -> Causes:
    """The URL names a port where the gate does not listen, or listens for the other scheme."""
    url = facts.url
    port = url.effective_port
    if any(one.host is None and one.field[:1] == ("listen",) for one in facts.faults):
        return  # where the gate listens is not known
    if any(one.port == port for one in facts.listening):
        return
    if any(one.port == port for one in facts.other_listening):
        other = "http" if url.is_https else "https"
        kind = "https-to-http-port" if url.is_https else "http-to-https-port"
        others = f"; {url.scheme} is at port {facts.listening[0].port}" if facts.listening else ""
        cure = f"write {other}:// with port {port}{others}"
        yield _cause(kind, f"port {port} of the gate is for {other}, and the URL says {url.scheme}", cure)
    elif url.port is not None and not facts.is_mapped and facts.desired is not None:
        listed = ", ".join(map(str, facts.listening)) or "nowhere"
        cure = "write the URL with a port of the gate, or add this one to `listen`"
        yield _cause(
            "wrong-port", f"the gate does not listen on port {port}; for {url.scheme} it does on {listed}", cure
        )


def _of_gate(facts: url_facts.UrlFacts) -> Causes:
    visit = facts.visit
    if visit is None or visit.is_connected:
        return
    if not facts.gate_runs:
        cause = "nginx does not run, so nobody is served"
        cure = "start the gate: `daemun up`, or `systemctl start daemun` where it is a service"
        yield _cause("gate-down", cause, cure)
        return
    cause = f"nginx runs and takes no connection at {visit.at}: {visit.failure or 'no reason is given'}"
    yield _cause(
        "not-listening", cause, "`daemun status` tells whether a change waits; `daemun apply` applies the file"
    )


def _of_site(facts: url_facts.UrlFacts) -> Causes:
    url, choice = facts.url, facts.choice
    if facts.desired is None:
        return
    if facts.own_faults:
        yield from (_of_problem("site-faulty", one) for one in facts.own_faults)
        return
    if choice.disabled is not None and (choice.site is None or choice.name is None):
        host = choice.disabled.host
        cause = f"the site {host} is switched off (`enabled: false`), so its name is as good as unknown"
        yield _cause("site-disabled", cause, f"`daemun enable {host}` switches it on")
        return
    if choice.site is None:
        yield from _of_unknown_name(facts)
        return
    site = choice.site
    yield from _of_default(facts, site)
    if site.fault is not None:
        cure = "correct the file; `daemun check` shows the place"
        yield _cause(
            "site-faulty", f"the site {site.host} cannot be served as it is written: {site.fault.reason}", cure
        )
    elif facts.daemon is not None and facts.daemon.state in {"quarantined", "pending"}:
        yield _cause("site-not-live", facts.daemon.reason or "its last change is not live", facts.daemon.cure)
    if url.is_https and site.tls.mode is model.TlsMode.OFF:
        cause = f"the site {site.host} has no HTTPS (`tls: off`), and the URL says https"
        cure = (
            "write http://, or remove `tls: off`; a browser that was told to use https alone before (HSTS) insists on "
            "it until that is forgotten"
        )
        yield _cause("tls-off", cause, cure)
    elif not url.is_https and site.http is model.HttpMode.OFF and site.tls.mode is not model.TlsMode.OFF:
        cause = f"the site {site.host} answers no plain HTTP (`http: off`)"
        yield _cause("http-off", cause, "write https://, or set `http: redirect`")


def _of_default(facts: url_facts.UrlFacts, site: model.Site) -> Causes:
    """A name of no site, which the default site, or the one that takes names while daemun runs, answers."""
    host, near = facts.url.host, facts.choice.near
    if facts.choice.match is not site_choice.Match.DEFAULT:
        return
    if facts.desired is not None and on_demand_names.find_site(facts.desired) is site:
        if isinstance(facts.handshake, str):
            cause = f"the name {host} is not added to the site {site.host}, which takes names (`on_demand`)"
            yield _cause(
                "not-added", cause, f"`daemun domains add {host}` adds it; `daemun domains` lists those that are"
            )
    elif near is not None:
        cause = f"no site has the name {host}, so the default site {site.host} answers; the nearest is {near}"
        yield _cause("default-site", cause, f"write {near}, or add {host} to the `aliases` of that site")


def _of_unknown_name(facts: url_facts.UrlFacts) -> Causes:
    host, near = facts.url.host, facts.choice.near
    default = facts.settings.default
    if default.kind is model.DefaultKind.REDIRECT:
        to = default.redirect.to if default.redirect is not None else "elsewhere"
        yield _cause(
            "no-site", f"no site has the name {host}; unknown names are sent to {to}", f"`daemun add {host} TARGET`"
        )
        return
    cause = f"no site of the gate has the name {host}"
    if near is not None:
        cause += f"; the nearest is {near}"
        cure = f"write {near}; for a new site `daemun add {host} TARGET`, or add {host} to the `aliases` of one"
    else:
        cure = f"`daemun add {host} TARGET` adds it, or write it among the `aliases` of a site"
    if "docker" in " ".join(facts.missing):
        cure += "; a container requests it with the label `daemun.host`"
    yield _cause("no-site", cause, cure)


def _of_names(facts: url_facts.UrlFacts) -> Causes:
    """Whether visitors come here at all."""
    host, look = facts.url.host, facts.names
    if look is None:
        return
    if look.failure is not None:
        cause = f"the name {host} does not resolve on this machine: {look.failure}"
        cure = f"make an A or AAAA record for {host} that leads to this machine (or a line in /etc/hosts of who visits)"
        yield _cause("dns-missing", cause, cure)
        return
    elsewhere = [one for one in look.addresses if one not in {*look.own, *look.reached}]
    listed = ", ".join(elsewhere[:4])
    if elsewhere and len(elsewhere) == len(look.addresses):
        cause = f"the name {host} leads to {listed}: no address of this machine, and this gate does not answer there"
        cure = (
            "correct the record in DNS, or let the router or firewall that has this address pass ports 80 and 443 on "
            "to this machine; where it does so, and cannot be reached from inside, look from outside"
        )
        yield _cause("dns-elsewhere", cause, cure)
    elif elsewhere:
        cause = f"the name {host} leads to {listed} too, where this gate does not answer; some visitors land there"
        kinds = (
            "AAAA"
            if all(":" in one for one in elsewhere)
            else "A"
            if not any(":" in one for one in elsewhere)
            else "A and AAAA"
        )
        cure = f"remove the {kinds} record of {listed}, or let this machine have the address"
        yield _cause("dns-partly-elsewhere", cause, cure)
    is_reached = len(look.refused) < len(look.addresses)
    # Browsers try the other family where one is refused at once, as on the machine itself.
    refused = [one for one in look.refused if not (is_reached and (one.startswith("127.") or one == "::1"))]
    if refused and not facts.is_mapped and (facts.visit is None or facts.visit.is_connected):
        cause = f"{host} leads to {', '.join(refused[:4])} of this machine, where the gate takes no connection"
        yield _cause("not-at-address", cause, "add the address to `listen`, or remove its record in DNS")


def _of_daemon(facts: url_facts.UrlFacts) -> Causes:
    view = facts.daemon
    if view is None or view.state in {None, "live", "disabled"} or view.reason is None:
        return
    yield _cause(_STATE, f"daemun has the site as {words.quoted(view.state or '')}: {view.reason}", view.cure)


def _of_port_in_front(facts: url_facts.UrlFacts) -> Causes:
    if not facts.is_mapped or not facts.listening:
        return
    port, own = facts.url.effective_port, facts.listening[0]
    reached = facts.names is not None and bool(facts.names.reached)
    if not reached:
        cause = f"the gate listens on {own} for {facts.url.scheme}, and nothing here leads port {port} to it"
        cure = f"let a router or container engine pass port {port} on to {own.port}, or set `listen`"
        yield _cause("port-in-front", cause, cure)
