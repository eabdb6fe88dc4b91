"""The rules of a site and of the gate: their options, and what only containers can say of them (`compat`). Pure."""

import re

from daemun.core import model, names, problem_report, rules, validate_acme, words
from daemun.core.options import catalogue, option

PROTOCOLS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
TOKENS = ("on", "off", "build")
_CIPHERS = re.compile(r"[A-Za-z0-9:+!@=_-]{1,2000}\Z")


def check_details(site: model.Site, report: problem_report.ProblemReport) -> None:
    for name, port in (("http_port", site.http_port), ("https_port", site.https_port)):
        if port is not None:
            report.add(rules.check_number(port, least=1, most=65535), name)
    if site.http_port is not None and site.http_port == site.https_port:
        report.add(f"{site.http_port} cannot be for HTTPS, too", "http_port")
    if site.server_tokens is not None and site.server_tokens not in TOKENS:
        report.add(f"expected {words.listed(TOKENS)}, found {words.quoted(site.server_tokens)}", "server_tokens")
    check_answer(site.otherwise, report, "otherwise")
    catalogue.check_level(option.Level.SITE, site, option.Place(report=report, field=(), site=site))


def check_answer(answer: model.Answer, report: problem_report.ProblemReport, field: str) -> None:
    """What the gate answers itself."""
    report.add(rules.check_number(answer.status, least=200, most=599), field)
    if answer.text is None:
        return
    if answer.status in rules.REDIRECT_STATUSES:
        report.add_value(answer.text, rules.check_redirect(answer.text), field)
    else:
        report.add(rules.check_text(answer.text) or rules.check_variables(answer.text), field)


def check_certificate(site: model.Site, report: problem_report.ProblemReport) -> None:
    tls = site.tls
    patterns = [name for name in site.names if names.is_pattern(name)]
    if patterns and tls.mode not in {model.TlsMode.OFF, model.TlsMode.FILES}:
        shown = words.listed([words.quoted(name) for name in patterns], last="and")
        report.add(f"no certificate can be made for {shown}; name one of your own, or serve it without HTTPS", "tls")
    for name in tls.group:
        report.add_value(name, rules.check_host(name), "tls", "group")
    if tls.group and site.host not in tls.group:
        report.add(f"the certificate for {words.quoted(tls.group[0])} would not be for this site", "tls", "group")
    if tls.ordering.authority is not None:
        validate_acme.check_authority(tls.ordering.authority, report, "tls")
    if tls.ordering.email is not None:
        report.add_value(tls.ordering.email, rules.check_email(tls.ordering.email), "tls", "email")
    if tls.policy is not None:
        check_policy(tls.policy, report, "tls", "policy")
    if tls.clients is not None:
        for path in (tls.clients.ca_file, tls.clients.crl_file):
            if path is not None:
                report.add_value(path, rules.check_absolute(path), "tls", "clients")


def check_policy(policy: model.TlsPolicy, report: problem_report.ProblemReport, *field: str) -> None:
    if not policy.protocols or not set(policy.protocols) <= set(PROTOCOLS):
        report.add(f"expected some of {words.listed(PROTOCOLS)}", *field)
    if not _CIPHERS.match(policy.ciphers):
        report.add("its ciphers are no list of OpenSSL", *field)


def check_gate(settings: model.Globals, report: problem_report.ProblemReport) -> None:
    catalogue.check_level(option.Level.GATE, settings, option.Place(report=report, field=()))
    default = settings.default
    report.add(rules.check_number(default.status, least=200, most=599), "default", "status")
    for path in (default.page, default.certificate, default.key):
        if path is not None:
            report.add_value(path, rules.check_absolute(path), "default")
    if (default.certificate is None) != (default.key is None):
        report.add("a certificate of your own needs both `certificate` and `key`", "default")
    if settings.tls_policy is not None:
        check_policy(settings.tls_policy, report, "tls_policy")
