"""A4: servers in trouble are tried again, each in its turn."""

import itertools

from daemun.probing import look_order, observations


def _key(number: int) -> observations.Key:
    return (f"{number}.test", "/", 0)


def test_with_more_servers_than_are_tried_none_is_left_out() -> None:
    pauses = look_order.Pauses()
    for number in range(10):
        pauses.note(_key(number), 0.0, is_bad=True)
    tried = []
    for round_ in range(1, 6):
        now_s = round_ * 2 * look_order.LONGEST_PAUSE_S
        for key in itertools.islice(pauses.due(now_s), 2):
            tried.append(key)
            pauses.note(key, now_s, is_bad=True)
    assert tried == [_key(number) for number in range(10)]


def test_pauses_double_up_to_the_longest_and_end_with_the_trouble() -> None:
    pauses, now_s, waited = look_order.Pauses(), 0.0, []
    for _ in range(7):
        pauses.note(_key(1), now_s, is_bad=True)
        wait_s = next(one for one in range(100) if list(pauses.due(now_s + one)))
        waited.append(wait_s)
        now_s += wait_s
    assert waited == [2, 4, 8, 16, 32, 60, 60]
    pauses.note(_key(1), now_s, is_bad=False)
    assert not list(pauses.due(now_s + 100))
    pauses.note(_key(1), now_s, is_bad=True)
    assert list(pauses.due(now_s + 2)) == [_key(1)]


def test_a_further_try_of_a_good_server_has_its_time() -> None:
    """A4: an error of a request that comes right after a good try may be the last word of that server."""
    pauses = look_order.Pauses()
    key = _key(1)
    pauses.try_at(key, 5.0)
    assert list(pauses.due(4.9)) == []
    assert list(pauses.due(5.0)) == [key]
    pauses.note(key, 5.0, is_bad=False)
    assert list(pauses.due(100.0)) == []
