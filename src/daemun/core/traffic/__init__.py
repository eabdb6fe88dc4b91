"""What each site and route costs: the line that nginx writes of a request (`traffic_line`), lines added up
(`traffic_sums`), times as buckets with percentiles (`time_buckets`), who used how much (`traffic_usage`), and how
many of a site's requests failed (`error_shares`)."""
