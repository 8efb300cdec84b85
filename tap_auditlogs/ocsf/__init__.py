"""One audit trail: the mapper that adds the stream `audit_events`, OCSF 1.8.0, for all vendors.

It knows OCSF and no vendor: each vendor's `ocsf.py` says what its records mean.
"""
