"""The demo: the sandbox flows through Meltano into a real PostgreSQL, twice, and is counted there."""
