"""What the engine says of a container, of which there are as many as wanted, in recorded words. Pure."""

import dataclasses
import hashlib
import json
import pathlib
import typing

Json = dict[str, typing.Any]

RECORDED: Json = json.loads(pathlib.Path(__file__).with_name("recorded.json").read_text())
NETWORK = RECORDED["network"]["Id"]

APPEARS = ("container create", "network connect", "container start")
MOVES = (
    "container kill",
    "container die",
    "network disconnect",
    "container stop",
    "network connect",
    "container start",
)
"""`docker restart`: the container gets another address."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Container `number`. moves: how often it got another address. port: what its label says."""

    number: int
    port: int
    moves: int = 0

    @property
    def id(self) -> str:
        return hashlib.sha256(f"container {self.number}".encode()).hexdigest()

    @property
    def name(self) -> str:
        return f"web-{self.number}"

    @property
    def host(self) -> str:
        return f"{self.name}.test"

    @property
    def address(self) -> str:
        """Of the 127.0.0.0/8 that every machine has, so that a single server is behind all of them."""
        high, low = divmod(self.number, 250)
        return f"127.{10 + self.moves % 200}.{high}.{low + 1}"

    @property
    def labels(self) -> dict[str, str]:
        return {"daemun.host": self.host, "daemun.port": str(self.port)}


def row(shape: Shape) -> Json:
    """An item of the answer to "ContainerList"."""
    recorded: Json = RECORDED["row"]
    settings = {"Networks": {"gate": _attachment(recorded, shape)}}
    known = {"Id": shape.id, "Names": [f"/{shape.name}"], "Labels": shape.labels}
    return recorded | known | {"NetworkSettings": settings}


def inspected(shape: Shape) -> Json:
    """The answer to "ContainerInspect"."""
    recorded: Json = RECORDED["container"]
    settings = recorded["NetworkSettings"] | {"Networks": {"gate": _attachment(recorded, shape)}}
    known = {"Id": shape.id, "Name": f"/{shape.name}", "Config": recorded["Config"] | {"Labels": shape.labels}}
    return recorded | known | {"NetworkSettings": settings}


def _attachment(recorded: Json, shape: Shape) -> Json:
    attachment: Json = recorded["NetworkSettings"]["Networks"]["gate"]
    return attachment | {"IPAddress": shape.address}


def event(kind: str, shape: Shape) -> Json:
    """kind: what is recorded, "container start"."""
    recorded: Json = RECORDED["events"][kind]
    actor = recorded["Actor"]
    if recorded["Type"] == "network":
        attributes = actor["Attributes"] | {"container": shape.id}
        return recorded | {"Actor": actor | {"Attributes": attributes}}
    attributes = actor["Attributes"] | shape.labels | {"name": shape.name}
    return recorded | {"id": shape.id, "Actor": {"ID": shape.id, "Attributes": attributes}}
