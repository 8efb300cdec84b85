"""A local server that imitates the vendors, with generated data, limits and quirks, and faults on request.

It shares no code with the extraction side, so that one mistake cannot hide the other.
"""
