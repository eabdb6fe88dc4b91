"""A process that writes values without end, to be killed: `python store_writer.py ROOT KEY`."""

import pathlib
import sys

from daemun.store import file_store

SIZE = 300_000


def main() -> None:
    root, key = sys.argv[1:]
    store = file_store.FileStore(pathlib.Path(root))
    print("ready", flush=True)
    while True:
        for letter in (b"a", b"b"):
            store.write(key, letter * SIZE)


if __name__ == "__main__":
    main()
