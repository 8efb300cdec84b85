"""The command `target-pigment`: loads any Singer stream into Pigment through its import API."""
