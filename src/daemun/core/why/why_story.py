"""The story of a URL: causes first, then the chain in the order of a request. Pure."""

import collections.abc

from daemun.core import model
from daemun.core.options import access_option, when_option
from daemun.core.texts import words
from daemun.core.why import access_walk, answer_causes, site_choice, url_causes, url_facts

Steps = collections.abc.Iterator[url_facts.ChainLink]

_GOOD, _WARNS, _BLOCKS = model.Weight.GOOD, model.Weight.WARNS, model.Weight.BLOCKS
_SHOWN = 160


def make_story(facts: url_facts.UrlFacts) -> url_facts.Story:
    steps = [
        *_of_url(facts),
        *_of_file(facts),
        *_of_names(facts),
        *_of_port(facts),
        *_of_tls(facts),
        *_of_site(facts),
        *_of_route(facts),
        *_of_access(facts),
        *_of_redirects(facts),
        *_of_servers(facts),
        *_of_answer(facts),
    ]
    subject = f"{facts.request.method} {facts.url.written}"
    causes = url_causes.find_causes(facts)
    return url_facts.Story(subject=subject, causes=causes, steps=tuple(steps), missing=facts.missing)


def _step(topic: str, weight: model.Weight, message: str) -> url_facts.ChainLink:
    return url_facts.ChainLink(topic=topic, weight=weight, message=message)


def _of_url(facts: url_facts.UrlFacts) -> Steps:
    yield from (_step("url", _GOOD, remark) for remark in facts.url.remarks)


def _of_file(facts: url_facts.UrlFacts) -> Steps:
    """Errors that keep others than the site from being served."""
    if facts.config_error is not None:
        yield _step("file", _WARNS, "it has an error, and nothing of it is used: `daemun check` shows it")
    others = [one for one in facts.faults if one not in facts.own_faults]
    if others:
        found = "an error" if len(others) == 1 else f"{len(others)} errors"
        yield _step("file", _WARNS, f"it has {found} apart from this site, which `daemun check` shows")


def _of_names(facts: url_facts.UrlFacts) -> Steps:
    look, host = facts.names, facts.url.host
    if look is None:
        return
    if look.failure is not None:
        yield _step("dns", _WARNS, f"{host} does not resolve on this machine: {look.failure}")
        return
    if look.is_implied:
        known = f"browsers and curl know {host} as this machine; other programs need a line in /etc/hosts"
        yield _step("dns", _GOOD, f"{known}: 127.0.0.1 {host}")
    for address in look.addresses[:8]:
        if address in look.own:
            weight = _WARNS if address in look.refused else _GOOD
            where = (
                "this machine, and nothing of the gate is at this port there" if weight is _WARNS else "this machine"
            )
            yield _step("dns", weight, f"{host} leads to {address}: {where}")
        elif address in look.reached:
            yield _step("dns", _GOOD, f"{host} leads to {address}: this gate answers there")
        else:
            yield _step(
                "dns", _WARNS, f"{host} leads to {address}: not this machine, and this gate does not answer there"
            )


def _of_port(facts: url_facts.UrlFacts) -> Steps:
    visit = facts.visit
    listed = ", ".join(map(str, facts.listening)) or "nowhere"
    if facts.is_mapped:
        message = f"the gate listens on {listed} for {facts.url.scheme}, not on {facts.url.effective_port}"
        yield _step("port", _WARNS, f"{message}; something has to lead there")
    if visit is not None and visit.is_connected:
        yield _step("port", _GOOD, f"{visit.at} takes connections")
    elif visit is not None:
        yield _step("port", _BLOCKS, f"{visit.at} takes no connection: {visit.failure or 'no reason is given'}")


def _of_tls(facts: url_facts.UrlFacts) -> Steps:
    shown = facts.handshake
    if isinstance(shown, str):
        yield _step("tls", _BLOCKS, f"no handshake for {facts.url.host}: {shown}")
    elif shown is not None:
        days = (shown.not_after - facts.now).days
        weight = _GOOD if shown.covers and shown.not_before <= facts.now < shown.not_after else _BLOCKS
        fit = "carries the name" if shown.covers else "does not carry the name"
        end = f"valid for {days} days" if facts.now < shown.not_after else f"expired on {shown.not_after:%Y-%m-%d}"
        yield _step("tls", weight, f"the certificate of {words.quoted(shown.issuer)} {fit}, {end}")


def _of_site(facts: url_facts.UrlFacts) -> Steps:
    choice = facts.choice
    if facts.desired is None:
        return
    if facts.own_faults and (choice.site is None or choice.name is None):
        yield _step("site", _BLOCKS, f"{facts.url.host} is in the file, with an error, so it is not served")
        return
    if choice.site is None:
        near = f"; near is {choice.near}" if choice.near else ""
        off = f"; {choice.disabled.host} is switched off" if choice.disabled is not None else ""
        yield _step("site", _BLOCKS, f"no site takes {facts.url.host}{off}{near}")
        return
    how = choice.match.value
    if choice.name is not None and choice.match is not site_choice.Match.EXACT:
        how = f"{how} {words.quoted(choice.name)}"
    weight = _GOOD if choice.match is not site_choice.Match.DEFAULT else _WARNS
    near = f"; near is {choice.near}" if choice.match is site_choice.Match.DEFAULT and choice.near else ""
    yield _step("site", weight, f"{choice.site.host} ({choice.site.place}) takes it by {how}{near}")
    view = facts.daemon
    if view is not None and view.state not in {None, "live"}:
        yield _step("site", _WARNS, f"daemun has it as {view.state}{f': {view.reason}' if view.reason else ''}")
    if view is not None and view.waiting is not None:
        yield _step("site", _WARNS, view.waiting)


