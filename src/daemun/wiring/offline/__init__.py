"""What commands do without a daemon: none of it needs one, or touches what runs."""
