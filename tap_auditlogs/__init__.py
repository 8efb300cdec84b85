"""Singer tap for the audit logs of Pigment, Cryptolens, OpenX, Xandr and Index Exchange."""
