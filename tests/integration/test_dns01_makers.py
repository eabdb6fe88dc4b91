"""Who makes records in DNS: dns-lexicon's providers, dynamic update, a program of the owner's; against real servers."""

import collections.abc
import pathlib
import stat
import sys

import pytest

from daemun import errors
from daemun.certs.dns01 import by_hook, by_lexicon, by_update, txt_records
from tests.support import knot, powerdns, until

ZONE, NAME = "example.test", "_acme-challenge.example.test"
ONE, OTHER = (txt_records.Record(name=NAME, zone=ZONE, value=value) for value in ("one", "other"))
ABROAD = txt_records.Record(name="a.abroad.test", zone="abroad.test", value="one")


@pytest.fixture(name="provider", scope="module")
def running_provider() -> collections.abc.Iterator[powerdns.PowerDns]:
    with powerdns.running_powerdns(ZONE) as found:
        yield found


# --- dns-lexicon ---------------------------------------------------------------------------------------------------


def test_a_provider_with_an_http_api(provider: powerdns.PowerDns) -> None:
    maker = by_lexicon.Lexicon("powerdns", {"pdns_server": provider.api, "auth_token": provider.token})
    maker.create(ONE)
    maker.create(OTHER)
    maker.create(ONE)
    assert provider.texts(NAME) == {"one", "other"}
    maker.remove(ONE)
    assert provider.texts(NAME) == {"other"}
    maker.remove(ONE)
    maker.remove(OTHER)
    assert provider.texts(NAME) == set()


def test_a_provider_with_dynamic_update() -> None:
    with knot.running_dns(ZONE) as dns:
        options = {"auth_token": f"hmac-sha256:{knot.KEY}:{dns.secret}", "ddns_server": dns.primary}
        maker = by_lexicon.Lexicon("ddns", options)
        maker.create(ONE)
        maker.create(OTHER)
        until.true(lambda: dns.texts(NAME) == {"one", "other"})
        maker.remove(ONE)
        until.true(lambda: dns.texts(NAME) == {"other"})


@pytest.mark.parametrize(
    ("name", "changed", "record", "told"),
    [
        ("powerdns", {"auth_token": "not-the-token"}, ONE, "HTTP 401 (Unauthorized); the provider does not accept"),
        ("powerdns", {"auth_token": ""}, ONE, "auth_token"),
        ("powerdns", {"pdns_server": "http://127.0.0.1:1"}, ONE, "its API cannot be reached (connection refused)"),
        (
            "powerdns",
            {},
            txt_records.Record(name="a.other.test", zone="other.test", value="x"),
            "check that the zone is at",
        ),
        ("ddns", {}, ONE, "check that no option is missing (it knows auth_token, ddns_server and ttl)"),
        ("route53", {}, ONE, 'pip install "dns-lexicon[route53]"'),
        ("nobody", {}, ONE, "dns-lexicon does not know it"),
    ],
)
def test_a_provider_that_refuses_says_what_to_do(
    provider: powerdns.PowerDns, name: str, changed: dict[str, str], record: txt_records.Record, told: str
) -> None:
    default = {"pdns_server": provider.api, "auth_token": provider.token} if name == "powerdns" else {}
    with pytest.raises((errors.RetryableError, errors.ConfigError)) as caught:
        by_lexicon.Lexicon(name, {**default, **changed}).create(record)
    assert told in str(caught.value)
    assert provider.token not in str(caught.value)
    assert "not-the-token" not in str(caught.value)


# --- dynamic update ------------------------------------------------------------------------------------------------


def test_a_server_that_refuses_says_what_to_allow(provider: powerdns.PowerDns) -> None:
    with pytest.raises(errors.RetryableError, match=r"it refuses \(REFUSED\): this address, without a key, may not"):
        by_update.make({"server": provider.address}).create(ONE)


def test_a_server_that_does_not_know_the_key(provider: powerdns.PowerDns) -> None:
    options = {"server": provider.address, "key_name": "unknown", "key_secret": "dW5rbm93bg=="}
    with pytest.raises(errors.RetryableError, match='it does not accept the key "unknown"'):
        by_update.make(options).create(ONE)


# --- a program -----------------------------------------------------------------------------------------------------


def make_program(folder: pathlib.Path, text: str) -> str:
    path = folder / "dns-hook"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_a_program_is_told_by_arguments_and_environment(tmp_path: pathlib.Path) -> None:
    told = tmp_path / "told"
    program = make_program(
        tmp_path,
        f"""import os, sys
keys = ("ACTION", "NAME", "VALUE", "ZONE")
with open({str(told)!r}, "a") as file:
    print(*sys.argv[1:], *(os.environ["DAEMUN_" + key] for key in keys), file=file)
""",
    )
    hook = by_hook.Hook((program, "--account", "a b"))
    hook.create(ONE)
    hook.remove(ONE)
    assert told.read_text().splitlines() == [
        f"--account a b present {NAME} one present {NAME} one {ZONE}",
        f"--account a b cleanup {NAME} one cleanup {NAME} one {ZONE}",
    ]


SAY = "import os, sys, time\ndef say(text): print(text, file=sys.stderr, flush=True)\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("say('first'); say('no \\x1b[31msuch zone'); sys.exit(3)", "exit code 3, saying: no  [31msuch zone"),
        ("sys.exit(1)", "exit code 1 and said nothing"),
        ("os.kill(os.getpid(), 9)", "was ended by signal 9"),
        ("say('at it'); time.sleep(60)", "was killed, saying: at it"),
    ],
)
def test_a_program_that_fails_says_why(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    monkeypatch.setattr(by_hook, "TIMEOUT_S", 2.0)
    with pytest.raises(errors.RetryableError) as caught:
        by_hook.Hook((make_program(tmp_path, SAY + text),)).create(ONE)
    assert told in str(caught.value)


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(errors.RetryableError, match="cannot be run: no such file or directory; correct"):
        by_hook.Hook(("/nowhere/hook",)).create(ONE)
