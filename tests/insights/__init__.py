"""Throughput, bottlenecks, costs and forecasts: read from what the follower derived."""
