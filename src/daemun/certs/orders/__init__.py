"""Which certificates are ordered, when, and from which CA.

schedule        what is due of each certificate, and its status; pure
order_loop      due certificates, one attempt after another (order_attempt: one attempt, over all CAs in their order)
renewal_watch   what is looked at between orders: renewal information, repaired names
request_ledger  what was requested of each CA, in the store; rate_limit_domains: what CAs count by
key_types       two certificates for the same names, ECDSA and RSA
ca_outages      CAs that are down, known for all certificates together
"""
