"""A CA's refusals, as a person reads them."""

import pytest

from daemun.certs.acme import problem_documents


@pytest.mark.parametrize(
    ("code", "detail", "expected"),
    [
        ("dns", "DNS problem: NXDOMAIN looking up A for a.example.com", "make an A or AAAA record"),
        (
            "connection",
            "Fetching http://a.example.com/: Connection refused",
            "nothing accepts the CA's connection to port 80",
        ),
        (
            "connection",
            "Fetching http://a.example.com/: Timeout during connect",
            "port 80 there does not answer the CA",
        ),
        ("connection", "Fetching http://a.example.com/: Connection reset by peer", "the CA cannot reach port 80 there"),
        ("unauthorized", "Invalid response from http://a.example.com/: 404", "another server than this daemun answers"),
        ("incorrectResponse", "wrong", "another server than this daemun answers"),
        ("caa", "CAA record for example.com prevents issuance", "add the CA to the CAA records, or remove them"),
        ("rejectedIdentifier", "policy forbids issuing", "use a name under a domain of your own"),
        ("serverInternal", "oops", "the CA has a failure of its own"),
        ("somethingNew", "what it means", "the CA refused (somethingNew); see what it says"),
        ("", "", "the CA refused (no reason given); see what it says. The CA said nothing more."),
    ],
)
def test_validation(code: str, detail: str, expected: str) -> None:
    text = problem_documents.explain_validation("a.example.com", code, detail)
    assert text.startswith('cannot validate "a.example.com": ')
    assert expected in text
    assert detail in text


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("unauthorized", "the CA does not find the TXT record in DNS"),
        ("dns", "the CA gets no answer from the name servers of its zone"),
        ("caa", "add the CA to the CAA records, or remove them"),
    ],
)
def test_validation_in_dns(code: str, expected: str) -> None:
    assert expected in problem_documents.explain_validation("a.example.com", code, "its words", challenge="dns-01")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("rateLimited", "the CA's rate limit is reached; wait"),
        ("externalAccountRequired", "`eab: {kid: ..., hmac_key: ...}`"),
        ("invalidContact", "correct `acme.email`"),
        ("unauthorized", "the CA refuses the ACME account"),
        ("badPublicKey", "the CA does not take keys of this kind; use another one (of a certificate: `acme.key_type`)"),
        ("badCSR", "where it names the key, choose another `acme.key_type`"),
        ("caa", "add the CA to the CAA records"),
    ],
)
def test_requests(code: str, expected: str) -> None:
    text = problem_documents.explain_request("a.example.com", code, "its words")
    assert text.startswith('cannot get a certificate for "a.example.com": ')
    assert expected in text
    assert text.endswith("The CA says: its words")


def test_a_page_quoted_by_the_ca_stays_one_short_line_without_control_characters() -> None:
    text = problem_documents.explain_validation("a.example.com", "unauthorized", "<html>\n\x1b[31m" + "x" * 10_000)
    assert text.isprintable()
    assert len(text) < 800
    assert "<html> [31mxxx" in text
