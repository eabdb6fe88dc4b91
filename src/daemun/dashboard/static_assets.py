"""What pages load: read and compressed once, as the process may open no file later."""

import dataclasses
import functools
import gzip
import importlib.resources
import importlib.resources.abc
import mimetypes

from starlette import exceptions, requests, responses

_FOREVER = "public, max-age=31536000, immutable"
"""The address of a file changes with its content (`page_environment.asset`)."""
_COMPRESSED = (".css", ".js", ".svg", ".json", ".txt")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StaticAsset:
    """stored: as most browsers get it, compressed with gzip where is_gzipped, else as it is: such as pictures."""

    stored: bytes
    is_gzipped: bool
    kind: str


@functools.cache
def load() -> dict[str, StaticAsset]:
    """Every file below the folder static, by its path there."""
    return dict(_walk(importlib.resources.files("daemun").joinpath("dashboard/static"), ""))


def _walk(folder: importlib.resources.abc.Traversable, prefix: str) -> list[tuple[str, StaticAsset]]:
    found: list[tuple[str, StaticAsset]] = []
    for one in folder.iterdir():
        path = f"{prefix}{one.name}"
        if one.is_dir():
            found += _walk(one, f"{path}/")
            continue
        content = one.read_bytes()
        is_gzipped = path.endswith(_COMPRESSED)
        stored = gzip.compress(content, mtime=0) if is_gzipped else content
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        found.append((path, StaticAsset(stored=stored, is_gzipped=is_gzipped, kind=kind)))
    return found


async def answer(request: requests.Request) -> responses.Response:
    found = load().get(request.path_params["name"])
    if found is None:
        raise exceptions.HTTPException(404)
    headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding"}
    if not found.is_gzipped:
        return responses.Response(found.stored, media_type=found.kind, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return responses.Response(found.stored, media_type=found.kind, headers={**headers, "Content-Encoding": "gzip"})
    return responses.Response(gzip.decompress(found.stored), media_type=found.kind, headers=headers)
