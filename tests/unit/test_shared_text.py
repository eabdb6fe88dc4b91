"""What of daemun.yaml a fleet shares: everything but `fleet` and `node`, byte for byte."""

import hypothesis
import pytest
from hypothesis import strategies as st

from daemun.errors import ConfigError
from daemun.fleet import shared_text

OWN = b"fleet:\n  database: {file: db}\n\n  key: fleet.key\nnode: {listen: {http: 80}}\n"
SITES = b"# ours\nsites:\n  a.test: http://127.0.0.1:1\n"


@pytest.mark.parametrize(
    ("content", "shared", "own"),
    [
        (OWN + SITES, SITES, OWN),
        (SITES + OWN, SITES, OWN),
        (b"acme: {email: a@b.test}\n" + OWN + SITES, b"acme: {email: a@b.test}\n" + SITES, OWN),
        (b'"fleet" : {key: k,\n  name: n\n}\n' + SITES, SITES, b'"fleet" : {key: k,\n  name: n\n}\n'),
        (b"fleet:\r\n  key: k\r\nsites: {}\r\n", b"sites: {}\r\n", b"fleet:\r\n  key: k\r\n"),
        (b"\xef\xbb\xbffleet: {key: k}\nsites: {}\n", b"\xef\xbb\xbfsites: {}\n", b"fleet: {key: k}\n"),
        (b"node:\n  # of this machine\n  listen: 1\n\n# of all\nsites: {}\n", b"\n# of all\nsites: {}\n", None),
        (b"fleets: 1\nsites:\n  node: http://a:1\n", b"fleets: 1\nsites:\n  node: http://a:1\n", b""),
        (SITES, SITES, b""),
    ],
)
def test_split(content: bytes, shared: bytes, own: bytes | None) -> None:
    found = shared_text.split(content)
    assert found.shared == shared
    assert own is None or found.own == own


@pytest.mark.parametrize(
    "content",
    [
        b"{fleet: {key: k}, sites: {}}\n",
        b"  node: {listen: 1}\n  sites: {}\n",
        b'"n\\x6fde": {listen: 1}\n',
        b'"fle\\x65t": {key: k}\n',
        b'sites: {}\n"\\u0066leet": {key: k}\n',
        b'{"\\U0000006eode": {listen: 1}}\n',
        b'? "fl\\\n  eet"\n: {key: k}\n',
        b'{? "no\\\r\n  de" : {listen: 1}}\n',
        b'? "no\\\xe2\x80\xa8de"\n: {listen: 1}\n',
        b'x: &a {"n\\x6fde": {listen: 1}}\n<<: *a\n',
        b"? fleet\n: {key: k}\n",
        b"!!str node: {listen: 1}\n",
        b"sites: {}\n&a fleet: {key: k}\n",
    ],
)
def test_what_cannot_be_told_apart_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigError, match="cannot tell what of the file is shared"):
        shared_text.split(content)


@pytest.mark.parametrize(
    "held", [OWN + SITES, SITES + OWN, b"acme: {email: a@b.test}\n" + OWN + SITES, OWN, SITES, b"", b"---\n" + OWN]
)
@pytest.mark.parametrize(
    "shared", [SITES, b"sites: {}", b"", b"---\nsites: {}\n", b"\xef\xbb\xbfsites: {}\n", SITES * 2]
)
def test_join_is_what_is_split(held: bytes, shared: bytes) -> None:
    joined = shared_text.join(shared, held)
    assert shared_text.split(joined).shared == shared
    assert shared_text.split(joined).own.rstrip() == shared_text.split(held).own.rstrip()


def test_the_own_part_stays_where_it_is() -> None:
    held = b"acme: {email: a@b.test}\n\n" + OWN + b"\n" + SITES
    changed = shared_text.split(held).shared.replace(b":1\n", b":2\n")
    assert shared_text.join(changed, held) == held.replace(b":1\n", b":2\n")


LINES = st.lists(
    st.sampled_from(
        [b"fleet:", b"node: {a: 1}", b"sites:", b"  a: b", b"", b"# words", b"acme: {email: x}", b"  - c", b"---"]
    ),
    max_size=8,
).map(lambda lines: b"".join(line + b"\n" for line in lines))


@hypothesis.given(held=LINES, other=LINES)
def test_hypothesis_join(held: bytes, other: bytes) -> None:
    try:
        shared = shared_text.split(other).shared
        joined = shared_text.join(shared, held)
    except ConfigError:
        return
    assert shared_text.split(joined).shared == shared
