"""Times of requests as buckets, and percentiles of them. Pure.

Up to 31 ms a bucket is one millisecond, as exact as nginx states a time; from there on each power of two has 16. A
bucket's middle is therefore at most 3 % away from each of its times.
"""

import collections.abc
import math

_EXACT = 32
_EACH = 16
_BITS = 5
"""Of the numbers from 16 to 31, which a bucket's times are rounded down to."""
LONGEST_MS = 1 << 30
"""Twelve days."""


def bucket_of(time_ms: int) -> int:
    if time_ms < _EXACT:
        return max(time_ms, 0)
    time_ms = min(time_ms, LONGEST_MS)
    shift = time_ms.bit_length() - _BITS
    return shift * _EACH + (time_ms >> shift)


def middle_ms(bucket: int) -> float:
    """Of the times of a bucket."""
    if bucket < _EXACT:
        return float(bucket)
    shift = bucket // _EACH - 1
    least = (bucket - shift * _EACH) << shift
    return least + ((1 << shift) - 1) / 2


def percentile_ms(counts: collections.abc.Mapping[int, int], share: float) -> float | None:
    """The time that this share of the requests took at most (the nearest rank). counts: by bucket. None: there are no
    requests."""
    total = sum(counts.values())
    rank = max(1, math.ceil(share * total))
    for bucket in sorted(counts):
        rank -= counts[bucket]
        if rank <= 0:
            return middle_ms(bucket)
    return None
