"""What is stored has the names of fields as keys (`dataclasses.asdict`): a field that gets another name would make all
that was stored before unreadable. So the text of each stored form stands here, in the order of its keys. When one has
to change, what is written below must still be read."""

import collections.abc
import dataclasses
import datetime
import json
import pathlib
import re
import typing
import zlib

import pytest

from daemun.banning import stored_bans
from daemun.certs.dns01 import record_journal, txt_records
from daemun.certs.served import certificate_records
from daemun.control import history_port
from daemun.core import layout, model
from daemun.core.access import (
    access_tokens,
    banned_networks,
    judge_policies,
    login_changes,
    login_passkeys,
    login_providers,
    login_users,
)
from daemun.core.issuance import renewal_advice
from daemun.nginx import takeover_journal
from daemun.sources.drafts import draft
from daemun.sources.history import history_entry
from daemun.store import memory_store

AT = datetime.datetime(2026, 11, 30, 12, 0, 5, tzinfo=datetime.UTC)
TIME = '"2026-11-30T12:00:05+00:00"'

USER = login_users.User(
    name="alice",
    hashed="$argon2id$x",
    stamp="s1",
    display="Alice",
    email="alice@a.test",
    groups=("family",),
    totp="ABC",
    recovery=("r1",),
    revision=2,
    invitation=login_users.Invitation(digest="d", ends_s=5.0),
    passkeys=(login_passkeys.Passkey(id="i", key="k", name="phone", handle="h", created_s=1.0, counter=3),),
    is_disabled=True,
)
USER_TEXT = (
    '{"name":"alice","hashed":"$argon2id$x","stamp":"s1","display":"Alice","email":"alice@a.test","groups":["family"],'
    '"totp":"ABC","recovery":["r1"],"revision":2,"invitation":{"digest":"d","ends_s":5.0},"passkeys":[{"id":"i",'
    '"key":"k","name":"phone","handle":"h","created_s":1.0,"counter":3}],"is_disabled":true}'
)
ENTRY = history_entry.HistoryEntry(
    number=7,
    at=AT,
    author=history_entry.Author(what="daemun add a.test", user="alice", message="a shop"),
    state=history_entry.EntryState.PARTLY,
    reason="b.test: no",
    generation=3,
    files=(
        history_entry.HistoryFile(
            name="daemun.yaml",
            text="sites: {}\n",
            secrets=(history_entry.HiddenSecret(name="7.1", path="crowdsec.key"),),
        ),
        history_entry.HistoryFile(name="sites/b.yaml", text=None),
    ),
    routes=(history_port.ContainerRoute(host="web.test", path="/", origin="container web-1"),),
    changes=("added a.test",),
    more=1,
)
ENTRY_TEXT = (
    f'{{"number":7,"at":{TIME},"author":{{"what":"daemun add a.test","user":"alice","message":"a shop"}},'
    '"state":"partly live","reason":"b.test: no","generation":3,"files":[{"name":"daemun.yaml",'
    '"text":"sites: {}\\n","secrets":['
    '{"name":"7.1","path":"crowdsec.key"}]},{"name":"sites/b.yaml","text":null,"secrets":[]}],"routes":[{"host":"web.test","path":"/",'
    '"origin":"container web-1"}],"changes":["added a.test"],"more":1}'
)
DRAFT = draft.Draft(
    operator="login:ann",
    began_at=AT,
    changed_at=AT,
    files=(
        draft.DraftFile(name="daemun.yaml", base=b"sites: {}\n\xff", text=b"sites: {a.test: http://a}\n"),
        draft.DraftFile(name="sites/b.yaml", base=None, text=b"sites: {}\n"),
    ),
)
DRAFT_TEXT = (
    f'{{"operator":"login:ann","began_at":{TIME},"changed_at":{TIME},"files":[{{"name":"daemun.yaml",'
    '"base":"sites: {}\\n\\udcff","text":"sites: {a.test: http://a}\\n"},'
    '{"name":"sites/b.yaml","base":null,"text":"sites: {}\\n"}]}'
)
TOKEN = access_tokens.Token(name="backup", user="alice", sites=("a.test",), digest="d", created_s=1.0, ends_s=2.0)
TOKEN_TEXT = '{"name":"backup","user":"alice","sites":["a.test"],"digest":"d","created_s":1.0,"ends_s":2.0}'
PROVIDER = login_providers.Provider(
    key="accounts.google.com",
    kind=login_providers.ProviderKind.OIDC,
    issuer="https://accounts.google.com",
    client_id="c",
    name="Google",
    scopes=("openid",),
    groups_claim="groups",
    ca_file="/etc/ca.pem",
    secret=model.Secret(variable="GOOGLE"),
)
PROVIDER_TEXT = (
    '{"key":"accounts.google.com","kind":"oidc","issuer":"https://accounts.google.com","client_id":"c","name":"Google",'
    '"scopes":["openid"],"groups_claim":"groups","ca_file":"/etc/ca.pem","secret":{"variable":"GOOGLE","file":null}}'
)
POLICIES = (
    judge_policies.Policy(name="a.test", realm="A", users=(("alice", "$x"),)),
    judge_policies.LoginPolicy(name="b.test", users=("alice",), groups=("family",), emails=("*@a.test",)),
    judge_policies.LoginHost(
        host="auth.a.test",
        idle_s=1.0,
        lifetime_s=2.0,
        hosts=("a.test",),
        ports=(443,),
        port=8443,
        providers=(PROVIDER,),
        name="@login",
    ),
)
POLICIES_TEXT = (
    '[{"name":"a.test","realm":"A","users":{"alice":"$x"}},{"kind":"login","name":"b.test","users":["alice"],'
    '"groups":["family"],"emails":["*@a.test"]},{"kind":"login host","host":"auth.a.test","idle_s":1.0,'
    f'"lifetime_s":2.0,"hosts":["a.test"],"ports":[443],"port":8443,"providers":[{PROVIDER_TEXT}],"name":"@login"}}]'
)


