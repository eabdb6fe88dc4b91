"""Values of nginx's `$upstream_addr`, `$upstream_status` and `$upstream_response_time`: one for each server that was
tried. Pure.

Source: https://nginx.org/en/docs/http/ngx_http_upstream_module.html#var_upstream_addr
"""

import re

_BETWEEN = re.compile(r", | : ")
"""Tries of one location; and those of a location from those of the one before an internal redirect."""


def split(text: str) -> tuple[str, ...]:
    """One after another. Of "" there are none."""
    return tuple(_BETWEEN.split(text)) if text else ()
