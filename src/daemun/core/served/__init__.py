"""What a visitor receives, judged from what was tried: which servers are to be tried (`probe_targets`), what their
answers mean, what nginx wrote of them (`upstream_errors`), and what follows for a site (`served_judgement`)."""