class Form(typing.NamedTuple):
    """write, read: to bytes and back."""

    value: object
    text: str
    write: collections.abc.Callable[[typing.Any], bytes]
    read: collections.abc.Callable[[bytes], object]


def compact(content: bytes) -> str:
    """In the order of its keys, on one line."""
    return json.dumps(json.loads(content), separators=(",", ":"))


def text_of(value: object) -> bytes:
    return json.dumps(value).encode()


FORMS = {
    "entry of the history": Form(
        ENTRY,
        ENTRY_TEXT,
        lambda one: zlib.decompress(history_entry.encode(one)),
        lambda content: history_entry.decode(zlib.compress(content)),
    ),
    "draft": Form(DRAFT, DRAFT_TEXT, draft.encode, draft.decode),
    "users": Form((USER,), f"[{USER_TEXT}]", login_users.encode, login_users.decode),
    "users' own changes": Form(
        login_changes.Change(user=USER, stamps=("s0", "s1")),
        f'{{"user":{USER_TEXT},"stamps":["s0","s1"]}}',
        lambda one: text_of(login_changes.value_of(one)),
        lambda content: login_changes.read(json.loads(content)),
    ),
    "tokens": Form((TOKEN,), f"[{TOKEN_TEXT}]", access_tokens.encode, access_tokens.decode),
    "identity provider": Form(
        PROVIDER,
        PROVIDER_TEXT,
        lambda one: text_of(login_providers.to_json(one)),
        lambda content: login_providers.from_json(json.loads(content)),
    ),
    "policies": Form(POLICIES, POLICIES_TEXT, judge_policies.encode, judge_policies.decode),
}


@pytest.mark.parametrize("name", FORMS)
def test_what_is_stored_stays_readable(name: str) -> None:
    form = FORMS[name]
    assert compact(form.write(form.value)) == form.text
    assert form.read(form.text.encode()) == form.value


def test_policies_keep_their_digests() -> None:
    """nginx's files name them: with another digest, every visitor would be asked for the password again."""
    assert [one.digest for one in POLICIES] == [
        "123495dc2b7c7196c1a50802cee00ef4",
        "1560ef3f6fc21e535b68e2814381b0ef",
        "5c80df3cf6367e310b6b0d673aa02a14",
    ]


