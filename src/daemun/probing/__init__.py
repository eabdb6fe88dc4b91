"""Looks at the gate from outside, as a visitor does, and at the servers behind it, as nginx does.

- `handshakes`: one TLS handshake with a listener. `server_tries`: one try of a server.
- `error_log`: what nginx writes, as it is written. `looks`: what is known of each site.
- `prober`, `stream_prober`: when what is looked at, of sites and of streams. `server_turns`: which servers are
tried next, of both. The judgement is `served.served_judgement`, `served.server_answers` and `served.upstream_errors`.
"""
