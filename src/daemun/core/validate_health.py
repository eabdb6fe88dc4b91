"""The rules of health checks. Pure."""

import re

from daemun.core import model, problem_report, rules, words

_HTTP = frozenset({model.Scheme.HTTP, model.Scheme.HTTPS, model.Scheme.H2C})
_SENT = re.compile(r"/[\x21-\x7e]*\Z")
_LONGEST_INTERVAL_S = 3600.0
_LONGEST_TIMEOUT_S = 60.0
_MOST_IN_A_ROW = 100


def check_health(proxy: model.Proxy, report: problem_report.ProblemReport, here: problem_report.Field) -> None:
    """What is wrong with a route's `health`, if it has one."""
    health = proxy.health
    if health is None:
        return
    field = (*here, "health")
    _check_path(health, proxy, report, field)
    if health.host is not None:
        report.add_value(health.host, rules.check_host_header(health.host), *field, "host")
    numbers: tuple[tuple[str, float, float, float], ...] = (
        ("interval", health.interval_s, 0.1, _LONGEST_INTERVAL_S),
        ("timeout", health.timeout_s, 0.01, _LONGEST_TIMEOUT_S),
        ("threshold", health.threshold, 1, _MOST_IN_A_ROW),
        ("recover", health.recover, 1, _MOST_IN_A_ROW),
    )
    for name, value, least, most in numbers:
        report.add(rules.check_number(value, least=least, most=most), *field, name)
    for low, high in health.statuses:
        if not 100 <= low <= high <= 599:
            report.add(f"{low}-{high} is no range of statuses between 100 and 599", *field, "status")
    for index, target in enumerate(proxy.targets):
        if target.socket is not None and not target.down:
            cause = "cannot be checked: nginx is told of servers by address, and a unix socket has none"
            report.add(f"{words.quoted(str(target))} {cause}; remove `health`", *here, "to", index)


def _check_path(
    health: model.Health, proxy: model.Proxy, report: problem_report.ProblemReport, field: problem_report.Field
) -> None:
    if health.path is None:
        return
    cause = rules.check_text(health.path)
    if cause is None and not _SENT.match(health.path):
        cause = 'is not a path such as "/healthz", percent-encoded as it is to be sent'
    report.add_value(health.path, cause, *field, "path")
    other = next((target.scheme for target in proxy.targets if target.scheme not in _HTTP), None)
    if other is not None:
        report.add(f"{other.value} servers are not asked over HTTP; write `health: tcp`", *field, "path")