def _of_route(facts: url_facts.UrlFacts) -> Steps:
    walk = facts.walk
    if facts.site is None or walk is None:
        return
    path = words.quoted(facts.url.path, at_most=_SHOWN)
    for route in walk.passed[:8]:
        condition = when_option.describe(when_option.OPTION.of(route))
        yield _step("route", _GOOD, f"{words.quoted(route.name)} is passed over: {condition} does not hold")
    if walk.route is None:
        near = f"; near: {', '.join(map(words.quoted, walk.near))}" if walk.near else ""
        yield _step("route", _BLOCKS, f"no route takes {path}{near}")
        return
    perhaps = ", perhaps: its `when` depends on what is not known here" if walk.perhaps else ""
    beside = f"; it counts more than {', '.join(map(words.quoted, walk.beside))}" if walk.beside else ""
    yield _step("route", _GOOD, f"{words.quoted(walk.route.name)} takes {path}{perhaps}{beside}: {_action(walk.route)}")
    if facts.labels is not None:
        shown = ", ".join(f"`daemun.{name}`" for name in facts.labels.names)
        yield _step("route", _GOOD, f"labels of {facts.labels.place} set {shown} there")


def _action(route: model.Route) -> str:
    match route.action:
        case model.Proxy(targets=()):
            return "to no server that is known"
        case model.Proxy(targets=targets):
            shown = ", ".join(str(target) for target in targets[:4])
            return f"to {shown}{f' and {len(targets) - 4} more' if len(targets) > 4 else ''}"
        case model.Redirect(to=to):
            return f"redirects to {words.quoted(to, at_most=_SHOWN)}"
        case model.Files(folder=folder):
            return f"files of {words.quoted(folder, at_most=_SHOWN)}"
        case model.Respond(status=status):
            return f"answers {status} itself"


def _of_access(facts: url_facts.UrlFacts) -> Steps:
    site = facts.site
    if site is None:
        return
    access = access_walk.find_held(facts.route, site, facts.settings)
    refusals = answer_causes.find_refusals(facts)
    for one in refusals:
        yield _step("access", _BLOCKS if one.is_certain else _WARNS, one.cause)
    if facts.labels is not None and access_option.OPTION.name in facts.labels.names:
        yield _step("access", _WARNS, f"the label `daemun.access` of {facts.labels.place} says who may come in")
    elif not refusals:
        who = facts.request.address or "everybody"
        yield _step("access", _GOOD, f"{who} may come in" if access.conditions else "open to everybody")
    if access.rate_limit is not None:
        yield _step("access", _GOOD, f"at most {access.rate_limit.rate} come through; more get 429")
    if access.connections is not None:
        yield _step("access", _GOOD, f"at most {access.connections} of one address at a time; more get 429")


def _of_redirects(facts: url_facts.UrlFacts) -> Steps:
    for visit in facts.visits[:10]:
        if visit.answer is not None and visit.answer.location is not None:
            there = words.quoted(visit.answer.location, at_most=_SHOWN)
            yield _step(
                "redirect", _GOOD, f"{words.quoted(str(visit.url), at_most=_SHOWN)} -> {visit.answer.status} {there}"
            )


def _of_servers(facts: url_facts.UrlFacts) -> Steps:
    for one in facts.servers[:10]:
        name = f"the judge {one.server}" if one.is_judge else one.server
        if one.found.trouble is not None:
            cause = one.found.cause or name
            yield _step("server", _BLOCKS, cause if one.server in cause else f"{name}: {cause}")
        elif one.answer is None:
            yield _step("server", _GOOD, f"{name} takes connections")
        else:
            sent = words.quoted(one.sent, at_most=_SHOWN)
            weight = _GOOD if one.answer.status < 400 else _WARNS
            yield _step("server", weight, f"{name} answers {one.answer.status} to {sent} in {one.answer.took_s:.2f} s")


def _of_answer(facts: url_facts.UrlFacts) -> Steps:
    visit = facts.visit
    if visit is None or not visit.is_connected:
        return
    answer = visit.answer
    if answer is None:
        yield _step("answer", _BLOCKS, f"the gate gives no answer: {visit.failure or 'the connection was closed'}")
        return
    if answer.page_id is not None:
        whose = ", a page of the gate's own"
    elif answer_causes.is_servers(facts):
        whose = ", as the server does beside it"
    else:
        whose = ""
    weight = _GOOD if answer.status < 400 else _BLOCKS
    if answer_causes.is_refused_here(facts):
        weight, whose = _WARNS, ": the request came from this machine, whose own address may not come in"
    yield _step("answer", weight, f"the gate answers {answer.status} in {answer.took_s:.2f} s{whose}")
