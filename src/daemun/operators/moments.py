"""Seconds since the epoch as people's moments."""

import datetime


def of(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
