"""What is wrong with the handshake of a URL. Pure."""

import collections.abc

from daemun.core import model
from daemun.core.served import served_judgement
from daemun.core.texts import names
from daemun.core.why import url_facts

Causes = collections.abc.Iterator[url_facts.Cause]


def find(facts: url_facts.UrlFacts) -> Causes:
    """Why a browser gets no connection, or a warning that it lets nobody pass."""
    shown, url, visit = facts.handshake, facts.url, facts.visit
    if shown is None or facts.site is None or facts.site.tls.mode is model.TlsMode.OFF:
        return
    if visit is not None and not visit.is_connected:
        return
    if isinstance(shown, str) and any(one.port == url.effective_port for one in facts.other_listening):
        return
    name = url.host.strip("[]")
    if names.address_of(name) is not None and not isinstance(shown, str):
        return  # a client that names an address sends no name
    bad = served_judgement.judge_handshake(
        shown, name=name, listener=visit.at if visit is not None else "the gate", expected=(), now=facts.now
    )
    if bad is None:
        return
    cure = bad.cure
    if facts.site.tls.mode is model.TlsMode.FILES:
        cure = f"put a new certificate that carries {name} in the place of {facts.site.tls.certificate}"
    elif facts.daemon is not None and facts.daemon.certificate_reason:
        cure = f"{facts.daemon.certificate_reason}; `daemun doctor {url.host}` looks for the cause"
    yield url_facts.Cause(kind="tls" if isinstance(shown, str) else "certificate", cause=bad.cause, cure=cure)


def find_untrusted(facts: url_facts.UrlFacts) -> Causes:
    """A certificate of the local authority, where a public one is meant."""
    shown, host = facts.handshake, facts.url.host
    if shown is None or isinstance(shown, str) or facts.local_issuer is None or shown.issuer != facts.local_issuer:
        return
    if not names.is_signed_publicly(host) or (facts.site is not None and facts.site.tls.mode is model.TlsMode.LOCAL):
        return
    why = facts.daemon.certificate_reason if facts.daemon is not None else None
    cause = f"{host} has no certificate of a public authority yet, so browsers warn"
    yield url_facts.Cause(
        kind="certificate-local",
        cause=f"{cause}: {why}" if why else cause,
        cure=f"`daemun doctor {host}` looks for what keeps it from getting one",
    )
