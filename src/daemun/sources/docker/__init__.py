"""Containers as a source of sites: their labels say under which host and path they are to be reached.

    engine ─► client ─► containers ─► labels ─► translate ─► Snapshot
              (fetch)   (values)      (wishes)  (who serves what; reach: at which address)

What is fetched again after `events` follows from what was `seen`.
Only `client`, `surroundings` and `source` touch the world.
"""
