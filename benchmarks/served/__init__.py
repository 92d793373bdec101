"""The project as real servers serve it: over HTTP, in processes of their own, on PostgreSQL."""
