"""A2: what a handshake has to show."""

import dataclasses

from daemun.core import model
from daemun.probing import expected_certificates
from tests.support import fake_gate


def _served(host: str, fingerprint: str, *names: str) -> model.CertificateStatus:
    return dataclasses.replace(fake_gate.certificate(host), names=names or (host,), fingerprint=fingerprint)


def test_certificates_that_changed_are_found() -> None:
    known = {"a.test": _served("a.test", "1"), "*.b.test": _served("*.b.test", "2", "*.b.test")}
    calls: list[None] = []

    def find() -> tuple[model.CertificateStatus, ...]:
        calls.append(None)
        return tuple(known.values())

    expected = expected_certificates.ExpectedCertificates(find)
    assert expected.take_changed(0.0) == ()
    assert expected.find("a.test", "1", 0.0) == {"1"}
    assert expected.find("x.b.test", "2", 0.0) == {"2"}
    known["a.test"] = _served("a.test", "3")
    assert expected.take_changed(100.0) == ()
    expected.note_change()
    assert expected.take_changed(100.0) == ("a.test",)
    assert expected.take_changed(100.0) == ()
    assert len(calls) == 2


def test_another_one_that_is_shown_makes_all_be_read_again_once_a_second() -> None:
    known = [_served("a.test", "1"), _served("c.test", "1")]
    expected = expected_certificates.ExpectedCertificates(lambda: known)
    expected.take_changed(0.0)
    known[:] = [_served("a.test", "2"), _served("c.test", "2")]
    assert expected.find("a.test", "2", 0.5) == {"1"}
    assert expected.find("a.test", "2", 1.0) == {"2"}
    assert set(expected.take_changed(1.0)) == {"a.test", "c.test"}, "also when a handshake was the first to show it"


def test_what_old_clients_are_shown_is_known_apart() -> None:
    known = [_served("a.test", "1"), dataclasses.replace(_served("b.test", "2"), rsa_shown=(("b.test", "3"),))]
    expected = expected_certificates.ExpectedCertificates(lambda: known)
    assert not expected.has_rsa("a.test", 0.0)
    assert expected.has_rsa("b.test", 0.0)
    assert expected.find("b.test", "3", 0.0, only_rsa=True) == {"3"}
    assert expected.find("a.test", "3", 0.0, only_rsa=True) == set()
    known[1] = dataclasses.replace(known[1], rsa_shown=())
    assert expected.find("b.test", "4", 1.0, only_rsa=True) == set(), "it is served no longer"
    known[0] = dataclasses.replace(known[0], rsa_shown=(("a.test", "5"),))
    assert not expected.has_rsa("a.test", 2.0)
    expected.note_change()
    assert not expected.has_rsa("a.test", 1.0 + expected_certificates.CHANGED_EVERY_S - 0.1)
    assert expected.has_rsa("a.test", 1.0 + expected_certificates.CHANGED_EVERY_S)


def test_of_a_new_name_it_is_looked_sooner_what_is_shown() -> None:
    known = [_served("a.test", "1")]
    expected = expected_certificates.ExpectedCertificates(lambda: known)
    assert not expected.has_rsa("a.test", 0.0)
    known.append(dataclasses.replace(_served("b.test", "2"), rsa_shown=(("b.test", "3"),)))
    expected.note_change()
    assert expected.has_rsa("b.test", expected_certificates.AGAIN_S)
