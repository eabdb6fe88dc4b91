"""Odd, large and hostile credentials before sites that daemun's own judge guards: nobody comes in by them, and none is
an error of the gate's."""

import base64
import collections.abc

import pytest

from daemun.core.options import basic_auth_form
from tests.support import echo, login_house
from tests.support.login_house import EVERYBODY, House, guarded
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

PASSWORDS = basic_auth_form.BasicAuth(users=(("alice", login_house.hashed("pw")),))
HOME = ("203.0.113.0/24",)
GOOD = "Basic " + base64.b64encode(b"alice:pw").decode()


@pytest.fixture(scope="module")
def one_house(one: echo.EchoServer) -> collections.abc.Iterator[House]:
    there = f"http://127.0.0.1:{one.port}"
    by_password = site("password.test", there, options=guarded(basic_auth=PASSWORDS))
    by_login = site(
        "login.test", route("/", there), route("/share/", there, options=guarded()), options=guarded(login=EVERYBODY)
    )
    either = site("either.test", there, options=guarded(basic_auth=PASSWORDS, allow=HOME, any=True))
    with login_house.house(by_password, by_login, either, gate=login_house.settings()) as running:
        yield running


def send(house: House, host: str, *lines: bytes, path: str = "/", address: str = "198.51.100.9") -> bytes:
    """The answer to a request by hand: no library sends such."""
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: {address}\r\nConnection: close\r\n".encode()
    return house.gate.raw_bytes(head + b"".join(line + b"\r\n" for line in lines) + b"\r\n", name=host)


def status(answer: bytes) -> int:
    return int(answer.split()[1])


BASIC = b"Authorization: Basic "
ODD = {
    "long": b"Authorization: Basic " + b"A" * 8100,
    "half": b"Authorization: Basic " + b"A" * 4090,
    "word": b"Authorization: " + b"x" * 8000,
    "bearer": b"Authorization: Bearer daemun_" + b"A" * 8000,
    "bearer bytes": b"Authorization: Bearer daemun_\x80\xff\x01",
    "control": b"Authorization: Basic \x01\x02\x7f",
    "tab": b"Authorization:\tBasic\t\tYTpi",
    "bytes": b"Authorization: Basic \xff\xfe\xc3\x28",
    "latin": b"Authorization: B\xe4sic YTpi",
    "empty": b"Authorization:",
    "spaces": b"Authorization: " + b" " * 5000,
    "quotes": b'Authorization: Digest username="a", uri="\\"\\\\"',
    "dollar": b"Authorization: Basic $http_host${x}",
    "nul in user": BASIC + base64.b64encode(b"alice\0:pw"),
    "many colons": BASIC + base64.b64encode(b":" * 3000),
    "long user": BASIC + base64.b64encode(b"a" * 3000 + b":pw"),
    "long password": BASIC + base64.b64encode(b"alice:" + b"p" * 3000),
    "broken": BASIC + b"YWxpY2U6cHc",
    "twice": b"Authorization: " + GOOD.encode() + b"\r\nAuthorization: " + GOOD.encode() + b"x",
    "large cookie": b"Cookie: __Host-daemun-session=" + b"A" * 8000,
    "large cookies": b"Cookie: a=" + b"A" * 8000 + b"\r\nCookie: __Host-daemun-session=" + b"A" * 7000,
    "four cookies": b"\r\n".join(b"Cookie: a%d=" % number + b"A" * 7500 for number in range(3)),
    "odd cookie": b"Cookie: __Host-daemun-session=\xff\x01\"; ';;;=,",
    "many cookies": b"Cookie: " + b"; ".join(b"__Host-daemun-session=x" for _ in range(250)),
    "session": b"Cookie: __Host-daemun-session=" + b"A" * 43,
    "language": b"Accept-Language: " + b"k" * 8000 + b"\r\nUser-Agent: " + b"\x01\xff" * 3000,
    "judge's own": b"X-Daemun-Token: x\r\nX-Daemun-User: alice\r\nX-Daemun-Goes: x\r\nX-Daemun-Session: " + b"A" * 43,
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("host", ["password.test", "login.test", "either.test"])
@pytest.mark.parametrize("accept", [b"Accept: */*", b"Accept: text/html"])
def test_who_sends_odd_things_stays_outside(one_house: House, host: str, name: str, accept: bytes) -> None:
    found = status(send(one_house, host, ODD[name], accept))
    ways = {400, 401, 302} if (host, accept) == ("login.test", b"Accept: text/html") else {400, 401}
    assert found in ways


@pytest.mark.parametrize("name", ODD)
def test_the_page_of_the_sign_in_takes_odd_things(one_house: House, name: str) -> None:
    assert status(send(one_house, "auth.test", ODD[name])) in {200, 400}
    there = send(one_house, "login.test", ODD[name], path="/.daemun/login/start?/")
    assert status(there) in {303, 400}


@pytest.mark.parametrize("host", ["password.test", "login.test", "auth.test"])
def test_odd_methods(one_house: House, host: str) -> None:
    for method in (b"A" * 8000, b"A-B_C", b"\x01"):
        head = method + f" / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        assert status(one_house.gate.raw_bytes(head, name=host)) in {400, 401, 404, 405}


def test_good_credentials_still_open(one_house: House) -> None:
    assert status(send(one_house, "password.test", b"Authorization: " + GOOD.encode())) == 200
    assert status(send(one_house, "either.test", b"Authorization: " + GOOD.encode())) == 200
    big = b"Cookie: " + b"a=" + b"A" * 7900
    assert status(send(one_house, "password.test", big, b"Authorization: " + GOOD.encode())) == 200


def test_a_password_of_the_gate_reaches_no_server(one_house: House) -> None:
    for host in ("password.test", "either.test"):
        answer = send(one_house, host, b"Authorization: " + GOOD.encode())
        assert GOOD.split()[1].encode() not in answer
        assert b'"remote-user": "alice"' in answer
    # Who comes in by address sends what the application asks for.
    own = b"Authorization: Basic " + base64.b64encode(b"app:own")
    answer = send(one_house, "either.test", own, address="203.0.113.7")
    assert own.split()[2] in answer
