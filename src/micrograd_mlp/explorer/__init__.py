"""A page on which any graph of Values can be stepped through."""
