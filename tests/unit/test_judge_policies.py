"""What the judge is to know, and how nginx's files name it."""

import dataclasses

from daemun.core.access import judge_policies, login_policies, login_users
from daemun.core.access.judge_policies import Policy

A = Policy(name="a.test-root", realm="A", users=(("alice", "hash"),))
A2 = dataclasses.replace(A, users=(("alice", "hash"), ("bob", "hash")))
B = Policy(name="b.test-root", realm="B", users=())


def test_a_policy_is_found_in_files() -> None:
    files = {"sites/a.conf": f"proxy_pass http://judge{A.path};".encode(), "sites/b.conf": b"return 200 /judge/x;"}
    assert judge_policies.find_named(files) == {(A.name, A.digest)}


def test_everything_of_a_policy_is_in_its_digest() -> None:
    others = (A2, dataclasses.replace(A, realm="B"), dataclasses.replace(A, users=(("alice", "other"),)))
    assert len({A.digest, *(one.digest for one in others)}) == 4


def test_what_files_still_name_stays_known_behind_what_is_wanted() -> None:
    named = frozenset({(A.name, A.digest)})
    assert judge_policies.choose((A2, B), (A,), named) == (A, A2, B) or A.digest > A2.digest
    assert judge_policies.choose((A2,), (A,), named)[-1] == A2
    assert judge_policies.choose((A2,), (A,), frozenset()) == (A2,)
    assert judge_policies.choose((), (A, A2, B), named) == (A,)


def test_files_that_name_an_older_policy_let_in_whom_both_do() -> None:
    found = judge_policies.restrict(A2, Policy(name=A.name, realm="New", users=(("bob", "new"), ("eve", "hash"))))
    assert found == Policy(name=A.name, realm=A.realm, users=(("bob", "new"),))
    assert judge_policies.restrict(A, A) == A
    signed_in = judge_policies.LoginPolicy(name=A.name)
    assert judge_policies.restrict(A, signed_in) == A
    assert judge_policies.restrict(signed_in, A) == signed_in


def test_files_that_name_an_older_policy_of_who_signed_in_let_in_whom_both_do() -> None:
    kept = judge_policies.LoginPolicy(name=A.name, users=("alice", "bob"))
    current = judge_policies.LoginPolicy(name=A.name, users=("bob",), groups=("new",))
    found = judge_policies.restrict(kept, current)
    assert isinstance(found, judge_policies.LoginPolicy)
    alice, bob, eve = (login_users.User(name=name, hashed="", stamp="") for name in ("alice", "bob", "eve"))
    eve = dataclasses.replace(eve, groups=("new",))
    assert [login_policies.admits(found, one) for one in (alice, bob, eve)] == [False, True, False]
    assert judge_policies.restrict(current, current) == current
    assert found.digest == kept.digest


def test_policies_are_written_and_read() -> None:
    assert judge_policies.decode(judge_policies.encode((A2, A, B))) == (A2, A, B)
