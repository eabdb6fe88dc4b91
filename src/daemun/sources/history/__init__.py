"""Which configurations were applied (`daemun history`), and going back to them.

secret_masks             the text of a file without its secrets, and with them again
hidden_secrets           which secrets are the same
history_entry            one applied configuration, as a value
history_store            those that are kept, in the store
history_recorder         adds one after a round that changed something
file_changes             what differs between two of them, for people
past_files               the files as they were
written_files            files that a change writes, and undoing that file by file
guarded_apply            makes written files live, or puts back what they were before
live_changes             the same in the daemon, on trial or for good
trial                    a change that is undone unless it is confirmed (trial_base: what it goes back to;
                         trial_record: what is written down of it)
compared_entries         what commands and the API show of entries
rollback_plan            what going back to one would write
applied_configurations   both for the API, while the daemon runs
recent_changes           which site was changed last, and the newest entries
"""
