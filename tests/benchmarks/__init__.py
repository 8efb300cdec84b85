"""Benchmarks: scripts run by hand, each with both sides in one run. They print ratios and assert nothing."""
