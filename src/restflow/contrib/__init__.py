"""Optional libraries, each imported only by the module of its name."""
