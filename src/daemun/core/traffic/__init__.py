"""What each site and route costs: the line that nginx writes of a request, and lines added up (`traffic_sums`); names
in it (`traffic_names`); times as buckets with percentiles (`time_buckets`); sums that only grow (`traffic_totals`); who
used how much (`traffic_usage`), and how much that is in a second (`traffic_rates`, of `recent_sums`); how many of a
site's requests failed (`error_shares`)."""
