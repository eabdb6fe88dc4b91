"""Rules about what concerns no single site, and about sites seen together."""

import typing

import pytest

from daemun.core import model
from daemun.core.options import catalogue, logs_option, old_workers_option, status_option
from daemun.core.validation import validate
from tests.support.sites import with_options

SITE = model.Site(
    host="a.test",
    routes=(model.Route(path="/", action=model.Redirect(to="https://x.test/")),),
    origin=model.Origin(source="file"),
)


def listen(http: tuple[model.Address, ...], https: tuple[model.Address, ...]) -> dict[str, object]:
    return {"listen": model.Listen(http=http, https=https)}


def address(port: int, host: str | None = None) -> model.Address:
    return model.Address(port=port, host=host)


def test_the_defaults_are_good() -> None:
    assert not validate.find_global_problems(model.Globals(), ())


def ordering(**values: typing.Any) -> model.Acme:
    """One CA, and as whom it is asked."""
    return model.Acme(authorities=(model.Authority(**values),))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (listen((), (address(443),)), "listen.http: is empty"),
        (listen((address(0),), (address(443),)), "port 0 is not between"),
        (listen((address(80, "nowhere"),), (address(443),)), '"nowhere" is not an IP address'),
        (listen((address(80, "[::1]"),), (address(443),)), "is not an IP address"),
        (listen((address(80), address(80)), (address(443),)), "80 is already listened on by http"),
        (listen((address(80),), (address(80),)), "80 is already listened on by http"),
        (listen((address(80),), (address(80, "10.0.0.1"),)), "10.0.0.1:80 is already listened on by http (80)"),
        (listen((address(80), address(80, "0.0.0.0")), (address(443),)), "already listened on"),
        (listen((address(80), address(80, "10.0.0.1")), (address(443), address(443, "::1"))), ""),
        ({"acme": ordering(directory="http://ca.test/dir")}, "is not an https URL"),
        ({"acme": ordering(directory="https://[x")}, "is not an https URL"),
        ({"acme": ordering(directory="https://user@ca.test/dir")}, "is not an https URL"),
        ({"acme": ordering(directory=model.LETS_ENCRYPT, email="me@localhost")}, "is not an e-mail address"),
        ({"acme": ordering(directory=model.LETS_ENCRYPT, email="me@a.test\n")}, "control character"),
        ({"acme": ordering(directory=model.LETS_ENCRYPT, email="me+x@a.test", ca_file="ca.pem")}, "acme.ca_file"),
        ({"trusted_proxies": ("10.0.0.0/8", "fd00::/8", "192.0.2.1")}, ""),
        ({"trusted_proxies": ("10.0.0.1/8",)}, 'write "10.0.0.0/8"'),
        ({"trusted_proxies": ("10.0.0.0/255.0.0.0",)}, 'write "10.0.0.0/8"'),
        ({"trusted_proxies": ("all",)}, '"all" is not a network'),
        ({"trusted_proxies": ("fe80::1%eth0",)}, "zone"),
        ({"response_headers": (("X-A", "a"), ("x-a", "b"))}, "response_headers.x-a: is given twice"),
        ({"response_headers": (("Content-Type", "a/b"),)}, "set it in the routes that need it"),
        ({"request_headers": (("X-" + "a" * 40, "1"),)}, "too long for a CGI parameter"),
        ({"request_headers": (("X-A", "1"),), "response_headers": (("X-B", "$host"),)}, ""),
        ({"logs": logs_option.Logs(max_bytes=0)}, "logs.max_size"),
        ({"logs": logs_option.Logs(keep=-1)}, "logs.keep"),
        ({"workers": 0}, "workers"),
        (
            {"old_workers": old_workers_option.OldWorkersBudget(generations=0)},
            "old_workers.generations: 0 is not between 1 and 1000",
        ),
        ({"old_workers": old_workers_option.OldWorkersBudget(memory_bytes=1)}, "old_workers.memory"),
        (
            {"old_workers": old_workers_option.OldWorkersBudget(wait_s=86400.0)},
            "old_workers.wait: 1d is not between 0s and 1h",
        ),
        ({"old_workers": old_workers_option.OldWorkersBudget(sockets_per_s=0)}, "old_workers.per_second"),
        ({"old_workers": old_workers_option.OldWorkersBudget(generations=1, wait_s=0.0)}, ""),
        ({"user": "www; daemon off"}, "user"),
        ({"default": model.Default(kind=model.DefaultKind.SITE, host="b.test")}, 'did you mean "a.test"?'),
        ({"default": model.Default(kind=model.DefaultKind.SITE)}, "needs a site"),
        ({"default": model.Default(kind=model.DefaultKind.SITE, host="a.test")}, ""),
        (
            {
                "default": model.Default(
                    kind=model.DefaultKind.REDIRECT,
                    redirect=model.Redirect(to="x", options=catalogue.values(status_option.OPTION.set(1))),
                )
            },
            "default.status: 1 is not a redirect",
        ),
    ],
)
def test_settings(options: dict[str, typing.Any], words: str) -> None:
    found = "\n".join(
        problem.message for problem in validate.find_global_problems(model.Globals(**with_options(options)), (SITE,))
    )
    assert words in found
    assert bool(words) == bool(found)


def test_a_disabled_default_site_is_a_warning() -> None:
    site = model.Site(host="a.test", enabled=False, routes=SITE.routes)
    settings = model.Globals(default=model.Default(kind=model.DefaultKind.SITE, host="a.test"))
    (problem,) = validate.find_global_problems(settings, (site,))
    assert problem.severity is model.Severity.WARNING


@pytest.mark.parametrize(
    ("directory", "host", "is_refused"),
    [
        (model.LETS_ENCRYPT, "a.test", True),
        (model.LETS_ENCRYPT, "10.0.0.1", True),
        (model.LETS_ENCRYPT, "a.com", False),
        ("https://api.buypass.com/acme/directory", "a.lan", True),
        ("https://ca.internal/acme/directory", "a.lan", False),
    ],
)
def test_what_the_ca_in_use_does_not_sign(directory: str, host: str, *, is_refused: bool) -> None:
    site = model.Site(host=host, tls=model.Tls(mode=model.TlsMode.ACME), routes=SITE.routes)
    found = validate.find_global_problems(model.Globals(acme=ordering(directory=directory)), (site,))
    assert ["write `tls: local`, or name your own CA" in problem.message for problem in found] == [True] * is_refused


def test_a_host_claimed_twice() -> None:
    first = model.Site(host="a.test", aliases=("b.test",), origin=model.Origin(source="file", place="f:1:1"))
    second = model.Site(host="b.test", aliases=("c.test",), origin=model.Origin(source="file", place="f:2:1"))
    third = model.Site(host="d.test", aliases=("x.test", "c.test"), origin=model.Origin(source="file", place="f:3:1"))
    found = validate.find_global_problems(model.Globals(), (first, second, third))
    assert [str(problem) for problem in found] == [
        'f:2:1: host "b.test" already belongs to site "a.test" (f:1:1)',
        'f:3:1: site "d.test", aliases: host "c.test" already belongs to site "b.test" (f:2:1)',
    ]
    assert found[1].field == ("aliases", 1)
