"""What `daemun up` hands to the program that it becomes."""

import pathlib

import pytest

from daemun import settings
from daemun.cli import daemon


@pytest.mark.parametrize(
    "chosen",
    [
        settings.Settings(config=pathlib.Path("/a/daemun.yaml"), state=pathlib.Path("/s")),
        settings.Settings(
            config=pathlib.Path("/wo \udcff/'\"대문.yaml"),
            state=pathlib.Path("/s"),
            nginx=pathlib.Path("/usr/sbin/nginx"),
            log_format=settings.LogFormat.JSON,
            verbose=True,
            config_from="-c",
            state_from="$DAEMUN_STATE",
            nginx_from="--nginx",
        ),
    ],
)
def test_settings_arrive_as_they_were_chosen(chosen: settings.Settings) -> None:
    assert daemon.read_settings(daemon.write_settings(chosen)) == chosen
