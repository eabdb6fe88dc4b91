"""Proofs in DNS: DNS-01 (RFC 8555 section 8.4) and dns-persist-01 (draft-ietf-acme-dns-persist). Blocking, for threads.

prover     what an order asks for: records made, seen everywhere, removed
lookup     where a record must be: CNAMEs followed, the zone found, its servers asked
sight      waiting until every server of a zone shows a record
records    who makes records: by_update (RFC 2136), by_lexicon (dns-lexicon), by_hook (a program)
journal    what was made, in the store, so that a crash leaves nothing behind (leftovers)
persist    records that a person made once, and what is said of them
"""
