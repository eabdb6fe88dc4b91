"""What dashboards show, worked out from values: pictures and words. Pure."""
