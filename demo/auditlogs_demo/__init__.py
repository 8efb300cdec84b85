"""The demo: from the sandbox through Meltano into PostgreSQL, twice, with a comparison."""
