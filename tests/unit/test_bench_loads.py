"""What the benchmark reads of the programs that make load, and its WebSocket frames."""

import pytest

from bench import frames, loads

H2LOAD = """\
starting benchmark...
TLS Protocol: TLSv1.3
Application protocol: {protocol}

finished in {took}, 16000.00 req/s, 2.75MB/s
requests: 3 total, 3 started, 3 done, {done}
"""
GOOD = "3 succeeded, 0 failed, 0 errored, 0 timeout"
LOG = "1764154800000000\t200\t1500\n1764154800000100\t200\t900\n1764154800000200\t200\t1100\n"


@pytest.mark.parametrize(("took", "in_s"), [("1.50s", 1.5), ("812.50ms", 0.8125), ("900us", 0.0009)])
def test_h2load(took: str, in_s: float) -> None:
    took_s, times_us = loads.read_h2load(H2LOAD.format(protocol="h2", took=took, done=GOOD), LOG, "h2")
    assert took_s == pytest.approx(in_s)
    assert times_us == [1500, 900, 1100]


@pytest.mark.parametrize(
    ("protocol", "done", "log"),
    [
        ("http/1.1", GOOD, LOG),
        ("h2", "2 succeeded, 1 failed, 1 errored, 0 timeout", LOG),
        ("h2", GOOD, LOG.replace("200", "502", 1)),
        ("h2", GOOD, ""),
    ],
)
def test_errors_of_h2load(protocol: str, done: str, log: str) -> None:
    with pytest.raises(loads.LoadError, match="h2load"):
        loads.read_h2load(H2LOAD.format(protocol=protocol, took="1.00s", done=done), log, "h2")


def test_loads_of_one_contestant_are_added() -> None:
    one = loads.Loaded(cpu_s=0.1, count=1000, rate=500, p99_ms=2)
    other = loads.Loaded(cpu_s=0.3, count=3000, rate=1500, p99_ms=4)
    both = loads.together([one, other])
    assert (both.count, both.rate, both.p99_ms) == (4000, 1000, 3)
    assert both.cpu_us == pytest.approx(100)


# --- WebSocket frames ---


def test_the_answer_to_a_key() -> None:
    """The example of RFC 6455 section 1.3."""
    assert frames.accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize("size", [0, 1, 64, 125, 126, 16384, 65535, 65536])
def test_frames_of_any_size(size: int) -> None:
    payload = bytes(number % 251 for number in range(size))
    frame = frames.from_client(payload)
    assert frames.take(frame + b"next") == (payload, len(frame))
    assert frames.from_server(payload).endswith(payload)
    assert len(frame) == len(frames.from_server(payload)) + 4, "a client's has a mask"


@pytest.mark.parametrize("size", [64, 16384, 65536])
def test_a_frame_that_is_not_there_yet(size: int) -> None:
    frame = frames.from_client(b"m" * size)
    assert [frames.take(frame[:end]) for end in (0, 1, 2, 3, 9, len(frame) - 1)] == [None] * 6


def test_a_masked_frame() -> None:
    """The example of RFC 6455 section 5.7, as a text frame of a client."""
    assert frames.take(bytes.fromhex("818537fa213d7f9f4d5158")) == (b"Hello", 11)
