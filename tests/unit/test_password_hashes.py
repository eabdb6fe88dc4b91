"""Which hashed passwords are taken, and the words for those that are not."""

import pytest
from passlib import hash as passlib_hash

from daemun.core import password_hashes
from daemun.core.password_hashes import HashKind
from daemun.judge import password_check

PASSWORD = "open sesame"
MADE = {
    # openssl passwd -6, -5, -apr1; htpasswd -B, -s; slappasswd; daemun password
    HashKind.SHA512_CRYPT: (
        "$6$saltsalt$e/5XKibXPLqVcfjpD.ouauaJrAOL5V0uo80Lt7n7EbRdRiCx3HbQ90yjOHr.G0T.mx79PEMRy8nmtr0qSYhQp1"
    ),
    HashKind.SHA256_CRYPT: "$5$saltsalt$yrhPKxCqiWcCE9h0g86j6Ugz7SDFdFm.BjU.d8RaQnC",
    HashKind.APR1: "$apr1$saltsalt$HIDXe7D36X22w1CH4M1cQ.",
    HashKind.BCRYPT: "$2y$05$7Xb16TQCqci0ggvZM38VsOL0zTfxPbBo9iLKdT3O49QxPld89o/Qq",
    HashKind.SHA1: "{SHA}W8r/fyL/UzygmbNAjq2HbA67qac=",
    HashKind.SALTED_SHA1: "{SSHA}HZSx/ZdoHOUBzBfn8FOVJ09O5d4IodS6",
    HashKind.ARGON2: "$argon2id$v=19$m=256,t=1,p=1$tHZuba21ltJaaw2BMGYMgQ$equ8p5Z2XOWun06kWRpeXry32a49RloRjOwqPF0bsiE",
}


@pytest.mark.parametrize(("kind", "text"), MADE.items())
def test_what_tools_make_is_known(kind: HashKind, text: str) -> None:
    assert (password_hashes.find_kind(text), password_hashes.check_hash(text)) == (kind, None)
    assert password_check.verify(PASSWORD, text)
    assert not password_check.verify(f"{PASSWORD}!", text)
    assert not password_check.verify("", text)


def test_bcrypt_takes_as_much_of_a_password_as_other_programs() -> None:
    long = "x" * 72
    hashed = passlib_hash.bcrypt.using(rounds=4).hash(long)
    assert password_check.verify(f"{long} and more", hashed)
    assert not password_check.verify("x" * 71, hashed)


@pytest.mark.parametrize("hashed", ["", "secret", "$6$", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA", "{SHA}" + "=" * 28])
def test_what_is_no_hash_matches_nothing(hashed: str) -> None:
    assert not password_check.verify("secret", hashed)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("secret", "no hashed password"),
        ("{PLAIN}secret", "no complete hash"),
        ("$1$abc$qqqq", "cannot be verified"),
        ("$7$CU..../....x$y", "cannot be verified"),
        ("$2y$05$short", "no complete hash"),
        (MADE[HashKind.BCRYPT] + "x", "no complete hash"),
        (MADE[HashKind.BCRYPT] + "\n", "no complete hash"),
        (MADE[HashKind.BCRYPT].replace("$05$", "$31$"), "costs too much"),
        (MADE[HashKind.ARGON2].replace("m=256", "m=4194304"), "costs too much"),
        (MADE[HashKind.ARGON2].replace("p=1", "p=4000"), "costs too much"),
        ("$6$rounds=999999999$salt$" + "x" * 86, "costs too much"),
        ("", "no hashed password"),
        ("$" * 100_000, "no complete hash"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    cause = password_hashes.check_hash(text)
    assert cause is not None
    assert words in cause
    assert "secret" not in cause
    assert "daemun password" in cause


@pytest.mark.parametrize("name", ["", "a:b", "a\0b", "x" * 256, "a\nb", "\x7f"])
def test_names_that_nobody_can_send(name: str) -> None:
    assert password_hashes.check_user(name) is not None


@pytest.mark.parametrize("name", ["alice", "alice@example.com", "앨리스", 'a"b', "a b"])
def test_names_that_can_be_sent(name: str) -> None:
    assert password_hashes.check_user(name) is None
