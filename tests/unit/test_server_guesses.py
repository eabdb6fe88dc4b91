"""Who guesses passwords of servers behind the gate, and who only has an old one."""

from daemun.core.access import guess_limits, server_guesses

HOME = "203.0.113.7"
FREE = guess_limits.BY_NETWORK.free


def test_who_tries_many_waits_longer_each_time() -> None:
    guesses = server_guesses.ServerGuesses()
    for number in range(1, FREE):
        guesses.note(HOME, str(number), 0)
    assert guesses.find_waits(0) == {}
    guesses.note(HOME, str(FREE), 0)
    assert guesses.find_waits(0) == {HOME: (FREE, 1.0)}
    # By now some of the numbers come again.
    for number in range(10):
        guesses.note(HOME, str(1 + number % 5), 1.0)
    (wrong, wait_s) = guesses.find_waits(1.0)[HOME]
    assert wrong == FREE + 10
    assert wait_s == guess_limits.BY_NETWORK.longest_wait_s


def test_a_program_with_an_old_password_never_waits() -> None:
    guesses = server_guesses.ServerGuesses()
    for second in range(10_000):
        guesses.note(HOME, str(1 + second % 3), float(second))
    assert guesses.find_waits(10_000) == {}


def test_posted_forms_are_all_guesses() -> None:
    guesses = server_guesses.ServerGuesses()
    for _ in range(FREE):
        guesses.note(HOME, server_guesses.POSTED, 0)
    assert guesses.find_waits(0)[HOME][0] == FREE


def test_after_an_hour_in_peace_all_is_forgotten() -> None:
    guesses = server_guesses.ServerGuesses()
    for number in range(FREE - 1):
        guesses.note(HOME, str(number), 0)
    later_s = guess_limits.FORGOTTEN_AFTER_S + 1
    guesses.note(HOME, server_guesses.POSTED, later_s)
    guesses.note(HOME, server_guesses.POSTED, later_s)
    assert guesses.find_waits(later_s) == {}


def test_networks_are_one_each_and_their_number_is_bounded() -> None:
    guesses = server_guesses.ServerGuesses()
    for number in range(FREE):
        guesses.note(f"2001:db8:1:2::{number + 1:x}", server_guesses.POSTED, 0)
    assert list(guesses.find_waits(0)) == ["2001:db8:1:2::/64"]
    for number in range(guess_limits.MOST_NETWORKS):
        guesses.note(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "1", 0)
    assert guesses.find_waits(0) == {}


def test_who_is_forgotten_begins_anew() -> None:
    guesses = server_guesses.ServerGuesses()
    for _ in range(FREE):
        guesses.note(HOME, server_guesses.POSTED, 0)
    guesses.forget(HOME)
    guesses.note(HOME, server_guesses.POSTED, 0)
    assert guesses.find_waits(0) == {}
