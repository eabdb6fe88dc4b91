"""Who needs a record in DNS: orders and what removes leftovers do not get in each other's way."""

import threading

from daemun.certs.dns01 import record_users, txt_records

RECORD = txt_records.Record(name="_acme-challenge.a.test", zone="a.test", value="one")


def test_what_is_needed_is_not_removed() -> None:
    held = record_users.RecordUsers()
    held.take(RECORD)
    held.take(RECORD)
    held.drop(RECORD)
    with held.removing(RECORD) as is_free:
        assert not is_free
    held.drop(RECORD)
    with held.removing(RECORD) as is_free:
        assert is_free
        with held.removing(RECORD) as is_free_twice:
            assert not is_free_twice


def test_an_order_waits_for_the_end_of_a_removal() -> None:
    held = record_users.RecordUsers()
    taken = threading.Event()

    def take() -> None:
        held.take(RECORD)
        taken.set()

    with held.removing(RECORD) as is_free:
        assert is_free
        order = threading.Thread(target=take)
        order.start()
        assert not taken.is_set()
    order.join(30)
    assert taken.is_set()
    with held.removing(RECORD) as is_free:
        assert not is_free
