"""Looks at the gate from outside, as a visitor does, and at the servers behind it, as nginx does.

handshakes      one TLS handshake with a listener (expected_certificates: what it should show)
server_tries    one try of a server
error_log       nginx's error log, as it is written
observations    the latest results, by site
site_prober     when what is looked at, of sites; stream_prober: of streams; probe_inputs: what both need
server_turns    which servers are tried next, of both; handshake_turns: which names handshakes are made with next
site_judge      what the results make of the states of sites and certificates

The judgements are in `core.served`.
"""
