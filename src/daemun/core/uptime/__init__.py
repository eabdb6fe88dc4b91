"""Whether sites were served, over 90 days. Pure.

- `site_condition`: what a look at a site, and what its visitors received, say of it now.
- `watch_account`: seconds between two looks, by day and site.
- `uptime_sums`: what is kept of a day, added up; bars; incidents.
"""
