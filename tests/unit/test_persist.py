"""Records of dns-persist-01: how they are written, and which a CA takes."""

import datetime

import hypothesis
import pytest
from hypothesis import strategies as st

from daemun.core.issuance import persist_records

NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
ACCOUNT = "https://ca.example/acct/123"
WANTED = persist_records.Statement(issuer="authority.example", account=ACCOUNT)


def test_as_the_draft_shows_it() -> None:
    assert str(WANTED) == "authority.example; accounturi=https://ca.example/acct/123"
    until = datetime.datetime.fromtimestamp(1767225600, datetime.UTC)
    whole = persist_records.Statement(issuer="ca1.example", account="https://a", is_wildcard=True, until=until)
    assert str(whole) == "ca1.example; accounturi=https://a; policy=wildcard; persistUntil=1767225600"


@pytest.mark.parametrize(
    ("record", "is_good"),
    [
        (f"authority.example; accounturi={ACCOUNT}", True),
        (f"authority.example;accounturi={ACCOUNT};policy=WildCard", True),
        (f" Authority.Example\t;  AccountURI = {ACCOUNT} ; new=thing", True),
        (f"authority.example; accounturi={ACCOUNT}; persistUntil=4102444800", True),
        (f"authority.example; accounturi={ACCOUNT}; persistUntil=1", False),
        (f"authority.example; accounturi={ACCOUNT}; persistUntil=soon", False),
        (f"authority.example; accounturi={ACCOUNT}; persistUntil={10**30}", False),
        (f"authority.example; accounturi={ACCOUNT}; accounturi={ACCOUNT}", False),
        (f"authority.example; accounturi={ACCOUNT};", False),
        (f"other.example; accounturi={ACCOUNT}", False),
        (f"authority.example; accounturi={ACCOUNT}4", False),
        ("authority.example", False),
        ("", False),
    ],
)
def test_what_a_ca_takes(record: str, is_good: bool) -> None:
    assert persist_records.satisfies(record, WANTED, NOW) is is_good


def test_a_wildcard_wants_its_policy() -> None:
    wanted = persist_records.Statement(issuer="authority.example", account=ACCOUNT, is_wildcard=True)
    assert not persist_records.satisfies(str(WANTED), wanted, NOW)
    assert persist_records.satisfies(str(wanted), wanted, NOW)
    assert persist_records.satisfies(str(wanted), WANTED, NOW)


@hypothesis.given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    persist_records.satisfies(text, WANTED, NOW)
