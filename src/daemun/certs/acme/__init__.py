"""ACME (RFC 8555). Blocking, for threads; the only room that imports `acme` and `josepy`.

acme_issuer           one certificate, from a new order to the chain (new_order, challenge_proof, preferred_chain)
acme_network          how requests are sent, and the words when they fail (problem_documents, order_failures)
ca_connections        bounds of time and size for each answer of a CA
acme_accounts         one key for all CAs, and the account that each knows it by (account_registration, key_rollover)
challenge_files       HTTP-01 proofs that nginx does not give by itself; provers: who makes proofs visible
request_ledger        what was requested of each CA, in the store; rate_limit_domains: what CAs count by
renewal_info          when a CA wants a certificate to be renewed (RFC 9773)
"""
