"""What a machine of a fleet concludes from what the machines say of themselves:

- `node_about`: what a node says, as it lies in the database: written, and read as from a stranger
- `node_states`: which nodes live, which are silent and since when, which are behind
- `node_alerts`: which node reports a silent one, so that not all of them do
- `node_records`: which records in DNS lead to the nodes that live
"""
