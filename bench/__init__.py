"""The side-by-side benchmark: one load generator, Myelin and Synapse, SQLite and PostgreSQL, in one run."""
