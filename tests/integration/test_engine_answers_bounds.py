"""What daemun takes of an engine that does not answer as one: no redirects, nothing without end, no names for a log to
stumble over. Real engines answer as they should, so a plain server stands in for them."""

import collections.abc
import gzip
import json

import pytest

from daemun.errors import RetryableError
from daemun.sources.docker import containers, engine_answers, engine_client, engine_place
from tests.support import bad_servers

ANSWERS: dict[str, object] = {"/version": {"ApiVersion": "1.45"}, "/networks": []}
DOWN = "\nset $x \x1b[31m"


def answer(body: object, *, status: str = "200 OK", headers: collections.abc.Mapping[str, str] | None = None) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Content-Type": "application/json", "Content-Length": str(len(content)), "Connection": "close"}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in (given | dict(headers or {})).items())]
    return "\r\n".join([*lines, "", ""]).encode() + content


async def list_those_of(answers: collections.abc.Mapping[str, bytes]) -> tuple[containers.ContainerListing, list[str]]:
    """By the end of its path: what it answers."""
    usual = {path: answer(body) for path, body in ANSWERS.items()}

    def find(path: str, _: object) -> bytes:
        bare = path.partition("?")[0]
        return next(given for end, given in (usual | dict(answers)).items() if bare.endswith(end))

    with bad_servers.running(find) as server:
        endpoint = engine_place.EngineEndpoint(url=f"tcp://127.0.0.1:{server.port}")
        async with engine_client.connect(endpoint) as engine:
            return await engine.fetch_listing(), server.seen


@pytest.mark.parametrize("path", ["/version", "/containers/json"])
@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "300 Choices"])
async def test_no_redirect_is_followed(path: str, status: str) -> None:
    with bad_servers.running(lambda *_: answer(ANSWERS["/version"])) as elsewhere:
        to = {"Location": f"http://127.0.0.1:{elsewhere.port}/"}
        with pytest.raises(
            RetryableError, match=f"it redirects to another place .{status[:3]}., which is not followed"
        ):
            await list_those_of({path: answer([], status=status, headers=to)})
        assert elsewhere.seen == []


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("status", ["200 OK", "500 Internal Server Error"])
async def test_an_answer_without_end_is_not_read(is_packed: bool, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_answers, "LONGEST", 100_000)
    body = json.dumps([{"Id": "a" * 100_000}]).encode()
    headers = {"Content-Encoding": "gzip"} if is_packed else {}
    content = gzip.compress(body) if is_packed else body
    with pytest.raises(RetryableError, match="its answer is longer than 100000 bytes"):
        await list_those_of({"/containers/json": answer(content, status=status, headers=headers)})


async def test_nested_without_end() -> None:
    with pytest.raises(RetryableError, match="its answer is nested too deep"):
        await list_those_of({"/containers/json": answer(b"[" * 200_000 + b"]" * 200_000)})


async def test_an_error_is_one_short_line() -> None:
    refused = answer({"message": f"no{DOWN}" + "x" * 10_000}, status="500 Internal Server Error")
    with pytest.raises(RetryableError) as caught:
        await list_those_of({"/containers/json": refused})
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


async def test_a_container_whose_id_is_none_is_not_there() -> None:
    good = "c" * 64
    listed = [{"Id": DOWN, "Names": [DOWN]}, {"Id": good, "Names": [DOWN], "State": "running"}]
    found, seen = await list_those_of(
        {"/containers/json": answer(listed), f"/containers/{good}/json": answer({"Id": good, "Name": DOWN})}
    )
    assert [(one.id, one.name) for one in found.containers] == [(good, good[:12])]
    assert len(seen) == 4

    found, _ = await list_those_of(
        {"/containers/json": answer(listed), f"/containers/{good}/json": answer({"Id": DOWN, "Name": DOWN})}
    )
    assert found.containers == ()
