"""The database: engine, shared columns, claims, audit and migrations."""
