"""What each site and route costs, counted from nginx's lines and kept on disk.

`traffic_counter` is the task of the daemon, and `traffic_recorder` what it does in a thread; `traffic_files` reads what
nginx wrote, through renamed files too; `traffic_store` keeps the sums and, in the same transaction, how far each file
was read. So nothing is counted twice, and nothing is missing, wherever daemun is killed. `live_traffic` is for who
looks at what happens now.
"""
