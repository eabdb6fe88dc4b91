"""How many wrong guesses are looked at."""

from daemun.core.access import guess_limits
from daemun.core.access.guess_limits import BY_NETWORK, BY_USER, GuessLimits


def limits() -> GuessLimits:
    return GuessLimits(b"k" * 32)


def try_once(one: GuessLimits, network: str, user: str, now_s: float, *, is_right: bool = False) -> bool:
    """Whether the guess was looked at."""
    if one.find_wait_s(network, user, now_s) > 0:
        return False
    with one.guess(network, user) as guess:
        guess.was_right, guess.ended_s = is_right, now_s
    return True


def test_ten_thousand_guesses_of_one_address() -> None:
    one = limits()
    assert sum(try_once(one, "192.0.2.1", f"user {number}", 0.0) for number in range(10_000)) == BY_NETWORK.free
    assert try_once(one, "192.0.2.2", "alice", 0.0)


def test_a_day_of_guesses_grows_no_further_than_the_longest_wait() -> None:
    one = limits()
    looked = sum(try_once(one, "192.0.2.1", "alice", float(second)) for second in range(86_400))
    assert looked <= BY_NETWORK.free + 11 + 86_400 // BY_NETWORK.longest_wait_s


def test_guesses_for_one_user_from_everywhere() -> None:
    one = limits()
    looked = sum(try_once(one, f"192.0.2.{number}", "alice", 0.0) for number in range(10_000))
    assert looked == BY_USER.free
    assert try_once(one, "198.51.100.1", "bob", 0.0)


def test_a_user_who_was_there_before_is_not_locked_out() -> None:
    one = limits()
    assert try_once(one, "203.0.113.7", "alice", 0.0, is_right=True)
    for number in range(1000):
        try_once(one, f"192.0.2.{number}", "alice", 1.0)
    assert not try_once(one, "198.51.100.1", "alice", 1.0)
    assert try_once(one, "203.0.113.7", "alice", 1.0, is_right=True)


def test_guesses_at_the_same_time_count() -> None:
    one = limits()
    begun = []
    for _ in range(1000):
        if one.find_wait_s("192.0.2.1", "alice", 0.0) == 0:
            begun.append(one.guess("192.0.2.1", "alice"))
            begun[-1].__enter__()
    assert len(begun) == BY_NETWORK.free
    for guess in begun:
        guess.__exit__(None, None, None)
    assert one.find_wait_s("192.0.2.1", "alice", 0.5) > 0


def test_right_ones_never_wait_and_give_no_further_guesses() -> None:
    one = limits()
    for number in range(BY_NETWORK.free):
        assert try_once(one, "192.0.2.1", "eve", float(number))
        assert number == BY_NETWORK.free - 1 or try_once(one, "192.0.2.1", "mallory", number, is_right=True)
    assert not try_once(one, "192.0.2.1", "eve", BY_NETWORK.free - 1)


def test_wrong_ones_are_forgotten_after_a_while() -> None:
    one = limits()
    for _ in range(BY_NETWORK.free):
        try_once(one, "192.0.2.1", "alice", 0.0)
    later_s = guess_limits.FORGOTTEN_AFTER_S + 1
    assert all(try_once(one, "192.0.2.1", "alice", later_s) for _ in range(BY_NETWORK.free))


def test_what_was_not_verified_is_no_guess() -> None:
    one = limits()
    for _ in range(1000):
        try:
            with one.guess("192.0.2.1", "alice"):
                raise RuntimeError
        except RuntimeError:
            pass
    assert one.find_wait_s("192.0.2.1", "alice", 0.0) == 0


def test_the_memory_is_bounded() -> None:
    one = limits()
    for number in range(3 * guess_limits.MOST_NETWORKS):
        try_once(one, f"2001:db8:0:{number:x}::/64", f"user {number}", 0.0, is_right=True)
        try_once(one, f"2001:db8:0:{number:x}::/64", f"user {number}", 0.0)
    assert len(one._networks) == guess_limits.MOST_NETWORKS
    assert len(one._at_home) == guess_limits.MOST_NETWORKS
    assert len(one._users) <= 1 << 16


def test_networks() -> None:
    assert guess_limits.network_of("192.0.2.7") == "192.0.2.7"
    assert guess_limits.network_of("::ffff:192.0.2.7") == "192.0.2.7"
    assert guess_limits.network_of("2001:db8:1:2:3:4:5:6") == guess_limits.network_of("2001:db8:1:2::1")
    assert guess_limits.network_of("2001:db8:1:2::1") != guess_limits.network_of("2001:db8:1:3::1")
    assert guess_limits.network_of("unix:") == guess_limits.network_of("") == "-"
