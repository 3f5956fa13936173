"""Zero-cost proxies: measures of untrained networks by which they are ranked."""
