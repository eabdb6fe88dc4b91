"""Tokens of scripts: what is stored, where they are good, and who comes in by one."""

import dataclasses

import pytest

from daemun import errors
from daemun.cli import lifetimes
from daemun.cli.commands import tokens
from daemun.core.access import access_tokens, login_users
from daemun.core.access.access_tokens import Token
from daemun.core.access.judge_policies import LoginPolicy
from daemun.judge import password_check, sign_in, token_judge
from daemun.judge.token_judge import TokenVerdict

SECRET = access_tokens.make_secret(bytes(32))
TOKEN = Token(
    name="backup",
    user="alice",
    sites=("home.test", "*.apps.test"),
    digest=access_tokens.digest(SECRET),
    created_s=0.0,
    ends_s=1000.0,
)
ALICE = login_users.User(name="alice", hashed="", stamp="1", groups=("family",))
EVERYBODY, ADMINS = LoginPolicy(name="home.test-root"), LoginPolicy(name="home.test-admin", groups=("admins",))


def test_a_secret_is_long_and_not_what_is_kept() -> None:
    assert SECRET == "daemun_" + "A" * 43
    assert SECRET not in access_tokens.encode((TOKEN,)).decode()
    assert len({access_tokens.make_secret(bytes([number]) * 32) for number in range(256)}) == 256


def test_tokens_are_written_and_read() -> None:
    other = dataclasses.replace(TOKEN, name="aaa", sites=(access_tokens.EVERY_SITE,))
    assert access_tokens.decode(access_tokens.encode((TOKEN, other))) == (other, TOKEN)
    for damaged in (b"{", b"[1]", b'[{"name": "x"}]'):
        with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
            access_tokens.decode(damaged)


@pytest.mark.parametrize(
    ("host", "is_for"),
    [
        ("home.test", True),
        ("x.apps.test", True),
        ("apps.test", False),
        ("www.home.test", False),
        ("home.test.evil", False),
        ("", False),
    ],
)
def test_where_a_token_is_good(host: str, is_for: bool) -> None:
    assert TOKEN.is_for(host) is is_for
    assert dataclasses.replace(TOKEN, sites=(access_tokens.EVERY_SITE,)).is_for(host)
    assert not dataclasses.replace(TOKEN, sites=()).is_for(host)


@pytest.mark.parametrize(("name", "is_good"), [("backup", True), ("a.b-c_1", True), ("", False), ("a b", False)])
def test_names(name: str, is_good: bool) -> None:
    assert (access_tokens.check_name(name) is None) is is_good
    assert access_tokens.check_name("a\n") is not None


# --- the command ---------------------------------------------------------------------------------------------------


def test_what_the_command_takes() -> None:
    assert tokens._read_sites(["B.test", "a.test", "*.x.test"], all_sites=False) == ("*.x.test", "a.test", "b.test")
    assert tokens._read_sites([], all_sites=True) == (access_tokens.EVERY_SITE,)
    assert (lifetimes.read("12h", "end"), lifetimes.read("30d", "end")) == (43_200, 2_592_000)
    assert tokens._find_user({"alice"}, None, "alice") == "alice"
    assert tokens._find_user({"alice"}, "alice", "backup") == "alice"


@pytest.mark.parametrize("time", ["", "soon", "0d", "9999d", "30", "-1d", "1s"])
def test_times_that_are_refused(time: str) -> None:
    with pytest.raises(errors.ConfigError, match="30d"):
        lifetimes.read(time, "end")


def test_what_the_command_refuses() -> None:
    for sites, all_sites in (([], False), (["a.test"], True), (["a b"], False), (["https://a.test"], False)):
        with pytest.raises(errors.ConfigError, match="site"):
            tokens._read_sites(sites, all_sites=all_sites)
    with pytest.raises(errors.ConfigError, match="--user USER"):
        tokens._find_user({"alice"}, None, "backup")
    with pytest.raises(errors.ConfigError, match="daemun users"):
        tokens._find_user({"alice"}, "bob", "backup")


# --- who comes in --------------------------------------------------------------------------------------------------


class Judge:
    """users: of today. now_s: both clocks."""

    def __init__(self) -> None:
        self.now_s = 10.0
        self.users = {"alice": ALICE}
        guesses = sign_in.SignIn(password_check.Verifier(), lambda: self.now_s)
        self.judge = token_judge.TokenJudge(guesses, self.users.get, lambda: self.now_s)
        self.judge.set_tokens((TOKEN,))

    def ask(
        self,
        secret: str = SECRET,
        *,
        policy: LoginPolicy = EVERYBODY,
        host: str = "home.test",
        address: str = "192.0.2.1",
    ) -> TokenVerdict:
        return self.judge.judge(policy, secret, host, address).verdict


def test_a_token_is_as_good_as_its_user() -> None:
    one = Judge()
    assert one.judge.judge(EVERYBODY, SECRET, "home.test", "192.0.2.1").user == ALICE
    assert one.ask(policy=ADMINS) is TokenVerdict.FORBIDDEN
    assert one.ask(host="other.test") is TokenVerdict.FORBIDDEN
    one.users["alice"] = dataclasses.replace(ALICE, groups=("admins",))
    assert one.ask(policy=ADMINS) is TokenVerdict.RIGHT
    assert (
        one.ask(policy=dataclasses.replace(ADMINS, also=LoginPolicy(name="x", users=("bob",))))
        is TokenVerdict.FORBIDDEN
    )
    del one.users["alice"]
    assert one.ask() is TokenVerdict.UNKNOWN


def test_a_token_ends() -> None:
    one = Judge()
    one.now_s = 999.9
    assert one.ask() is TokenVerdict.RIGHT
    one.now_s = 1000.0
    assert one.ask() is TokenVerdict.UNKNOWN
    one.now_s = 10.0
    one.judge.set_tokens(())
    assert one.ask() is TokenVerdict.UNKNOWN


def test_wrong_tokens_are_guesses_of_an_address() -> None:
    one = Judge()
    found = [one.ask(f"daemun_{number}") for number in range(1000)]
    assert set(found) == {TokenVerdict.UNKNOWN, TokenVerdict.WAIT}
    assert found.index(TokenVerdict.WAIT) < 30
    assert one.judge.judge(EVERYBODY, "daemun_x", "home.test", "192.0.2.1").retry_after_s >= 1
    # Nobody can have guessed a good one, and others are not held up.
    assert one.ask() is TokenVerdict.RIGHT
    assert one.ask("daemun_x", address="192.0.2.2") is TokenVerdict.UNKNOWN


def test_a_script_whose_token_was_withdrawn_shuts_nobody_out() -> None:
    one = Judge()
    one.judge.set_tokens(())
    assert {one.ask() for _ in range(1000)} == {TokenVerdict.UNKNOWN}
    one.now_s = 5000.0  # an ended one counts for nothing either
    one.judge.set_tokens((TOKEN,))
    assert {one.ask() for _ in range(1000)} == {TokenVerdict.UNKNOWN}
    assert one.ask("daemun_other") is TokenVerdict.UNKNOWN
