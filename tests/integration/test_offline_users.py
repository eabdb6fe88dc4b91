"""The users of the sign-in and their tokens, as commands change them in the store."""

import collections.abc
import contextlib
import pathlib

import pytest
import typer.testing

from daemun import settings
from daemun.cli import app, control_client
from daemun.control import stored_values
from daemun.control.lease import Lease
from daemun.core.access import access_tokens, login_users
from daemun.errors import LockHeldError
from daemun.store import file_store
from daemun.wiring.offline import offline_tokens, offline_users

TOKEN = access_tokens.Token(
    name="backup", user="alice", sites=("home.test",), digest="0" * 64, created_s=1.0, ends_s=4e9
)


@pytest.fixture
def chosen(tmp_path: pathlib.Path) -> settings.Settings:
    """With alice, and a token of hers."""
    chosen = settings.Settings(config=tmp_path / "daemun.yaml", state=tmp_path / "state")
    store = file_store.FileStore(pathlib.Path(chosen.layout.store))
    users = [login_users.User(name=name, hashed="", stamp=name) for name in ("alice", "bob")]
    store.write(login_users.KEY, login_users.encode(users))
    store.write(access_tokens.KEY, access_tokens.encode([TOKEN]))
    return chosen


def names(chosen: settings.Settings) -> tuple[list[str], list[str]]:
    users, tokens = offline_users.list_users(chosen), offline_tokens.list_tokens(chosen)
    return [one.name for one in users], [one.name for one in tokens]


def remove(chosen: settings.Settings, name: str = "alice") -> None:
    with offline_users.editing(chosen) as users:
        del users[name]


def run(chosen: settings.Settings, *words: str) -> tuple[int, str]:
    done = typer.testing.CliRunner().invoke(app.app, [*words, "--state", str(chosen.state)], env={"COLUMNS": "200"})
    return done.exit_code, done.output if done.exception is None else f"{done.output}{done.exception}"


def test_tokens_go_with_their_user(chosen: settings.Settings) -> None:
    remove(chosen, "bob")
    assert names(chosen) == (["alice"], ["backup"])
    remove(chosen)
    assert names(chosen) == ([], [])


def test_a_user_whose_tokens_cannot_be_withdrawn_stays(chosen: settings.Settings) -> None:
    with offline_tokens.editing(chosen), pytest.raises(LockHeldError):
        remove(chosen)
    assert names(chosen) == (["alice", "bob"], ["backup"])


def test_what_ends_a_command_leaves_no_tokens_of_nobody(
    chosen: settings.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = file_store.FileStore.commit

    def end(
        store: file_store.FileStore, changes: collections.abc.Collection[stored_values.KeyChange], *, lease: Lease
    ) -> None:
        commit(store, changes, lease=lease)
        if any(change.key == login_users.KEY for change in changes):
            raise KeyboardInterrupt

    monkeypatch.setattr(file_store.FileStore, "commit", end)
    with pytest.raises(KeyboardInterrupt):
        remove(chosen)
    assert names(chosen) == (["bob"], [])


def test_a_new_user_gets_no_tokens_that_are_left(chosen: settings.Settings) -> None:
    store = file_store.FileStore(pathlib.Path(chosen.layout.store))
    store.write(login_users.KEY, login_users.encode([]))
    with offline_users.editing(chosen) as users:
        users["alice"] = login_users.User(name="alice", hashed="", stamp="2")
    assert names(chosen) == (["alice"], [])


def test_no_token_for_a_user_who_goes_meanwhile(chosen: settings.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    editing = offline_tokens.editing

    @contextlib.contextmanager
    def late(chosen: settings.Settings) -> collections.abc.Iterator[offline_tokens.Tokens]:
        remove(chosen)
        with editing(chosen) as tokens:
            yield tokens

    monkeypatch.setattr(offline_tokens, "editing", late)
    code, said = run(chosen, "tokens", "add", "phone", "--user", "alice", "--all-sites")
    assert code != 0
    assert "there is no user" in said
    assert names(chosen) == (["bob"], [])


def test_an_invitation_leads_to_the_daemons_gate(chosen: settings.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose file may be another than the one of this account's settings."""
    chosen.config.write_text("login: {host: auth.example.com}\nsites: {}\n")
    monkeypatch.setattr(control_client.ControlClient, "status", lambda *_: {"config": str(chosen.config)})
    code, said = run(chosen, "users", "invite", "carol")
    assert code == 0, said
    assert "https://auth.example.com/invitation?token=" in said


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("hoem.test", 'there is no site "hoem.test", so the token opens nothing there; did you mean "home.test"?'),
        (
            "other.example",
            'there is no site "other.example", so the token opens nothing there; `daemun status ',
        ),
        (
            "open.test",
            'the site "open.test" has no `login` in its `access`, so it needs no token; write `access: {login',
        ),
        ("home.test", ""),
        ("part.test", ""),
    ],
)
def test_a_token_that_opens_nothing(chosen: settings.Settings, host: str, words: str) -> None:
    chosen.config.write_text(
        "login: x.test\ndocker: off\nsites:\n"
        "  home.test: {access: {login: true}, routes: {/: http://127.0.0.1:1}}\n"
        "  part.test: {/: http://127.0.0.1:1, /a/: {to: http://127.0.0.1:1, access: {login: true}}}\n"
        "  open.test: http://127.0.0.1:1\n"
    )
    code, said = run(chosen, "tokens", "add", "phone", "--user", "alice", "--site", host, "-c", str(chosen.config))
    assert code == 0
    assert ("warning: " in said) == bool(words)
    assert words in said
