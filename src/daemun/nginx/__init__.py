"""The nginx processes of one state directory, and the files that they read.

find_nginx             which binary, and what it can do
nginx_server           what the loop calls: stage, test, switch, confirm, restore
takeover               another binary takes over from the one that serves (binary_in_use, takeover_journal)
generation_folders     numbered trees of files and the link to the current one (file_trees: how they are written)
process                start, find, signal and end nginx (worker_account, machine_limits, master_watch, child_reaper,
                       master_program)
confirmation_socket    whether nginx really runs a generation: its workers answer
error_diagnosis        what nginx's words mean, and what to do
old_workers            workers of earlier generations, and how they end
builds                 which binaries there are, their known weaknesses, and others beside the system's
log_rotation           logs; access_lines: copied to standard output
"""
