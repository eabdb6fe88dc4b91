"""All certificates that are wanted, with what is known of each.

certificate_index    each of them, with what follows from what is known of it
schedule             what is due of each certificate, and its status; pure
first_certificates   what is served before any order; local_renewal: what is renewed without one
live_repair          live/ is written again when a hand damaged it
"""
