"""What each site and route costs: the line that nginx writes of a request (`traffic_line`), lines added up
(`traffic_sums`), times as buckets with percentiles (`time_buckets`), and who used how much (`traffic_usage`)."""
