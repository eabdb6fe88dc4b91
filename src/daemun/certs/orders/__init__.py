"""Which certificates are ordered, when, and from which CA.

order_loop      due certificates, one attempt after another (order_attempt: one attempt, over all CAs in their order)
renewal_watch   what is looked at between orders: renewal information, repaired names
ca_outages      CAs that are down, known for all certificates together; ca_places: how many orders are at one at once
"""
