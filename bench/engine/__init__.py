"""A replayed Docker engine.

A real engine on a small machine starts two containers a second, so it cannot show what a thousand events at once do to
daemun. This is no engine: it answers what daemun asks (version, list, inspect, networks, events) over a unix socket, in
the words that Debian's Docker 20.10 used for one container (`recorded.json`), for as many containers as it is told to
have. It has no container: every address it tells is on loopback.
"""
