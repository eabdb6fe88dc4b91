"""Several machines with one front: what they agree on beside values of the store, and who of them lives."""
