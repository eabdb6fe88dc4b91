"""Whether a duration or a size is within its bounds, in the words in which people write them. Pure."""

import math

_UNITS_S = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_UNITS_BYTES = {"t": 1 << 40, "g": 1 << 30, "m": 1 << 20, "k": 1 << 10}


def check_duration(value_s: float, *, least: float, most: float) -> str | None:
    """NaN is never good."""
    if least <= value_s <= most:
        return None
    return f"{show_duration(value_s)} is not between {show_duration(least)} and {show_duration(most)}"


def check_size(value_bytes: int, *, least: int, most: int) -> str | None:
    if least <= value_bytes <= most:
        return None
    return f"{show_size(value_bytes)} is not between {show_size(least)} and {show_size(most)}"


def show_duration(value_s: float) -> str:
    """ "2h" of 7200: in the largest unit of which it is a whole number."""
    for name, unit_s in _UNITS_S.items():
        count = round(value_s / unit_s, 6) if abs(value_s) < 1e15 else 0.0
        if count >= 1 and count.is_integer():
            return f"{count:.0f}{name}"
    return f"{value_s:.15g}s" if not math.isnan(value_s) else "nan"


def show_size(value_bytes: int) -> str:
    """ "2g" of 2147483648, in the same way."""
    for name, unit in _UNITS_BYTES.items():
        if value_bytes >= unit and value_bytes % unit == 0:
            return f"{value_bytes // unit}{name}"
    return str(value_bytes)
