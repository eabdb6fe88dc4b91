"""Rules of how certificates are ordered: what is refused, with which words, and what is not."""

import typing

import pytest

from daemun.core import model, problem_report
from daemun.core.options import alerts_option, catalogue, option, option_rules
from daemun.core.validation import validate_acme

AUTHORITY = model.Authority(directory="https://ca.test/dir")
HOOK = model.Dns(provider=model.HOOK, command=("/bin/hook",))


def said(problems: typing.Iterable[model.Problem]) -> str:
    return "\n".join(f"{problem.severity.value}: {problem.message}" for problem in problems)


def site(host: str, *aliases: str, mode: model.TlsMode = model.TlsMode.AUTO, **tls: typing.Any) -> model.Site:
    return model.Site(host=host, aliases=aliases, tls=model.Tls(mode=mode, **tls))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (site("*.a.com", mode=model.TlsMode.ACME), "a wildcard is proved in DNS; say under `acme.dns`"),
        (site("*.a.com"), 'warning: site "*.a.com", tls: the local CA signs "*.a.com": a wildcard is proved in DNS'),
        (site("a.com", "a.lan"), 'warning: site "a.com", tls: the local CA signs "a.lan"'),
        (site("under_score.a.com"), 'the local CA signs "under_score.a.com": no public CA signs a name with "_"'),
        (site("a.com", "my_shop.a.com"), 'warning: site "a.com", tls: the local CA signs "my_shop.a.com": no public'),
        (site("*.my_shop.a.com"), 'the local CA signs "*.my_shop.a.com": no public CA signs a name with "_"'),
        (site("my_shop.a.lan"), ""),
        (site("under_score.a.com", mode=model.TlsMode.LOCAL), ""),
        (site("a.lan", mode=model.TlsMode.ACME), ""),
        (site("a.com", ordering=model.Ordering(challenge=model.Challenge.DNS_01)), "dns-01 needs `dns`"),
        (site("*.a.com", "a.com", mode=model.TlsMode.ACME, ordering=model.Ordering(dns=HOOK)), ""),
    ],
)
def test_names_and_how_they_are_proved(asked: model.Site, words: str) -> None:
    found = said(validate_acme.find_order_problems(asked, model.Acme(authorities=(AUTHORITY,))))
    assert (words in found) if words else not found


def test_the_gates_dns_counts_for_its_sites() -> None:
    acme = model.Acme(authorities=(AUTHORITY,), dns=HOOK)
    assert not validate_acme.find_order_problems(site("*.a.com", mode=model.TlsMode.ACME), acme)


@pytest.mark.parametrize(
    ("acme", "words"),
    [
        (model.Acme(authorities=()), "acme.directory: is empty"),
        (model.Acme(authorities=(AUTHORITY, AUTHORITY)), '"https://ca.test/dir" is given twice'),
        (
            model.Acme(authorities=(model.Authority(directory="https://acme.zerossl.com/v2/DV90"),)),
            "add `eab: {kid: ..., hmac_key: ...}`",
        ),
        (model.Acme(hook=("hook",)), 'acme.hook: "hook" is not an absolute path of a program'),
        (model.Acme(dns=model.Dns(provider=model.HOOK)), "acme.dns.command: is missing"),
        (model.Acme(dns=model.Dns(provider="cloudflare", command=("/x",))), "belongs to `provider: hook`"),
        (model.Acme(dns=model.Dns(provider="x", wait_s=0)), "acme.dns.wait: 0s is not between"),
        (model.Acme(resolvers=("dns.test",)), "is not an address of a DNS server"),
        (model.Acme(resolvers=("192.0.2.1:x",)), "has no port from 1 to 65535"),
        (model.Acme(resolvers=("192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:53")), ""),
        (model.Acme(profile=" "), "acme.profile: is empty"),
        (model.Acme(preferred_chain=" "), "acme.preferred_chain: is empty; leave it out for the CA's usual chain"),
        (model.Acme(preferred_chain="a\nb"), "acme.preferred_chain: "),
        (model.Acme(preferred_chain="ISRG Root X1", key_type=model.KeyType.RSA_2048), ""),
    ],
)
def test_the_gate(acme: model.Acme, words: str) -> None:
    found = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
    settings = model.Globals(acme=acme)
    option_rules.check_level(option.Level.GATE, settings, option.Place(report=found, field=()))
    assert (words in said(found.problems)) if words else not found.problems


@pytest.mark.parametrize(
    ("alerts", "words"),
    [
        (
            alerts_option.Alerts(webhooks=(alerts_option.Webhook(url=model.Secret(text="ftp://s3cr3t")),)),
            "is not an http or https URL",
        ),
        (alerts_option.Alerts(webhooks=(alerts_option.Webhook(url=model.Secret(variable="HOOK")),)), ""),
        (
            alerts_option.Alerts(mails=(alerts_option.Mail(server="a b", sender="a@b.test", recipients=("me",)),)),
            "alerts.smtp.to",
        ),
        (
            alerts_option.Alerts(
                mails=(alerts_option.Mail(server="m.test", sender="a@b.test", recipients=("a@b.test",), user="me"),)
            ),
            "`user` and `password` belong together",
        ),
    ],
)
def test_alerts(alerts: alerts_option.Alerts, words: str) -> None:
    found = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
    settings = model.Globals(options=catalogue.values(alerts_option.OPTION.set(alerts)))
    option_rules.check_level(option.Level.GATE, settings, option.Place(report=found, field=()))
    assert (words in said(found.problems)) if words else not found.problems
    assert "s3cr3t" not in said(found.problems)
