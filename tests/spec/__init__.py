"""The specification (specification.md), sentence by sentence; docs/explanation/specification.md maps the two."""
