"""JSON of a shape that is known, in which one part is something else."""

import collections.abc

ODD: tuple[object, ...] = (None, True, -1, 10**30, 1.5, "", "x", "\ud800", [], [[]], {}, {"x": []}, [None], [{"x": {}}])
Json = object


def each_replaced(raw: Json) -> collections.abc.Iterator[Json]:
    """raw, once for each of its parts and each odd value in place of that part."""
    yield from ODD
    if isinstance(raw, dict):
        for key, inner in raw.items():
            yield from ({**raw, key: one} for one in each_replaced(inner))
    elif isinstance(raw, list):
        for index, inner in enumerate(raw):
            yield from ([*raw[:index], one, *raw[index + 1 :]] for one in each_replaced(inner))
