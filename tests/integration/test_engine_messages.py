"""What the library for Docker says of an engine is shown without its secrets."""

import pytest

from daemun.errors import RetryableError
from daemun.sources.docker import engine_client, engine_place


async def test_no_password_of_an_engine_that_is_not_there() -> None:
    endpoint = engine_place.EngineEndpoint(url="tcp://me:s3cret@127.0.0.1:1", name="nas")
    with pytest.raises(RetryableError) as told:
        async with engine_client.connect(endpoint) as engine:
            await engine.fetch_listing()
    assert "s3cret" not in str(told.value)
    assert "the engine nas at tcp://" in str(told.value)
