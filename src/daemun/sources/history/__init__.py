"""Which configurations were applied (`daemun history`), and the way back to them.

secret_masks: the text of a file without its secrets, and with them again. hidden_secrets: which secret is the same.
history_entry: one applied configuration, as a value. history_store: those that are kept, in the store.
history_recorder: adds one after a round that changed something. file_changes: what differs between two of them, for
people. past_files: the files as they were. written_files: files that a change writes, and undoing that file by file;
guarded_apply: they are live, or are what they were; live_changes: that in the daemon, on trial or not.
trial: a change that is undone unless it is confirmed; trial_base: what it goes back to; trial_record: what is written
down of it.
compared_entries, way_back: what commands and the API show of them, and how one goes back; applied_configurations: that
for the API, while the daemon runs.
"""
