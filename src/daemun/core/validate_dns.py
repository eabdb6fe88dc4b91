"""The rules of who makes records in DNS. Pure: which providers dns-lexicon has, `sources` looks up."""

from daemun.core import model, problem_report
from daemun.core.texts import quantity_rules, rules, words

RFC2136_OPTIONS = ("server", "port", "zone", "key_name", "key_secret", "key_algorithm")
RFC2136_ALGORITHMS = ("hmac-sha256", "hmac-sha512", "hmac-sha384", "hmac-sha224", "hmac-sha1", "hmac-md5")
"""As BIND and Knot call them; RFC 8945 section 6."""

_LONGEST_WAIT_S = 86400.0


def check_dns(dns: model.Dns, report: problem_report.ProblemReport, *field: str | int) -> None:
    if not dns.provider.strip():
        report.add("is empty; expected a provider", *field, "provider")
    if dns.provider == model.HOOK and not dns.command:
        report.add("is missing; `provider: hook` needs the program that makes the records", *field, "command")
    if dns.provider != model.HOOK and dns.command:
        report.add("belongs to `provider: hook`", *field, "command")
    report.add(rules.check_command(dns.command), *field, "command")
    report.add(quantity_rules.check_duration(dns.wait_s, least=1, most=_LONGEST_WAIT_S), *field, "wait")
    if dns.provider == model.HOOK:
        check_options(dns, (), report, *field)
    elif dns.provider == model.RFC2136:
        check_options(dns, RFC2136_OPTIONS, report, *field)
        _check_rfc2136(dict(dns.options), report, *field)


def check_options(
    dns: model.Dns, known: tuple[str, ...], report: problem_report.ProblemReport, *field: str | int
) -> None:
    """Names of options that the provider does not have. Their values may be secrets and are not shown."""
    for name in (name for name, _ in dns.options if name not in known):
        expected = f"expected {words.listed(known)}" if known else "it takes none"
        what = f"is no option of `provider: {dns.provider}`; {expected}{words.guess(name, known)}"
        report.add(what, *field, name)


def _check_rfc2136(options: dict[str, model.Secret], report: problem_report.ProblemReport, *field: str | int) -> None:
    if "server" not in options:
        report.add("is missing; `provider: rfc2136` needs the name or the address of the zone's primary server", *field)
    for one, other in (("key_name", "key_secret"), ("key_secret", "key_name"), ("key_algorithm", "key_name")):
        if one in options and other not in options:
            report.add(f"needs `{other}` beside it", *field, one)
    port = options["port"].text if "port" in options else None
    if port is not None and not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
        report.add_value(port, "is no port from 1 to 65535", *field, "port")
    algorithm = options["key_algorithm"].text if "key_algorithm" in options else None
    if algorithm is not None and algorithm.lower() not in RFC2136_ALGORITHMS:
        cause = f"is not known; expected {words.listed(RFC2136_ALGORITHMS)}"
        report.add_value(algorithm, cause + words.guess(algorithm, RFC2136_ALGORITHMS), *field, "key_algorithm")
