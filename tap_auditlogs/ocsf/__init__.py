"""Mapper that adds the stream `audit_events`, OCSF 1.8.0; each vendor's `ocsf.py` maps its records."""
