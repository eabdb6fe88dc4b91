"""The rules of a site: its options, and what only containers can say of it (`compat`). Pure."""

from daemun.core import model, problem_report
from daemun.core.options import option, option_rules
from daemun.core.texts import rules, url_rules, variable_rules, words

TOKENS = ("on", "off", "build")


def check_details(site: model.Site, report: problem_report.ProblemReport) -> None:
    for name, port in (("http_port", site.http_port), ("https_port", site.https_port)):
        if port is not None:
            report.add(rules.check_number(port, least=1, most=65535), name)
    if site.http_port is not None and site.http_port == site.https_port:
        report.add(f"{site.http_port} cannot be for HTTPS, too", "http_port")
    if site.server_tokens is not None and site.server_tokens not in TOKENS:
        report.add(f"expected {words.listed(TOKENS)}, found {words.quoted(site.server_tokens)}", "server_tokens")
    check_answer(site.otherwise, report, "otherwise")
    option_rules.check_level(option.Level.SITE, site, option.Place(report=report, field=(), site=site))


def check_answer(answer: model.FixedAnswer, report: problem_report.ProblemReport, field: str) -> None:
    """What the gate answers itself."""
    report.add(rules.check_number(answer.status, least=200, most=599), field)
    if answer.text is None:
        return
    if answer.status in url_rules.REDIRECT_STATUSES:
        report.add_value(answer.text, url_rules.check_redirect(answer.text), field)
    else:
        report.add(rules.check_text(answer.text) or variable_rules.check_variables(answer.text), field)
