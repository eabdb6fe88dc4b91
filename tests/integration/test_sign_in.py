"""What the judge answers, and how much it verifies for that. Work is counted, time is not measured."""

import asyncio
import base64
import dataclasses
import threading

from daemun.core.access import guess_limits
from daemun.core.access.judge_policies import Policy
from daemun.judge import password_check, sign_in
from daemun.judge.sign_in import SignInVerdict

POLICY = Policy(name="a.test-root", realm="A", users=(("alice", "hash of pw"), ("bob", "hash of word")))


@dataclasses.dataclass(slots=True)
class Asked:
    """A judge whose verifications are recorded, and can be held up."""

    judge: sign_in.SignIn = dataclasses.field(init=False)
    verified: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    go_on: threading.Event = dataclasses.field(default_factory=threading.Event)
    now_s: float = 0.0

    def __post_init__(self) -> None:
        self.go_on.set()
        self.judge = sign_in.SignIn(password_check.Verifier(self._check), lambda: self.now_s)
        self.judge.set_policies((POLICY,))

    def _check(self, password: str, hashed: str) -> bool:
        self.go_on.wait(60)
        self.verified.append((password, hashed))
        return hashed == f"hash of {password}"

    async def ask(
        self, credentials: str | None, *, address: str = "192.0.2.1", policy: Policy = POLICY
    ) -> SignInVerdict:
        header = None if credentials is None else "Basic " + base64.b64encode(credentials.encode()).decode()
        return (await self.judge.answer(policy.name, policy.digest, header, address)).verdict


async def test_right_wrong_and_none() -> None:
    asked = Asked()
    assert await asked.ask("alice:pw") is SignInVerdict.RIGHT
    assert await asked.ask("alice:word") is SignInVerdict.CHALLENGE
    assert await asked.ask(None) is SignInVerdict.CHALLENGE
    assert await asked.ask("alice") is SignInVerdict.CHALLENGE
    other = dataclasses.replace(POLICY, name="other")
    assert await asked.ask("alice:pw", policy=other) is SignInVerdict.UNKNOWN
    assert len(asked.verified) == 2


async def test_an_unknown_user_costs_as_much_as_a_known_one() -> None:
    asked = Asked()
    await asked.ask("alice:no", address="192.0.2.1")
    await asked.ask("carol:no", address="192.0.2.2")
    assert [password for password, _ in asked.verified] == ["no", "no"]
    assert {hashed for _, hashed in asked.verified} <= {hashed for _, hashed in POLICY.users}


async def test_the_password_of_another_user_lets_no_unknown_user_in() -> None:
    asked = Asked()
    for user in range(40):
        for password in ("pw", "word"):
            address = f"192.0.2.{user}"
            assert await asked.ask(f"user{user}:{password}", address=address) is SignInVerdict.CHALLENGE
    assert await asked.ask("bob:pw") is SignInVerdict.CHALLENGE


async def test_equal_credentials_at_the_same_time_share_one_verification() -> None:
    asked = Asked()
    asked.go_on.clear()
    asking = asyncio.gather(*(asked.ask("alice:pw") for _ in range(100)))
    await asyncio.sleep(0)
    asked.go_on.set()
    assert set(await asking) == {SignInVerdict.RIGHT}
    assert len(asked.verified) == 1


async def test_what_was_found_is_remembered_for_a_while_and_for_one_network() -> None:
    asked = Asked()
    for _ in range(10):
        assert await asked.ask("alice:pw") is SignInVerdict.RIGHT
        assert await asked.ask("alice:old") is SignInVerdict.CHALLENGE
    assert len(asked.verified) == 2
    assert await asked.ask("alice:pw", address="192.0.2.2") is SignInVerdict.RIGHT
    assert len(asked.verified) == 3
    asked.now_s += sign_in.RIGHT_FOR_S
    assert await asked.ask("alice:pw") is SignInVerdict.RIGHT
    assert len(asked.verified) == 4


async def test_a_program_with_an_old_password_locks_nobody_out() -> None:
    asked = Asked()
    for _ in range(10 * guess_limits.BY_NETWORK.free):
        assert await asked.ask("alice:old") is SignInVerdict.CHALLENGE
        asked.now_s += 1
    assert await asked.ask("alice:pw") is SignInVerdict.RIGHT


async def test_ten_thousand_guesses_at_once() -> None:
    asked = Asked()
    verdicts = await asyncio.gather(*(asked.ask(f"alice:{number}") for number in range(10_000)))
    assert len(asked.verified) <= guess_limits.BY_NETWORK.free
    assert verdicts.count(SignInVerdict.WAIT) >= 10_000 - guess_limits.BY_NETWORK.free
    assert SignInVerdict.RIGHT not in verdicts
    assert await asked.ask("alice:pw", address="192.0.2.2") is SignInVerdict.RIGHT


async def test_who_waits_learns_nothing_from_what_others_signed_in_with() -> None:
    asked = Asked()
    assert await asked.ask("alice:pw") is SignInVerdict.RIGHT
    for number in range(2 * guess_limits.BY_NETWORK.free):
        await asked.ask(f"alice:{number}")
    assert await asked.ask("alice:pw") is SignInVerdict.WAIT


async def test_a_user_who_was_taken_out_is_out_at_once() -> None:
    asked = Asked()
    assert await asked.ask("alice:pw") is SignInVerdict.RIGHT
    asked.judge.set_policies((dataclasses.replace(POLICY, users=POLICY.users[1:]),))
    assert await asked.ask("alice:pw") is SignInVerdict.CHALLENGE
    assert await asked.ask("bob:word") is SignInVerdict.RIGHT


async def test_a_site_that_is_kept_lets_in_whom_its_version_and_the_current_one_name() -> None:
    asked = Asked()
    newer = dataclasses.replace(POLICY, users=(*POLICY.users[1:], ("carol", "hash of new")))
    asked.judge.set_policies((POLICY, newer))
    assert await asked.ask("bob:word", policy=POLICY) is SignInVerdict.RIGHT
    assert await asked.ask("alice:pw", policy=POLICY) is SignInVerdict.CHALLENGE
    assert await asked.ask("carol:new", policy=POLICY) is SignInVerdict.CHALLENGE
    assert await asked.ask("carol:new", policy=newer) is SignInVerdict.RIGHT


async def test_a_policy_without_users_lets_nobody_in() -> None:
    asked = Asked()
    empty = dataclasses.replace(POLICY, users=())
    asked.judge.set_policies((empty,))
    assert await asked.ask("alice:pw", policy=empty) is SignInVerdict.CHALLENGE
    assert not asked.verified


async def test_more_than_can_wait_are_told_so_and_are_no_guesses() -> None:
    asked = Asked()
    asked.go_on.clear()
    asking = [
        asyncio.ensure_future(asked.ask(f"u{number}:pw", address=f"198.51.100.{number % 250}"))
        for number in range(password_check.MOST_WAITING + 50)
    ]
    await asyncio.sleep(0)
    asked.go_on.set()
    verdicts = await asyncio.gather(*asking)
    assert verdicts.count(SignInVerdict.BUSY) == 50
    assert len(asked.verified) == password_check.MOST_WAITING
