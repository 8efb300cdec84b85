"""A local server that imitates the vendors' APIs: generated data, limits, quirks, and faults on request.

It shares no code with the extraction side, so that one mistake cannot hide the other.
"""