def stored(store: memory_store.MemoryStore) -> str:
    (key,) = store.list("")
    return compact(store.read(key))


def replace(store: memory_store.MemoryStore, text: str) -> None:
    (key,) = store.list("")
    store.write(key, text.encode())


def test_attempts_at_a_certificate() -> None:
    store = memory_store.MemoryStore()
    attempts = certificate_records.Attempts(
        asked="f",
        failures=2,
        next_attempt=AT,
        reason="no",
        since=AT,
        holds=(("https://ca.test/directory", AT),),
        rehearse=True,
        seen=("x",),
        tries=(model.OrderTry(at=AT, authority="https://ca.test/directory", result="no"),),
    )
    text = (
        f'{{"asked":"f","failures":2,"next_attempt":{TIME},"reason":"no","since":{TIME},'
        f'"holds":[["https://ca.test/directory",{TIME}]],"rehearse":true,"seen":["x"],'
        f'"tries":[{{"at":{TIME},"authority":"https://ca.test/directory","result":"no"}}]}}'
    )
    certificate_records.write_attempts(store, "a.test", attempts)
    assert store.list("") == ["certs/a.test/attempts.json"]
    assert stored(store) == text
    replace(store, text)
    assert certificate_records.read_attempts(store, "a.test") == attempts
    replace(store, re.sub(r',"tries":.*', "}", text))
    earlier = certificate_records.read_attempts(store, "a.test")
    assert earlier == dataclasses.replace(attempts, tries=())


def test_a_cas_advice() -> None:
    store = memory_store.MemoryStore()
    window = renewal_advice.Window(start=AT, end=AT, explanation_url="https://ca.test/why")
    advice = renewal_advice.RenewalAdvice(serial="ab", poll_at=AT, window=window, chosen=AT)
    text = (
        f'{{"serial":"ab","poll_at":{TIME},"window":{{"start":{TIME},"end":{TIME},'
        f'"explanation_url":"https://ca.test/why"}},"chosen":{TIME}}}'
    )
    certificate_records.write_advice(store, "a.test", advice)
    assert stored(store) == text
    replace(store, text)
    assert certificate_records.read_advice(store, "a.test") == advice


def test_a_record_that_was_made_in_dns() -> None:
    store = memory_store.MemoryStore()
    record = txt_records.Record(name="_acme-challenge.a.test", zone="a.test", value="v")
    made = record_journal.MadeRecord(record=record, host="a.test", provider="hetzner", made_at=AT)
    text = (
        '{"name":"_acme-challenge.a.test","zone":"a.test","value":"v","host":"a.test","provider":"hetzner",'
        f'"made_at":{TIME}}}'
    )
    record_journal.write(store, made)
    assert stored(store) == text
    replace(store, text)
    assert record_journal.read_all(store) == (made,)


def test_bans() -> None:
    ban = banned_networks.Ban(
        network="203.0.113.7", reason=banned_networks.Reason.OWNER, since=AT, until=AT, note="scans"
    )
    text = (
        f'{{"bans":[{{"network":"203.0.113.7","reason":"owner","since":{TIME},"until":{TIME},"note":"scans"}},'
        f'{{"network":"203.0.113.8","reason":"guesses","since":{TIME},"until":null,"note":""}}]}}'
    )
    other = dataclasses.replace(ban, network="203.0.113.8", reason=banned_networks.Reason.GUESSES, until=None, note="")
    bans = {one.network: one for one in (ban, other)}
    assert compact(stored_bans.encode(bans)) == text
    assert stored_bans.decode(text.encode()) == bans


def test_a_takeover_that_is_under_way(tmp_path: pathlib.Path) -> None:
    paths = layout.Layout(str(tmp_path))
    journal = pathlib.Path(paths.nginx_takeover)
    journal.parent.mkdir(parents=True)
    takeover = takeover_journal.Takeover(pid=1, started=2, number=3, current="g/3", program=None)
    text = '{"pid":1,"started":2,"number":3,"current":"g/3","program":null}'
    takeover_journal.write(paths, takeover)
    assert compact(journal.read_bytes()) == text
    journal.write_text(text)
    assert takeover_journal.read(paths) == takeover
