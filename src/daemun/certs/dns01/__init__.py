"""Proofs in DNS: DNS-01 (RFC 8555 section 8.4) and dns-persist-01 (draft-ietf-acme-dns-persist). Blocking, for threads.

dns_prover      what an order needs: records made, seen everywhere, removed
propagation     waiting until every server of a zone shows a record
txt_records     records, and what makes them: by_update (RFC 2136), by_lexicon (dns-lexicon), by_hook (a program)
record_journal  what was made, in the store, so that a crash leaves nothing behind (leftovers)
persist_prover  records that a person made once (dns_advice: what to make)
"""
