"""daemun's own sign-in as visitors meet it: nginx on rendered files, and the judge beside it, both real."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import json
import os
import pathlib
import resource
import tempfile
import typing

import pyotp
from passlib import hash as passlib_hash

from daemun.core import model
from daemun.core.access import basic_auth_policies, login_policies, login_site, login_users
from daemun.core.access.login_users import User
from daemun.core.options import access_option, catalogue, login_option, login_rule_form, trusted_proxies_option
from daemun.core.options.access_option import Access
from daemun.judge import judge_manager, judge_process, session_file, user_changes
from daemun.nginx import worker_account
from daemun.store import memory_store
from tests.support import echo, rendered
from tests.support.login_browser import Browser
from tests.support.sites import site

SECRET = pyotp.random_base32()
RECOVERY = "AAAA-BBBB-CCCC-DDDD"


def hashed(password: str) -> str:
    return str(passlib_hash.bcrypt.using(rounds=4).hash(password))


USERS = (
    User(
        name="alice",
        hashed=hashed("pw"),
        stamp="1",
        display="Alice Ä.",
        email="alice@Example.com",
        groups=("admins", "family"),
    ),
    User(name="bob", hashed=hashed("word"), stamp="1"),
    User(
        name="carol",
        hashed=hashed("pw"),
        stamp="1",
        groups=("family",),
        totp=SECRET,
        recovery=(login_users.digest_recovery(RECOVERY),),
    ),
)
EVERYBODY = login_rule_form.LoginRule()
FAMILY = login_rule_form.LoginRule(groups=("family",))


def guarded(**access: object) -> model.OptionValues:
    return catalogue.values(access_option.OPTION.set(Access(**access)))  # type: ignore[arg-type]


def settings() -> model.Globals:
    return model.Globals(
        options=catalogue.values(
            trusted_proxies_option.OPTION.set(("127.0.0.1",)),
            login_option.OPTION.set(login_option.Login(host="auth.test")),
        )
    )


@dataclasses.dataclass(slots=True)
class House:
    """gate: visitors come in here. manager: what looks after the judge. users: of the store."""

    gate: rendered.Running
    manager: judge_manager.JudgeManager
    store: memory_store.MemoryStore
    desired: model.Desired

    def set_users(self, *users: User) -> None:
        self.store.write(login_users.KEY, login_users.encode(users))
        self.prepare()

    def add_user(self, added: User) -> None:
        """Beside those that there are, with what they changed."""
        user_changes.take_over(self.store, self.gate.layout)
        self.set_users(*login_users.decode(self.store.read(login_users.KEY)), added)

    def can_sign_in(self, name: str, password: str) -> bool:
        browser = Browser(self.gate.clients)
        return browser.fill(browser.open("https://home.test/"), user=name, password=password).status_code == 200

    def prepare(self) -> None:
        by_password = basic_auth_policies.find_policies(self.desired)
        policies = (*by_password, *login_policies.find_policies(self.desired))
        assert asyncio.run(self.manager.prepare(policies, self.gate.files)) == ()

    def look(self, method: str, path: str, content: bytes = b"") -> dict[str, typing.Any]:
        return asyncio.run(judge_process.request(self.gate.layout, method, path, content))


@contextlib.contextmanager
def house(*sites: model.Site, gate: model.Globals) -> collections.abc.Iterator[House]:
    account = worker_account.choose(None)
    own = login_site.make(gate)
    assert own is not None
    with tempfile.TemporaryDirectory(prefix="daemun-judge-", dir="/dev/shm") as memory:
        pathlib.Path(memory).chmod(0o711)
        with rendered.running(*sites, own, settings=gate, judge_cache=memory) as running:
            pathlib.Path(running.layout.store).mkdir(exist_ok=True)
            store = memory_store.MemoryStore()
            manager = judge_manager.JudgeManager(
                store, running.layout, group=account.gid if account else None, version="1"
            )
            # Visitors of the tests name no port.
            listen = model.Listen(https=(model.Address(port=443), model.Address(port=running.https)))
            desired = model.Desired(globals=dataclasses.replace(gate, listen=listen), sites=(*sites, own))
            made = House(gate=running, manager=manager, store=store, desired=desired)
            made.set_users(*USERS)
            try:
                yield made
            finally:
                asyncio.run(judge_process.end_left(running.layout))


@contextlib.contextmanager
def guarded_home(server: echo.EchoServer) -> collections.abc.Iterator[House]:
    """With one site, home.test, for everybody who is signed in."""
    home = site("home.test", f"http://127.0.0.1:{server.port}", options=guarded(login=EVERYBODY))
    with house(home, gate=settings()) as running:
        yield running


@contextlib.contextmanager
def full_disk(running: House) -> collections.abc.Iterator[None]:
    """A judge that can write no more than the beginning of its files."""
    asyncio.run(running.manager.stop())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        running.prepare()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    yield
    asyncio.run(running.manager.stop())
    running.prepare()


def age_passwords(running: House) -> None:
    """As if all were entered long ago."""
    asyncio.run(running.manager.stop())
    slots = [os.open(path, os.O_RDWR) for path in running.gate.layout.session_slots]
    kept = session_file.SessionFile(slots)
    content = asyncio.run(kept.open())
    assert content is not None
    found = json.loads(content)
    for one in found["sessions"].values():
        one["password_s"] = 0.0
    kept.write(json.dumps(found).encode())
    for slot in slots:
        os.close(slot)
    running.prepare()
